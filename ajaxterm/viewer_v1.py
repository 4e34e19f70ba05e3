"""
A viewer that speaks C{ajaxterm.v1}: bytes in binary messages, events as JSON
in text messages.  docs/protocol.md is the reference for both.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from math import isfinite
from typing import Any

from twisted.internet.interfaces import IDelayedCall, IReactorTime

from ajaxterm.frames import WebSocket
from ajaxterm.grants import Grant
from ajaxterm.session import Session
from ajaxterm.viewer import End, Event, Seat, Unwelcome


class ViewerV1:
    """
    @cvar CHUNK: bytes of output in one message at the most.
    @cvar COUNT_DELAY: seconds until input is confirmed; keys typed meanwhile
        are confirmed together.
    @cvar KEPT: bytes of input that are kept here while the line takes none.
        Only beyond is nothing read any more: a page that hears nothing for
        its pings takes the connection for dead.
    @cvar PATIENCE: seconds for the viewer's C{attach}.
    """

    CHUNK = 1 << 17
    COUNT_DELAY = 0.1
    KEPT = 1 << 18
    PATIENCE = 10.0

    _socket: WebSocket
    _seat: Seat | None = None

    def __init__(self, clock: IReactorTime, session: Session, grant: Grant, release: str) -> None:
        self._clock = clock
        self._session = session
        self._grant = grant
        self._release = release
        self._held = False
        self._kept: list[bytes] = []
        self._kept_length = 0
        self._counting: IDelayedCall | None = None
        self._waiting: IDelayedCall | None = None

    # The socket's side.

    def opened(self, socket: WebSocket) -> None:
        self._socket = socket
        self._waiting = self._clock.callLater(self.PATIENCE, self._never_attached)

    def received(self, message: bytes | str) -> None:
        if isinstance(message, bytes):
            self._typed(message)
            return
        try:
            said = json.loads(message, parse_constant=_no_number)
            if not isinstance(said, dict):
                raise ValueError("an object is wanted")
        except (ValueError, RecursionError):
            self._socket.close(1007, "text messages are one JSON object each")
            return
        if self._seat is None:
            if said.get("do") == "attach":
                self._attach(said)
            else:
                self._socket.close(1002, 'the first message must be {"do": "attach"}')
            return
        self._asked(self._seat, said)

    def writable(self) -> None:
        seat = self._seat
        if seat is None:
            return
        while True:
            taken = self._session.take(seat, self.CHUNK)
            if taken.missed:
                self.event({"event": "gap", "missed": taken.missed, "offset": taken.offset})
            if not taken.output or not self._socket.send(taken.output):
                return

    def lost(self) -> None:
        for call in (self._counting, self._waiting):
            if call is not None and call.active():
                call.cancel()
        seat, self._seat = self._seat, None
        if seat is not None:
            self._session.left(seat, self)

    # The session's side.

    def output_ready(self) -> None:
        self.writable()

    def event(self, event: Event) -> None:
        self._socket.send(json.dumps(event, separators=(",", ":")))

    def hold_input(self, held: bool) -> None:
        self._held = held
        if held:
            return
        kept, self._kept, self._kept_length = self._kept, [], 0
        for keys in kept:
            self._typed(keys)
        # Unless that filled the line again.
        self._socket.hold_input(self._kept_length > self.KEPT)

    def ended(self, end: End) -> None:
        self._socket.close(end.code, end.reason)

    # Within.

    def _attach(self, said: Mapping[str, Any]) -> None:
        resume, offset = said.get("resume"), said.get("offset")
        if not (resume is None or isinstance(resume, str)):
            resume = None
        if not isinstance(offset, int) or isinstance(offset, bool):
            offset = None
        if self._waiting is not None and self._waiting.active():
            self._waiting.cancel()
        try:
            seat, resumed = self._session.attach(self, self._grant, resume, offset)
        except Unwelcome as unwelcome:
            self.event(unwelcome.end.event())
            self.ended(unwelcome.end)
            return
        self._seat = seat
        self.event(self._session.greeting(seat, resumed, self._release))
        self._session.greeted(seat)
        self.writable()

    def _typed(self, keys: bytes) -> None:
        seat = self._seat
        if seat is None:
            self._socket.close(1002, 'the first message must be {"do": "attach"}')
        elif self._held and self._grant.mode == "rw":
            self._kept.append(keys)
            self._kept_length += len(keys)
            if self._kept_length > self.KEPT:
                self._socket.hold_input(True)
        elif self._session.typed(seat, keys):
            if self._counting is None or not self._counting.active():
                self._counting = self._clock.callLater(self.COUNT_DELAY, self._count)
        else:
            self._refuse("input", "You may only watch this console.")

    def _count(self) -> None:
        if self._seat is not None:
            self.event({"event": "counted", "input": self._seat.counted})

    def _asked(self, seat: Seat, said: Mapping[str, Any]) -> None:
        wanted = said.get("do")
        if wanted == "ping":
            sent = said.get("sent")
            self.event({"event": "pong", "sent": sent if _is_number(sent) else None})
        elif wanted == "size":
            rows, columns = said.get("rows"), said.get("columns")
            if not (_is_length(rows) and _is_length(columns)):
                self._refuse("size", "Rows and columns are whole numbers from 1 to 1000.")
            elif not self._session.resized(seat, rows, columns):  # type: ignore[arg-type]
                self._refuse("size", "The size of this terminal can't be set from here.")
        else:
            self._refuse(str(wanted)[:40], "This server does not know how to do that.")

    def _refuse(self, what: str, message: str) -> None:
        self.event({"event": "refused", "what": what, "message": message})

    def _never_attached(self) -> None:
        self._socket.close(1002, 'no {"do": "attach"} came')


def _no_number(constant: str) -> None:
    raise ValueError(f"{constant} is not JSON (RFC 8259, 6)")


def _is_number(value: object) -> bool:
    # 1e999 is JSON, but infinite here, and then no JSON any more.
    if isinstance(value, float):
        return isfinite(value)
    return isinstance(value, int) and not isinstance(value, bool)


def _is_length(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 1 <= value <= 1000
