"""
A plain request through the proxy: streamed, with each side waiting for the
other, and with only those headers that both are known to need.

(C{ReverseProxyResource} of C{twisted.web} has no flow control, logs a traceback
for each client that leaves early, and answers 501 for a backend that is gone.  With
C{twisted.web.client.Agent} a request took five times as long; measured.)
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.error import ConnectError
from twisted.internet.interfaces import IPushProducer
from twisted.web.http import NO_BODY_CODES, RESPONSES
from twisted.web.server import Request
from zope.interface import implementer

from consoleproxy.answers import AnswerReader, Headers, NotHttp
from consoleproxy.grants import Grant
from consoleproxy.upstream import Upstream, UpstreamPool
from groundwork.manners import STRICT_HEADERS
from groundwork.promptly import write_promptly

ASKED = (
    b"Accept",
    b"Accept-Encoding",
    b"Accept-Language",
    b"Content-Type",
    b"If-Modified-Since",
    b"If-None-Match",
    b"Range",
    b"X-Ajaxterm-At",
    b"X-Ajaxterm-Resume",
)
"""Request headers that are passed on.  Cookies and credentials stay here."""

ANSWERED = (
    b"Accept-Ranges",
    b"Cache-Control",
    b"Content-Disposition",
    b"Content-Encoding",
    b"Content-Range",
    b"Content-Security-Policy",
    b"Content-Type",
    b"Cross-Origin-Opener-Policy",
    b"Cross-Origin-Resource-Policy",
    b"ETag",
    b"Last-Modified",
    b"Referrer-Policy",
    b"Vary",
    b"X-Ajaxterm-Offset",
    b"X-Content-Type-Options",
    b"X-Frame-Options",
)
"""Answer headers that are passed on."""

_ONE_LINE = re.compile(rb"[^\x00\r\n]*")
_ASKED = frozenset(name.lower() for name in ASKED)
_ANSWERED = {name.lower(): name for name in ANSWERED}
_STRICT = {name.encode(): [value.encode()] for name, value in STRICT_HEADERS.items()}


class BackendGone(Exception):
    """Nobody listens there."""


class BackendSilent(Exception):
    """It took too long to answer."""


class BackendBroken(Exception):
    """What it answered is not HTTP, or it hung up."""


class BackendRefuses(Exception):
    """It has no page for this grant, which is over there."""


class Relay:
    """
    @cvar CONNECT: seconds for a connection to a backend.
    @cvar ANSWER: seconds until its answer begins; a poll is held for 25.
    """

    CONNECT = 5.0
    ANSWER = 40.0

    def __init__(self, reactor: Any, adapt: Callable[[Headers], None] = lambda _: None) -> None:
        """
        @param adapt: changes the headers of an answer, named as here, before the browser gets
            them.
        """
        self._adapt = adapt
        self._pool = UpstreamPool(reactor, self.CONNECT)

    def close(self) -> Deferred[None]:
        """Close the connections that are kept."""
        return self._pool.close()

    async def carry(self, request: Request, grant: Grant, target: bytes) -> None:
        """
        Let the grant's ajaxterm answer C{request}.

        @param target: path and query there.
        @raise BackendGone: and the others above, if nothing was answered yet.
        """
        asked = _asked(request, grant, target)
        # A connection that was kept may have been closed just now, which says nothing of the
        # backend; but what may have done something already is not said again.
        upstream = self._pool.take(grant.host, grant.port)
        if upstream is not None:
            answering = self._answering(request, upstream, target)
            try:
                await answering.run(asked, self.ANSWER)
                return
            except BackendBroken:
                if answering.begun or request.method not in (b"GET", b"HEAD"):
                    raise
        try:
            upstream = await self._pool.connect(grant.host, grant.port)
        except ConnectError as error:
            raise BackendGone() from error
        await self._answering(request, upstream, target).run(asked, self.ANSWER)

    def _answering(self, request: Request, upstream: Upstream, target: bytes) -> _Answering:
        is_page = target.partition(b"?")[0] == b"/"
        return _Answering(request, upstream, self._adapt, is_page)


def _asked(request: Request, grant: Grant, target: bytes) -> bytes:
    lines = [
        b"%s %s HTTP/1.1" % (request.method, target),
        f"Host: {grant.authority}".encode("ascii"),
        f"Authorization: Bearer {grant.secret}".encode("ascii"),
    ]
    for name, values in request.requestHeaders.getAllRawHeaders():
        if name.lower() in _ASKED:
            lines += [name + b": " + value for value in values if _ONE_LINE.fullmatch(value)]
    body = b""
    if request.method == b"POST":
        content: Any = request.content
        body = content.read()
        lines.append(b"Content-Length: %d" % len(body))
    return b"\r\n".join(lines) + b"\r\n\r\n" + body


@implementer(IPushProducer)
class _Answering:
    """
    One answer on its way to the browser.  The request is told of it as its
    producer, so a browser that does not read stops the backend.

    @cvar STUCK: seconds that a browser has to read what waits for it, which is some 128 KiB;
        afterwards its place is somebody else's.
    """

    STUCK = 300.0

    def __init__(
        self,
        request: Request,
        upstream: Upstream,
        adapt: Callable[[Headers], None],
        is_page: bool,
    ) -> None:
        """
        @param is_page: whether a person reads the answer, and no script; of a refusal
            the person gets a sentence from us.
        """
        self._request = request
        self._is_page = is_page
        self._adapt = adapt
        self._upstream = upstream
        self._reader = AnswerReader(self, request.method == b"HEAD")
        self._ended: Deferred[None] = Deferred(self._left)
        self._answered = False
        self._head = b""
        self._produces = False

    @property
    def begun(self) -> bool:
        """Whether anything of the answer has come."""
        return self._reader.begun

    async def run(self, asked: bytes, patience: float) -> None:
        """
        @raise BackendBroken: or L{BackendSilent}, if nothing was answered yet.
        @raise BackendRefuses: there is no page; nothing was answered.
        """
        self._upstream.wait(patience, self._too_late)
        self._upstream.ask(asked, self._heard, self._hung_up)
        await self._ended

    def _heard(self, words: bytes) -> None:
        try:
            self._reader.feed(words)
        except NotHttp:
            self._fail(BackendBroken())
            return
        except BackendRefuses as refusal:
            self._fail(refusal)
            return
        if self._reader.over:
            self._finish()
            return
        self._say_head()
        if self._answered and not self._produces:
            self._produces = True
            self._request.registerProducer(self, True)

    def _hung_up(self) -> None:
        try:
            self._reader.hung_up()
        except NotHttp:
            self._fail(BackendBroken())
        else:
            self._finish()

    # What the reader tells.

    def heard_head(self, status: int, headers: Headers, length: int | None) -> None:
        if status == 403 and self._is_page:
            raise BackendRefuses()
        self._upstream.calm()
        self._answered = True
        # In one piece, with what comes first of the body; C{Request.write} would have each
        # header checked again that the reader has checked.
        request = self._request
        ours = dict(_STRICT)
        ours.update((n, list(v)) for n, v in request.responseHeaders.getAllRawHeaders())
        for lower, values in headers.items():
            name = _ANSWERED.get(lower)
            if name is not None:
                ours[name] = values
        self._adapt(ours)
        if request.method != b"HEAD" and status not in NO_BODY_CODES:
            if length is not None:
                ours[b"Content-Length"] = [b"%d" % length]
            elif request.clientproto == b"HTTP/1.1":
                ours[b"Transfer-Encoding"] = [b"chunked"]
                request.chunked = 1
        lines = [b"%s %d %s" % (request.clientproto, status, RESPONSES.get(status, b""))]
        lines += [name + b": " + value for name, values in ours.items() for value in values]
        self._head = b"\r\n".join(lines) + b"\r\n\r\n"
        request.startedWriting = 1

    def heard_body(self, piece: bytes) -> None:
        if self._request.chunked:
            self._say_head()
            self._request.write(piece)
        elif self._head:
            self._say_head(piece)
        else:
            self._request.write(piece)

    def heard_end(self) -> None:
        pass

    def _say_head(self, piece: bytes = b"") -> None:
        channel: Any = self._request.channel
        words, self._head = self._head + piece, b""
        if words and channel is not None:
            write_promptly(channel.transport, words)

    def _finish(self) -> None:
        self._upstream.calm()
        self._say_head()
        if self._produces:
            self._request.unregisterProducer()
        self._upstream.done(self._reader.persists)
        self._request.finish()
        self._ended.callback(None)

    def _fail(self, why: Exception) -> None:
        self._reader.close()
        self._upstream.calm()
        self._upstream.drop()
        if not self._answered:
            self._ended.errback(why)
            return
        # Cut, not ended: the browser must see that something is missing.
        if self._produces:
            self._request.unregisterProducer()
        channel: Any = self._request.channel
        channel.transport.abortConnection()
        self._ended.callback(None)

    def _left(self, _: Deferred[None]) -> None:
        self._reader.close()
        self._upstream.drop()

    def _too_late(self) -> None:
        self._fail(BackendSilent())

    # What the request asks of its producer.

    def pauseProducing(self) -> None:
        self._upstream.calm()
        self._upstream.wait(self.STUCK, self._too_late)
        self._upstream.pause()

    def resumeProducing(self) -> None:
        self._upstream.calm()
        self._upstream.resume()

    def stopProducing(self) -> None:
        self._upstream.calm()
        self._upstream.drop()
