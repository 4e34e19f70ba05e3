"""
What is written down of a console, for the agent that comes after this one
(C{state.json} in its room):

  {"version": 2, "boot": "…",           the host's run in which the pids mean something
   "processes": [[PID, STARTED], …],    all that run there; in every version of this
   "open": true,                        no: it was just being opened, or closed
   "uuid", "domain", "device": {…},     of what it is a console, as last described
   "lasts": false,
   "terminal": {"process": [PID, STARTED], "host", "port"},
   "socat": [PID, STARTED] or null,
   "line": {"waits": false, "message", "logged"},
   "notices": {NAME: MESSAGE}}

No path to a device is in it that would ever be opened: where it is, only the guest's XML
tells, anew.  Grants are files of their own, since there may be many.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from computeagent.domainxml import SerialDevice
from computeagent.guestline import GuestLine
from computeagent.pids import Running, this_boot
from computeagent.place import WAITING, Place
from computeagent.rooms import Room
from computeagent.workshop import Terminal

VERSION = 2

STATE = "state"


class Unadoptable(Exception):
    """
    What was left can't be gone on with; the sentence says why.
    """


@dataclass(frozen=True, slots=True)
class Kept:
    """
    @ivar terminal: the ajaxterm's process.
    @ivar host: where it listens.
    @ivar port: there.
    @ivar waits: whether the guest was off, for people with a C{message}.
    @ivar logged: as of L{computeagent.guestline.GuestLine}.
    """

    place: Place
    device: SerialDevice
    lasts: bool
    terminal: Running
    host: str
    port: int
    socat: Running | None
    waits: bool
    message: str
    logged: int | None
    notices: Mapping[str, str]

    @classmethod
    def of(
        cls,
        place: Place,
        lasts: bool,
        terminal: Terminal,
        line: GuestLine,
        notices: Mapping[str, str],
    ) -> Kept:
        """@return: a console as it is now."""
        return cls(
            place,
            line.device,
            lasts,
            Running(terminal.child.pid, terminal.child.started),
            terminal.host,
            terminal.port,
            Running(line.socat.pid, line.socat.started) if line.socat is not None else None,
            line.state == WAITING,
            line.message,
            line.logged,
            notices,
        )


def write_kept(room: Room, kept: Kept, is_open: bool) -> None:
    """
    @param is_open: whether another agent could go on with it.
    @raise OSError: it can't be written.
    """
    device = kept.device
    running = [one for one in (kept.terminal, kept.socat) if one is not None]
    room.write(
        STATE,
        {
            "version": VERSION,
            "boot": this_boot(),
            "processes": [_pair(one) for one in running],
            "open": is_open,
            "uuid": kept.place.uuid,
            "domain": kept.place.domain,
            "device": {
                "alias": kept.place.device,
                "kind": device.kind,
                "type": device.type,
                "log": device.log,
                "appends": device.appends,
            },
            "lasts": kept.lasts,
            "terminal": {
                "process": _pair(kept.terminal),
                "host": kept.host,
                "port": kept.port,
            },
            "socat": _pair(kept.socat) if kept.socat is not None else None,
            "line": {"waits": kept.waits, "message": kept.message, "logged": kept.logged},
            "notices": dict(kept.notices),
        },
    )


def read_kept(room: Room) -> Kept:
    """
    @raise Unadoptable:
    """
    try:
        state = room.read(STATE)
    except ValueError as error:
        raise Unadoptable(f"what was written down of it can't be read: {error}") from None
    if state.get("version") != VERSION:
        raise Unadoptable("another release of the agent has opened it")
    if state.get("boot") != this_boot():
        raise Unadoptable("it is of before the host's last start")
    if state.get("open") is not True:
        raise Unadoptable("it was just being opened, or closed")
    try:
        return _parse(state)
    except (KeyError, TypeError, ValueError, AttributeError):
        raise Unadoptable("what was written down of it makes no sense") from None


def processes_in(room: Room) -> list[Running]:
    """
    @return: what runs there as far as that is known, whichever release has written it.
    """
    try:
        state = room.read(STATE)
        if state.get("boot") != this_boot():
            return []
        return [Running.read(words) for words in state["processes"]]
    except (ValueError, KeyError, TypeError):
        return []


def _parse(state: Mapping[str, Any]) -> Kept:
    device, terminal, line = state["device"], state["terminal"], state["line"]
    place = Place(_text(state["uuid"]), _text(state["domain"]), _text(device["alias"]))
    described = SerialDevice(place.device, _text(device["kind"]), _text(device["type"]))
    socat, logged, port = state["socat"], line["logged"], terminal["port"]
    if type(port) is not int or not 0 < port < 65536:
        raise ValueError("a port")
    if logged is not None and type(logged) is not int:
        raise ValueError("a length")
    return Kept(
        place,
        replace(described, log=_text(device["log"]), appends=device["appends"] is True),
        state["lasts"] is True,
        Running.read(terminal["process"]),
        _text(terminal["host"]),
        port,
        None if socat is None else Running.read(socat),
        line["waits"] is True,
        _text(line["message"]),
        logged,
        {_text(name): _text(message) for name, message in state["notices"].items()},
    )


def _pair(process: Running) -> list[int]:
    return [process.pid, process.started]


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise ValueError("a text")
    return value
