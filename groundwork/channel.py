"""
HTTP connections on which a request has a limited time to arrive, and answers a limited room to
wait in.

C{twisted.web} ends a connection that is silent for a while, and counts each byte as a sign of
life: a client that sends one now and then would hold its connection for days.  And it stops
reading from a client that does not read only between two requests: one that sends them without
a pause would be answered, into memory, for as long as it likes.
"""

from __future__ import annotations

from typing import Any

from twisted.internet.interfaces import IDelayedCall
from twisted.internet.protocol import connectionDone
from twisted.python.failure import Failure
from twisted.web.http import HTTPChannel

from groundwork.promptly import queued


class BoundedChannel(HTTPChannel):
    """
    @cvar HEAD: seconds from a request's first byte to the end of its head; of one that came behind
        another, from what comes of it next.
    @cvar BODY: seconds from there to the end of its body.
    @cvar IN_A_TURN: requests of one client that are answered at once, one behind another, before
        others have a turn; 16 take 1 ms (measured).
    @cvar LAST: seconds that a connection which is being ended has to take L{LEAST} bytes of what
        waits for it, or all that is left; and, once all has left, to say goodbye, as TLS wants
        it.  As long as a connection may be silent: what the kernel has taken meanwhile, we see
        leave in pieces of some 100 KiB.
    """

    HEAD = 20.0
    BODY = 60.0
    IN_A_TURN = 16
    LAST = 60.0
    LEAST = 16384

    _limit: IDelayedCall | None = None
    _allowed = HEAD
    _answering = False
    _arrived = False
    _ended = False
    _left = 0
    _behind = 0
    _at_once = 0
    _resting: IDelayedCall | None = None
    _host: Any = None

    def dataReceived(self, data: bytes) -> None:
        if self._ended:
            return
        self._arrived = False
        super().dataReceived(data)
        # Most are here at once, so nothing has to be begun and called off.
        if self._limit is None and not (self._answering or self._arrived or self.paused):
            self._limit = self.callLater(self._allowed, self._too_slow)

    def headerReceived(self, line: bytes) -> bool:
        try:
            return bool(super().headerReceived(line))
        except ValueError:
            # A length of more digits than Python reads, which are 4,300.
            self._respondToBadRequestAndDisconnect()
            return False

    def _respondToBadRequestAndDisconnect(self) -> None:
        if not self._ended:
            super()._respondToBadRequestAndDisconnect()

    def lineLengthExceeded(self, line: bytes) -> None:
        self.loseConnection()

    def allHeadersReceived(self) -> None:
        self._allowed = self.BODY
        if self._limit is not None:
            self._limit.reset(self.BODY)
        super().allHeadersReceived()

    def allContentReceived(self) -> None:
        self._answering = self._arrived = True
        self._allowed = self.HEAD
        self._forget()
        super().allContentReceived()

    def rawDataReceived(self, data: bytes) -> None:
        if not self._handlingRequest:
            super().rawDataReceived(data)
            return
        # As twisted.web has it, but also while the answer itself has to wait; and without
        # counting all of it again for each piece.
        self._dataBuffer.append(data)
        self._behind += len(data)
        if self._behind > self._optimisticEagerReadSize:
            self._networkProducer.pauseProducing()

    def requestDone(self, request: Any) -> None:
        self._answering = False
        self._behind = 0
        if self._waitingForTransport and self.persistent:
            # Who does not read its answers gets no more of them made.
            self.paused = True
        elif self._busyReceiving:
            self._answered_at_once()
        super().requestDone(request)
        if self.paused:
            self._networkProducer.pauseProducing()

    def resumeProducing(self) -> None:
        super().resumeProducing()
        self._go_on()

    def loseConnection(self) -> None:
        # Under TLS the client's goodbye is waited for.
        self._networkProducer.resumeProducing()
        super().loseConnection()
        if not self._ended:
            self._ended = self._arrived = True
            self._forget()
            self.setTimeout(None)
            if self._abortingCall is None:
                self._wait_for_the_end()

    def getHost(self) -> Any:
        # Asked for each request, and each time of the kernel.
        if self._host is None:
            self._host = super().getHost()
        return self._host

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        self._arrived = True  # if it is lost while it is read, there is nothing to begin
        self._forget()
        if self._resting is not None:
            self._resting.cancel()
            self._resting = None
        super().connectionLost(reason)

    def _answered_at_once(self) -> None:
        self._at_once += 1
        more = self._buffer or any(self._dataBuffer)
        if more and self.persistent and self._at_once % self.IN_A_TURN == 0:
            self.paused = True
            if self._resting is None:
                self._resting = self.callLater(0, self._rested)

    def _rested(self) -> None:
        self._resting = None
        if self.paused and not self._waitingForTransport:
            self._networkProducer.resumeProducing()
            self._go_on()

    def _go_on(self) -> None:
        if self.paused:
            self.paused = False
            if self._buffer:
                self.dataReceived(b"")

    def _wait_for_the_end(self) -> None:
        self._left = queued(self.transport)
        self._abortingCall = self.callLater(self.LAST, self._look_again)

    def _look_again(self) -> None:
        self._abortingCall = None
        if self._left - queued(self.transport) >= min(self._left, self.LEAST) > 0:
            self._wait_for_the_end()
        else:
            transport: Any = self.transport
            transport.abortConnection()

    def _forget(self) -> None:
        limit, self._limit = self._limit, None
        if limit is not None and limit.active():
            limit.cancel()

    def _too_slow(self) -> None:
        self._limit = None
        transport: Any = self.transport
        transport.abortConnection()
