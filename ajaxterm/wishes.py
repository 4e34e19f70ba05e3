"""
What a viewer may ask for besides typing, whatever carries its words: the C{do}
of docs/protocol.md.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from math import isfinite
from typing import Any

from ajaxterm.session import Session
from ajaxterm.viewer import End, Event, Seat

ONLY_WATCH = "You may only watch this console."


def greeting(session: Session, seat: Seat, resumed: bool, release: str) -> Event:
    """@return: the C{hello} of docs/protocol.md."""
    holder = session.keyboard.holder
    return {
        "event": "hello",
        "version": 1,
        "console": session.id,
        "viewer": seat.name,
        "resume": seat.key,
        "resumed": resumed,
        "mode": seat.grant.mode,
        "offset": seat.position,
        "live": session.scrollback.end,
        "input": seat.counted,
        "title": session.title,
        "resizable": session.line.resizable,
        "abilities": session.additions.abilities,
        "keyboard": None if holder is None else holder.name,
        "recording": session.recording,
        "ending": session.idleness.ending(),
        "notices": session.additions.notices(),
        "release": release,
        "line": {"state": session.state, "message": session.message},
    }


def parsed(text: str | bytes) -> dict[str, Any]:
    """
    @return: what a viewer said.
    @raise ValueError: it is not one JSON object.
    """
    try:
        said = json.loads(text, parse_constant=_no_number)
    except RecursionError as error:
        raise ValueError("too deep") from error
    if not isinstance(said, dict):
        raise ValueError("an object is wanted")
    return said


def attach_fields(said: Mapping[str, Any]) -> tuple[str | None, int | None, str | None]:
    """@return: C{resume}, C{offset} and C{console}; what can't be one is none."""
    resume, offset, console = said.get("resume"), said.get("offset"), said.get("console")
    return (
        resume if isinstance(resume, str) else None,
        offset if isinstance(offset, int) and not isinstance(offset, bool) else None,
        console if isinstance(console, str) else None,
    )


def refused(what: str, message: str) -> Event:
    """@return: the event that says no."""
    return {"event": "refused", "what": what, "message": message}


class Wishes:
    """Does what viewers of one session ask for, or says why not."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._known: dict[str, Callable[[Seat, Mapping[str, Any]], str]] = {
            "size": self._size,
            "take_keyboard": self._take_keyboard,
            "give_keyboard": self._give_keyboard,
            "cancel_input": self._cancel_input,
            "end_session": self._end_session,
            "stay": self._stay,
            "break": self._ask_agent,
            "sysrq": self._ask_agent,
        }

    def hear(self, seat: Seat, said: Mapping[str, Any]) -> Event | None:
        """@return: what to answer to this viewer, if anything."""
        wanted = said.get("do")
        if wanted == "ping":
            sent = said.get("sent")
            return {"event": "pong", "sent": sent if _is_number(sent) else None}
        wish = self._known.get(wanted) if isinstance(wanted, str) else None
        if wish is None:
            return refused(str(wanted)[:40], "This server does not know how to do that.")
        why_not = wish(seat, said)
        return refused(str(wanted), why_not) if why_not else None

    # Each returns why not; nothing if it is done.

    def _size(self, seat: Seat, said: Mapping[str, Any]) -> str:
        rows, columns = said.get("rows"), said.get("columns")
        if not (_is_length(rows) and _is_length(columns)):
            return "Rows and columns are whole numbers from 1 to 1000."
        if seat.grant.mode != "rw" or not self._session.line.resizable:
            return "The size of this terminal can't be set from here."
        self._session.line.resize(rows, columns)  # type: ignore[arg-type]
        return ""

    def _take_keyboard(self, seat: Seat, said: Mapping[str, Any]) -> str:
        if seat.grant.mode != "rw":
            return ONLY_WATCH
        self._session.keyboard.take(seat)
        self._only_of(seat)
        return ""

    def _give_keyboard(self, seat: Seat, said: Mapping[str, Any]) -> str:
        name, taker = said.get("to"), None
        if seat.grant.mode != "rw":
            return ONLY_WATCH
        if name is not None:
            taker = self._session.typist(str(name))
            if taker is None:
                return "Nobody of that name is here who may type."
        why_not = self._session.keyboard.give(seat, taker)
        if not why_not and taker is not None:
            self._only_of(taker)
        return why_not

    def _only_of(self, seat: Seat) -> None:
        session = self._session
        session.drop([each for each in session.keys.waiting() if each is not seat])

    def _cancel_input(self, seat: Seat, said: Mapping[str, Any]) -> str:
        below = said.get("below")
        if below is None:
            self._session.drop([seat])
            return ""
        if not _is_count(below):
            return "Below which byte is a whole number."
        # Counted are also those that are still on their way, so that they are not typed.
        dropped = max(0, below - seat.counted)
        seat.counted += dropped
        self._session.keys.drop(seat, dropped)
        if seat.viewer is not None:
            seat.viewer.counted(dropped)
            if not dropped:
                seat.viewer.event({"event": "counted", "input": seat.counted})
        return ""

    def _stay(self, seat: Seat, said: Mapping[str, Any]) -> str:
        self._session.idleness.stay()
        return ""

    def _end_session(self, seat: Seat, said: Mapping[str, Any]) -> str:
        if seat.grant.mode != "rw":
            return ONLY_WATCH
        who = f"{seat.grant.user} ({seat.name})"
        self._session.leaving.close(End("closed", f"{who} has ended this console.", 1000))
        return ""

    def _ask_agent(self, seat: Seat, said: Mapping[str, Any]) -> str:
        what = str(said["do"])
        asked = {"event": "wish", "what": what, "viewer": seat.name, "user": seat.grant.user}
        if what == "sysrq":
            key = said.get("key")
            if not (isinstance(key, str) and len(key) == 1 and key.isascii() and key.isalnum()):
                return "The key of a SysRq is a letter or a digit."
            asked["key"] = key
        if what not in self._session.additions.abilities:
            return "This guest can't take that from here."
        why_not = self._session.refusal(seat)
        if not why_not:
            self._session.idleness.used()
            self._session.report(asked)
        return why_not


def _no_number(constant: str) -> None:
    raise ValueError(f"{constant} is not JSON (RFC 8259, 6)")


def _is_number(value: object) -> bool:
    # 1e999 is JSON, but infinite here, and then no JSON any more.
    if isinstance(value, float):
        return isfinite(value)
    return isinstance(value, int) and not isinstance(value, bool)


def _is_count(value: object) -> bool:
    # What a browser can count to.
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 1 << 53


def _is_length(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 1 <= value <= 1000
