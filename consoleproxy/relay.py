"""
A plain request through the proxy: streamed, with each side waiting for the
other, and with only those headers that both are known to need.

(C{ReverseProxyResource} of C{twisted.web} has no flow control, logs a traceback
for each client that leaves early, and answers 501 for a backend that is gone.)
"""

from __future__ import annotations

from io import BytesIO
from typing import Any

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.error import ConnectError
from twisted.internet.interfaces import IPushProducer
from twisted.internet.protocol import Protocol, connectionDone
from twisted.internet.task import Cooperator
from twisted.python.failure import Failure
from twisted.web.client import Agent, FileBodyProducer, HTTPConnectionPool, ResponseDone
from twisted.web.http import NO_BODY_CODES
from twisted.web.http_headers import Headers
from twisted.web.iweb import IResponse
from twisted.web.server import Request
from zope.interface import implementer

from consoleproxy.grants import Grant

ASKED = (
    "Accept",
    "Accept-Encoding",
    "Accept-Language",
    "Content-Type",
    "If-Modified-Since",
    "If-None-Match",
    "Range",
    "X-Ajaxterm-At",
    "X-Ajaxterm-Resume",
)
"""Request headers that are passed on.  Cookies and credentials stay here."""

ANSWERED = (
    "Accept-Ranges",
    "Cache-Control",
    "Content-Disposition",
    "Content-Encoding",
    "Content-Range",
    "Content-Security-Policy",
    "Content-Type",
    "Cross-Origin-Opener-Policy",
    "Cross-Origin-Resource-Policy",
    "ETag",
    "Last-Modified",
    "Referrer-Policy",
    "Vary",
    "X-Ajaxterm-Offset",
    "X-Content-Type-Options",
    "X-Frame-Options",
)
"""Answer headers that are passed on."""


class BackendGone(Exception):
    """Nobody listens there."""


class BackendSilent(Exception):
    """It took too long to answer."""


class BackendBroken(Exception):
    """What it answered is not HTTP, or it hung up."""


class Relay:
    """
    @cvar CONNECT: seconds for a connection to a backend.
    @cvar ANSWER: seconds until its answer begins; a poll is held for 25.
    """

    CONNECT = 5.0
    ANSWER = 40.0

    def __init__(self, reactor: Any) -> None:
        self._reactor = reactor
        self._pool = HTTPConnectionPool(reactor)
        self._pool.maxPersistentPerHost = 4
        self._pool.cachedConnectionTimeout = 30
        self._pool._factory.noisy = False
        self._agent = Agent(reactor, connectTimeout=self.CONNECT, pool=self._pool)

    def close(self) -> Deferred[None]:
        """Close the connections that are kept."""
        closing: Deferred[None] = self._pool.closeCachedConnections()
        return closing

    async def carry(self, request: Request, grant: Grant, target: bytes) -> None:
        """
        Let the grant's ajaxterm answer C{request}.

        @param target: path and query there.
        @raise BackendGone: and the others above, if nothing was answered yet.
        """
        headers = Headers({"Authorization": [f"Bearer {grant.secret}"]})
        _pass(request.requestHeaders, headers, ASKED)
        host = f"[{grant.host}]" if ":" in grant.host else grant.host
        body = None
        if request.method == b"POST":
            # Of our own: the request's is closed with an answer that comes early.
            content: Any = request.content
            body = FileBodyProducer(BytesIO(content.read()), cooperator=self._reactor_cooperator())
        asking = self._agent.request(
            request.method,
            f"http://{host}:{grant.port}".encode("ascii") + target,
            headers,
            body,
        )
        # The agent wraps what a cancelled request ends with, so it is named here.
        asking.addTimeout(
            self.ANSWER, self._reactor, onTimeoutCancel=lambda *_: Failure(BackendSilent())
        )
        try:
            response: IResponse = await asking
        except (CancelledError, BackendSilent):
            raise
        except ConnectError as error:
            raise BackendGone() from error
        except Exception as error:
            raise BackendBroken() from error
        request.setResponseCode(response.code)
        _pass(response.headers, request.responseHeaders, ANSWERED)
        if request.method == b"HEAD" or response.code in NO_BODY_CODES:
            # What the agent calls the length then is that of no body: 0.
            request.finish()
            return
        if isinstance(response.length, int):
            request.setHeader("Content-Length", str(response.length))
        body_end: Deferred[None] = Deferred()
        response.deliverBody(_Body(request, body_end))
        await body_end

    def _reactor_cooperator(self) -> Any:
        return Cooperator(scheduler=lambda run: self._reactor.callLater(0, run))


def _pass(source: Headers, target: Headers, names: tuple[str, ...]) -> None:
    for name in (name.encode("ascii") for name in names):
        values = source.getRawHeaders(name)
        if values is not None:
            target.setRawHeaders(name, values)


@implementer(IPushProducer)
class _Body(Protocol):
    """
    The backend's answer on its way to the browser.  The request is told of it
    as its producer, so a browser that does not read stops the backend.
    """

    transport: Any

    def __init__(self, request: Request, ended: Deferred[None]) -> None:
        self._request = request
        self._ended = ended
        self._gone = False

    def connectionMade(self) -> None:
        self._request.notifyFinish().addErrback(self._browser_left)
        self._request.registerProducer(self, True)

    def dataReceived(self, data: bytes) -> None:
        if not self._gone:
            self._request.write(data)

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        if self._ended.called:
            return
        if self._gone:
            self._ended.callback(None)
            return
        self._request.unregisterProducer()
        if reason.check(ResponseDone):
            self._request.finish()
        else:
            # Cut, not ended: the browser must see that something is missing.
            channel: Any = self._request.channel
            channel.transport.abortConnection()
        self._ended.callback(None)

    def _browser_left(self, _: Failure) -> None:
        self._gone = True
        self.transport.stopProducing()

    def pauseProducing(self) -> None:
        self.transport.pauseProducing()

    def resumeProducing(self) -> None:
        self.transport.resumeProducing()

    def stopProducing(self) -> None:
        self.transport.stopProducing()
