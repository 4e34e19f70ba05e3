"""
A viewer that speaks C{binary}, or no subprotocol: bytes both ways, no events.

This is what clients of nova-serialproxy speak.  Some of them decode each frame
by itself, so none ends inside a UTF-8 character (larsks/novaconsole prints
C{bytes.decode(frame)}); others type in text frames, which we take.
"""

from __future__ import annotations

from twisted.internet.interfaces import IDelayedCall, IReactorTime

from ajaxterm.characters import unfinished
from ajaxterm.frames import WebSocket
from ajaxterm.grants import Grant
from ajaxterm.session import Session
from ajaxterm.viewer import End, Event, Seat, Unwelcome


class ViewerPlain:
    """
    @cvar CHUNK: bytes of output in one message at the most.
    @cvar HOLD: seconds that the beginning of a character is held back.
    @cvar READS_ON: seconds that who fell behind has to read on, and then why it ends.
    """

    CHUNK = 1 << 17
    HOLD = 0.05
    READS_ON = 60.0

    resumes = False
    through = ""
    reachable = True

    _socket: WebSocket
    _seat: Seat | None = None

    def __init__(self, clock: IReactorTime, session: Session, grant: Grant, replay: int) -> None:
        """
        @param replay: bytes of scrollback to begin with.
        """
        self._clock = clock
        self._session = session
        self._grant = grant
        self._replay = replay
        self._begun = b""
        self._flush: IDelayedCall | None = None

    # The socket's side.

    def opened(self, socket: WebSocket) -> None:
        self._socket = socket
        scrollback = self._session.scrollback
        offset = max(scrollback.start, scrollback.end - self._replay)
        try:
            self._seat, _ = self._session.attach(self, self._grant, None, offset)
        except Unwelcome as unwelcome:
            self.ended(unwelcome.end)
            return
        self._session.greeted(self._seat)

    def received(self, message: bytes | str) -> None:
        if self._seat is not None:
            keys = message if isinstance(message, bytes) else message.encode("utf-8")
            self._session.typed(self._seat, keys)

    def writable(self) -> None:
        while self._seat is not None:
            taken = self._session.take(self._seat, self.CHUNK)
            if taken.missed:
                reason = f"{taken.missed} bytes of output are gone: too slow"
                self._socket.close(4008, reason, self.READS_ON)
            if taken.missed or not taken.output or not self._send(self._begun + taken.output):
                return

    def lost(self) -> None:
        self._stop_flush()
        seat, self._seat = self._seat, None
        if seat is not None:
            self._session.left(seat, self)

    # The session's side.

    def output_ready(self) -> None:
        self.writable()

    def event(self, event: Event) -> None:
        pass

    def hold_input(self, held: bool) -> None:
        self._socket.hold_input(held)

    def counted(self, dropped: int) -> None:
        pass

    def ended(self, end: End) -> None:
        if self._begun:
            self._send_begun()
        self._socket.close(end.code, end.reason)

    # Within.

    def _send(self, output: bytes) -> bool:
        """
        @return: whether there is room for more.
        """
        held = unfinished(output)
        whole, self._begun = output[: len(output) - held], output[len(output) - held :]
        if whole:
            self._stop_flush()
        if held and self._flush is None:
            self._flush = self._clock.callLater(self.HOLD, self._send_begun)
        # Where nothing goes out, nobody will call writable(): look for more.
        return not whole or self._socket.send(whole)

    def _send_begun(self) -> None:
        self._stop_flush()
        begun, self._begun = self._begun, b""
        self._socket.send(begun)

    def _stop_flush(self) -> None:
        if self._flush is not None and self._flush.active():
            self._flush.cancel()
        self._flush = None
