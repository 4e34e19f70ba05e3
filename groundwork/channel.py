"""
HTTP connections on which a request has a limited time to arrive.

C{twisted.web} ends a connection that is silent for a while, and counts each byte as a sign of
life: a client that sends one now and then would hold its connection for days.
"""

from __future__ import annotations

from typing import Any

from twisted.internet.interfaces import IDelayedCall
from twisted.internet.protocol import connectionDone
from twisted.python.failure import Failure
from twisted.web.http import HTTPChannel


class BoundedChannel(HTTPChannel):
    """
    @cvar HEAD: seconds from a request's first byte to the end of its head; of one that came behind
        another, from what comes of it next.
    @cvar BODY: seconds from there to the end of its body.
    """

    HEAD = 20.0
    BODY = 60.0

    _limit: IDelayedCall | None = None
    _allowed = HEAD
    _answering = False
    _arrived = False
    _host: Any = None

    def dataReceived(self, data: bytes) -> None:
        self._arrived = False
        super().dataReceived(data)
        # Most are here at once, so nothing has to be begun and called off.
        if self._limit is None and not self._answering and not self._arrived:
            self._limit = self.callLater(self._allowed, self._too_slow)

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

    def requestDone(self, request: Any) -> None:
        self._answering = False
        super().requestDone(request)

    def getHost(self) -> Any:
        # Asked for each request, and each time of the kernel.
        if self._host is None:
            self._host = super().getHost()
        return self._host

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        self._arrived = True  # if it is lost while it is read, there is nothing to begin
        self._forget()
        super().connectionLost(reason)

    def _forget(self) -> None:
        limit, self._limit = self._limit, None
        if limit is not None and limit.active():
            limit.cancel()

    def _too_slow(self) -> None:
        self._limit = None
        transport: Any = self.transport
        transport.abortConnection()
