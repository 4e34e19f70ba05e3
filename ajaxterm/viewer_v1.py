"""
A viewer that speaks C{ajaxterm.v1}: bytes in binary messages, events as JSON
in text messages.  docs/protocol.md is the reference for both.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from twisted.internet.interfaces import IDelayedCall, IReactorTime

from ajaxterm.frames import WebSocket
from ajaxterm.grants import Grant
from ajaxterm.session import Session
from ajaxterm.viewer import End, Event, Seat, Unwelcome
from ajaxterm.wishes import Wishes, attach_fields, greeting, parsed, refused


class ViewerV1:
    """
    @cvar CHUNK: bytes of output in one message at the most.
    @cvar COUNT_DELAY: seconds until input is confirmed; keys typed meanwhile
        are confirmed together.
    @cvar PATIENCE: seconds for the viewer's C{attach}.
    """

    CHUNK = 1 << 17
    COUNT_DELAY = 0.1
    PATIENCE = 10.0

    resumes = True
    through = ""
    reachable = True

    _socket: WebSocket
    _seat: Seat | None = None

    def __init__(self, clock: IReactorTime, session: Session, grant: Grant, release: str) -> None:
        self._clock = clock
        self._session = session
        self._grant = grant
        self._release = release
        self._wishes = Wishes(session)
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
            said = parsed(message)
        except ValueError:
            self._socket.close(1007, "text messages are one JSON object each")
            return
        if self._seat is None:
            if said.get("do") == "attach":
                self._attach(said)
            else:
                self._socket.close(1002, 'the first message must be {"do": "attach"}')
            return
        answer = self._wishes.hear(self._seat, said)
        if answer is not None:
            self.event(answer)

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
        self._stop_counting()
        if self._waiting is not None and self._waiting.active():
            self._waiting.cancel()
        seat, self._seat = self._seat, None
        if seat is not None:
            self._session.left(seat, self)

    # The session's side.

    def output_ready(self) -> None:
        self.writable()

    def event(self, event: Event) -> None:
        self._socket.send(json.dumps(event, separators=(",", ":")))

    def hold_input(self, held: bool) -> None:
        self._socket.hold_input(held)

    def counted(self, dropped: int) -> None:
        if dropped:
            self._stop_counting()
            self._count(dropped)
        elif self._counting is None or not self._counting.active():
            self._counting = self._clock.callLater(self.COUNT_DELAY, self._count)

    def ended(self, end: End) -> None:
        self._socket.close(end.code, end.reason)

    # Within.

    def _attach(self, said: Mapping[str, Any]) -> None:
        if self._waiting is not None and self._waiting.active():
            self._waiting.cancel()
        try:
            seat, resumed = self._session.attach(self, self._grant, *attach_fields(said))
        except Unwelcome as unwelcome:
            self.event(unwelcome.end.event())
            self.ended(unwelcome.end)
            return
        self._seat = seat
        self.event(greeting(self._session, seat, resumed, self._release))
        self._session.greeted(seat)
        self.writable()

    def _typed(self, keys: bytes) -> None:
        if self._seat is None:
            self._socket.close(1002, 'the first message must be {"do": "attach"}')
            return
        why_not = self._session.typed(self._seat, keys)
        if why_not:
            self.event(refused("input", why_not))

    def _count(self, dropped: int = 0) -> None:
        if self._seat is not None:
            more = {"dropped": dropped} if dropped else {}
            self.event({"event": "counted", "input": self._seat.counted, **more})

    def _stop_counting(self) -> None:
        if self._counting is not None and self._counting.active():
            self._counting.cancel()

    def _never_attached(self) -> None:
        self._socket.close(1002, 'no {"do": "attach"} came')
