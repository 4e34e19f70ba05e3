"""
A WebSocket through the proxy: once its head is checked, two connections whose
bytes go from one to the other, unread.

Plain ones leave the reactor as soon as the answer's head is on its way, and are
carried by a thread (L{consoleproxy.carrier}).  What is under TLS stays, and what no thread
can be had for: each transport is then the other's producer.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.internet.protocol import Protocol, connectionDone
from twisted.python.failure import Failure

from consoleproxy.answers import HEADERS
from consoleproxy.carrier import Carrier, Pair
from consoleproxy.handover import can_be_taken, take, when_written
from groundwork.promptly import queued, write_promptly

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

    @ivar heard: bytes that it has received since it was joined to the other.
    """

    transport: Any
    other: Any = None
    heard = 0

    def dataReceived(self, data: bytes) -> None:
        if self.other is not None:
            self.heard += len(data)
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
            super().dataReceived(data)
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
        elif HEADERS.fullmatch(self._answer, self._answer.find(b"\r\n"), end) is None:
            # What ends a line for the browser alone would be a header that we have not seen.
            self._fail(BadAnswer("its headers are none"))
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
    @cvar LINGER: seconds that the remaining side has, after the other has ended, to take
        something of what was sent to it or to say something; and, in the beginning, for what
        it was answered before.
    """

    LINGER = 10.0

    def __init__(
        self,
        clock: IReactorTime,
        backend: BackendSide,
        answer: bytes,
        ended: Callable[[Pipe], None],
        carrier: Carrier | None = None,
    ) -> None:
        """
        @param answer: what goes to the browser first.
        @param ended: called once, when both sides are gone.
        @param carrier: what carries plain sockets; without one they stay with the reactor.
        """
        self._clock = clock
        self._backend = backend
        self._browser: BrowserSide | None = None
        self._answer = answer
        self._ended = ended
        self._carrier = carrier
        self._carried: Pair | None = None
        self._open = 2
        self._cutting: IDelayedCall | None = None
        self._stuck: IDelayedCall | None = None
        backend.joined(self)

    @property
    def moved(self) -> tuple[int, int]:
        """Bytes that went to the browser, and to the backend."""
        if self._carried is not None:
            return self._carried.to_browser.moved, self._carried.to_backend.moved
        return self._backend.heard, 0 if self._browser is None else self._browser.heard

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
        if (
            self._carrier is not None
            and can_be_taken(browser.transport)
            and can_be_taken(self._backend.transport)
        ):
            self._leave_the_reactor(browser)
            return
        browser.transport.write(self._answer)
        self._stay(browser)

    def _stay(self, browser: BrowserSide) -> None:
        browser.other, self._backend.other = self._backend, browser
        browser.transport.registerProducer(self._backend.transport, True)
        self._backend.transport.registerProducer(browser.transport, True)
        self._backend.transport.resumeProducing()

    def _leave_the_reactor(self, browser: BrowserSide) -> None:
        # From now on nothing is read here, so nothing that is can be forgotten.
        browser.transport.pauseProducing()
        if write_promptly(browser.transport, self._answer):
            self._clock.callLater(0, self._hand_over)
        else:
            self._stuck = self._clock.callLater(self.LINGER, self._abort)
            when_written(browser.transport, lambda: self._clock.callLater(0, self._hand_over))

    def _hand_over(self) -> None:
        if self._open < 2 or self._browser is None or self._carrier is None:
            return
        ends = self._browser.transport, self._backend.transport
        if not all(can_be_taken(transport) for transport in ends):
            return  # one is being lost just now
        if self._stuck is not None and self._stuck.active():
            self._stuck.cancel()
        if not self._carrier.ready():
            self._browser.transport.unregisterProducer()
            self._stay(self._browser)
            self._browser.transport.resumeProducing()
            return
        browser, backend = (take(transport) for transport in ends)
        self._carried = self._carrier.carry(browser, backend, self._carrier_told)

    def _carrier_told(self, over: bool) -> None:
        if over:
            self._open = 0
            self._stop_cutting()
            self._ended(self)
        else:
            self._open = 1
            self._linger(lambda: self.moved)

    def lost(self, side: _Side) -> None:
        """One side is gone: the other may take what is under way, and follows."""
        self._open -= 1
        other = self._browser if side is self._backend else self._backend
        if self._open == 0 or other is None:
            self._stop_cutting()
            if self._open == 0:
                self._ended(self)
            return
        if side.other is not None:
            other.transport.unregisterProducer()
            other.other = None
        other.transport.loseConnection()
        self._linger(lambda: queued(other.transport))

    def cut(self, delay: float) -> None:
        """End it after C{delay} seconds, if it has not ended by then."""
        self._cut_after(delay)

    def _linger(self, measure: Callable[[], object]) -> None:
        """@param measure: tells something else whenever the remaining side has moved."""
        before = measure()

        def look_again() -> None:
            if measure() == before:
                self._abort()
            else:
                self._linger(measure)

        self._cut_after(self.LINGER, look_again)

    def _cut_after(self, delay: float, how: Callable[[], None] | None = None) -> None:
        if not self._open:
            return
        if self._cutting is not None and self._cutting.active():
            if self._cutting.getTime() <= self._clock.seconds() + delay:
                return
            self._cutting.cancel()
        self._cutting = self._clock.callLater(delay, how or self._abort)

    def _stop_cutting(self) -> None:
        for alarm in (self._cutting, self._stuck):
            if alarm is not None and alarm.active():
                alarm.cancel()

    def _abort(self) -> None:
        if self._carrier is not None and self._carried is not None:
            self._carrier.cut(self._carried)
            return
        for side in (self._backend, self._browser):
            if side is not None and side.transport is not None:
                side.transport.abortConnection()


def _for_browsers(head: bytes) -> bytes:
    lines = [b"HTTP/1.1 101 Switching Protocols"]
    for line in head.split(b"\r\n")[1:]:
        if line.partition(b":")[0].lower() in SWITCHED:
            lines.append(line)
    return b"\r\n".join(lines) + b"\r\n\r\n"
