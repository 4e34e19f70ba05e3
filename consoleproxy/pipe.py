"""
A WebSocket through the proxy: once its head is checked, two connections whose
bytes go from one to the other, unread.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.internet.protocol import Protocol, connectionDone
from twisted.python.failure import Failure

from groundwork.promptly import write_promptly

LONGEST_HEAD = 16384
"""Bytes of a backend's answer until its empty line."""

_STATUS = re.compile(rb"HTTP/1\.1 ([0-9]{3})[ \r]")


SWITCHED = (b"upgrade", b"connection", b"sec-websocket-accept", b"sec-websocket-protocol")
"""Headers of a backend's answer that the browser gets."""


class BadAnswer(Exception):
    """The backend did not answer as an ajaxterm does."""


class NotSwitched(Exception):
    """
    The backend refused the WebSocket.

    @ivar status: its HTTP status.
    """

    def __init__(self, status: int) -> None:
        super().__init__(status)
        self.status = status


class _Side(Protocol):
    """
    One end of a pipe.  Each transport is the other's producer: when one can't
    write, the other is not read.
    """

    transport: Any
    other: Any = None

    def dataReceived(self, data: bytes) -> None:
        if self.other is not None:
            write_promptly(self.other.transport, data)


class BackendSide(_Side):
    """
    The connection to an ajaxterm.  First it asks for the upgrade and waits for
    the answer's head; then it is one side of a pipe.

    @ivar switched: fires with a head for the browser, and what came behind it,
        when the backend has switched protocols; with L{NotSwitched} or L{BadAnswer} when not.
    """

    def __init__(self, head: bytes) -> None:
        self._asked = head
        self._answer = b""
        self._pipe: Pipe | None = None
        self.switched: Deferred[bytes] = Deferred()

    def connectionMade(self) -> None:
        self.transport.setTcpNoDelay(True)
        self.transport.write(self._asked)

    def joined(self, pipe: Pipe) -> None:
        """From now on our end is the pipe's."""
        self._pipe = pipe

    def dataReceived(self, data: bytes) -> None:
        if self.other is not None:
            write_promptly(self.other.transport, data)
            return
        self._answer += data
        end = self._answer.find(b"\r\n\r\n")
        if self.switched.called or (end < 0 and len(self._answer) <= LONGEST_HEAD):
            return
        status = _STATUS.match(self._answer)
        if end < 0 or end > LONGEST_HEAD or status is None:
            self._fail(BadAnswer("its head is too long or is none"))
        elif status[1] != b"101":
            self._fail(NotSwitched(int(status[1])))
        else:
            # Nothing more is read until the other side is there.
            self.transport.pauseProducing()
            answer, self._answer = self._answer, b""
            self.switched.callback(_for_browsers(answer[:end]) + answer[end + 4 :])

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        if self._pipe is not None:
            self._pipe.lost(self)
        elif not self.switched.called:
            self.switched.errback(BadAnswer("it hung up"))

    def _fail(self, why: Exception) -> None:
        self.switched.errback(why)
        self.transport.abortConnection()


class BrowserSide(_Side):
    """
    The browser's connection, after it was taken over from the web server.
    """

    def __init__(self, pipe: Pipe) -> None:
        self._pipe = pipe

    def connectionMade(self) -> None:
        self._pipe.begin(self)

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        self._pipe.lost(self)


class Pipe:
    """
    @cvar LINGER: seconds that the remaining side has to take what was sent to
        it, after the other is gone.
    """

    LINGER = 10.0

    def __init__(
        self,
        clock: IReactorTime,
        backend: BackendSide,
        answer: bytes,
        ended: Callable[[Pipe], None],
    ) -> None:
        """
        @param answer: what goes to the browser first.
        @param ended: called once, when both sides are gone.
        """
        self._clock = clock
        self._backend = backend
        self._browser: BrowserSide | None = None
        self._answer = answer
        self._ended = ended
        self._open = 2
        self._cutting: IDelayedCall | None = None
        backend.joined(self)

    def begin(self, browser: BrowserSide) -> None:
        """The browser's side is there."""
        self._browser = browser
        if self._open < 2:
            browser.transport.loseConnection()
            return
        try:
            browser.transport.setTcpNoDelay(True)
        except AttributeError:
            pass  # a unix socket has no such thing
        browser.other, self._backend.other = self._backend, browser
        browser.transport.write(self._answer)
        browser.transport.registerProducer(self._backend.transport, True)
        self._backend.transport.registerProducer(browser.transport, True)
        self._backend.transport.resumeProducing()

    def lost(self, side: _Side) -> None:
        """One side is gone: the other may take what is under way, and follows."""
        self._open -= 1
        other = self._browser if side is self._backend else self._backend
        if self._open == 0 or other is None:
            if self._cutting is not None and self._cutting.active():
                self._cutting.cancel()
            if self._open == 0:
                self._ended(self)
            return
        if side.other is not None:
            other.transport.unregisterProducer()
            other.other = None
        other.transport.loseConnection()
        self._cut_after(self.LINGER)

    def cut(self, delay: float) -> None:
        """End it after C{delay} seconds, if it has not ended by then."""
        self._cut_after(delay)

    def _cut_after(self, delay: float) -> None:
        if self._open and (self._cutting is None or not self._cutting.active()):
            self._cutting = self._clock.callLater(delay, self._abort)

    def _abort(self) -> None:
        for side in (self._backend, self._browser):
            if side is not None and side.transport is not None:
                side.transport.abortConnection()


def _for_browsers(head: bytes) -> bytes:
    lines = [b"HTTP/1.1 101 Switching Protocols"]
    for line in head.split(b"\r\n")[1:]:
        if line.partition(b":")[0].lower() in SWITCHED:
            lines.append(line)
    return b"\r\n".join(lines) + b"\r\n\r\n"
