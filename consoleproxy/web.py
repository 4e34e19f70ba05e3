"""
What the proxy does with each request.

  GET /?token=T                       exchange: 303 to console/GRANT/, with a cookie
  GET /?token=T, Upgrade: websocket   attach (what clients of nova-serialproxy do)
  ... /console/GRANT/PATH             carried to the grant's ajaxterm, by cookie
  GET /console/GRANT/ws, Upgrade      a WebSocket to it, by cookie

Paths are compared as they came, undecoded; what is odd about them is refused
rather than understood.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from twisted.internet.defer import CancelledError, TimeoutError
from twisted.internet.endpoints import TCP4ClientEndpoint, TCP6ClientEndpoint, connectProtocol
from twisted.internet.error import ConnectError
from twisted.logger import Logger
from twisted.python.failure import Failure
from twisted.web.resource import Resource
from twisted.web.server import Request

from consoleproxy.carrier import Carrier
from consoleproxy.cookies import Cookies
from consoleproxy.grants import Grant, Grants
from consoleproxy.pages import say
from consoleproxy.pipe import BackendSide, BadAnswer, BrowserSide, NotSwitched, Pipe
from consoleproxy.relay import BackendBroken, BackendGone, BackendSilent, Relay
from groundwork.answering import answer
from groundwork.manners import HostRule, OriginRule, be_strict
from groundwork.takeover import take_over

# Parts and slashes take turns, so that no path can be read in many ways.
_PART = rb"[A-Za-z0-9_~-][A-Za-z0-9._~-]*"
_BELOW = re.compile(rb"/console/(g[0-9a-f]{16})(/(?:%s(?:/%s)*/?)?)?" % (_PART, _PART))
_QUERY = re.compile(rb"[A-Za-z0-9._~&=%+-]{0,2000}")
_SAFE_VALUE = re.compile(rb"[\x20-\x7e]{1,1000}")

HANDSHAKE = (b"Sec-WebSocket-Key", b"Sec-WebSocket-Version", b"Sec-WebSocket-Protocol")
"""What of a browser's handshake is passed on.  Extensions are not offered."""


class ProxyResource(Resource):
    """
    All paths of the proxy.

    @cvar MOST_PIPES: WebSockets at a time.
    @cvar MOST_PER_GRANT: of them, under one grant.
    @cvar CONNECT: seconds for a connection to a backend.
    @cvar SWITCH: seconds for its answer.
    @cvar CUT_AFTER: seconds that an ajaxterm has to say goodbye to the viewers
        of a revoked grant.
    """

    isLeaf = True
    MOST_PIPES = 10_000
    MOST_PER_GRANT = 64
    CONNECT = 5.0
    SWITCH = 10.0
    CUT_AFTER = 0.5

    _log = Logger()

    def __init__(
        self,
        reactor: Any,
        grants: Grants,
        cookies: Cookies,
        relay: Relay,
        hosts: HostRule,
        origins: OriginRule,
        is_told: Callable[[], bool] = lambda: True,
        carrier: Carrier | None = None,
    ) -> None:
        """
        @param is_told: whether what is new reaches us now, so that an unknown
            grant is known to be none.
        @param carrier: what carries WebSockets that are not under TLS, if not the reactor.
        """
        super().__init__()
        self._reactor = reactor
        self._grants = grants
        self._cookies = cookies
        self._relay = relay
        self._hosts = hosts
        self._origins = origins
        self._is_told = is_told
        self._carrier = carrier
        self._pipes: dict[str, set[Pipe]] = {}
        # Of pipes, those included that are just being joined; and by grant.
        self._count = 0
        self._counts: dict[str, int] = {}
        grants.on_revoked(self._revoked)

    def render(self, request: Request) -> int:
        return answer(request, self._answer(request), self._failed)

    def cut_all(self) -> None:
        """End every WebSocket, as the proxy does when it is stopped."""
        for pipes in list(self._pipes.values()):
            for pipe in list(pipes):
                pipe.cut(0.0)
        if self._carrier is not None:
            self._carrier.close()

    async def _answer(self, request: Request) -> None:
        be_strict(request)
        if not self._hosts.is_ours(request.requestHeaders):
            say(request, "stranger")
            return
        path, _, query = request.uri.partition(b"?")
        upgrade = _wants_socket(request)
        if path == b"/":
            await self._at_the_door(request, upgrade)
            return
        match = _BELOW.fullmatch(path)
        if match is None or not _QUERY.fullmatch(query):
            say(request, "nothing")
            return
        name = match[1].decode("ascii")
        secure = request.isSecure()
        if not self._cookies.names_grant(request.requestHeaders, name, secure):
            say(request, "unknown")
            return
        grant = await self._grants.by_name(name)
        if grant is None:
            self._say_unknown(request)
        elif match[2] is None:
            self._redirect(request, f"{name}/")
        elif upgrade:
            await self._attach(request, grant, match[2] + (b"?" + query if query else b""))
        elif request.method in (b"GET", b"HEAD") or self._may_post(request):
            target = match[2] + (b"?" + query if query else b"")
            self._grants.attached(name)
            try:
                await self._relay.carry(request, grant, target)
            finally:
                self._grants.left(name)
        elif request.method == b"POST":
            say(request, "stranger")
        else:
            say(request, "method")

    def _may_post(self, request: Request) -> bool:
        return request.method == b"POST" and self._origins.is_welcome(request.requestHeaders)

    async def _at_the_door(self, request: Request, upgrade: bool) -> None:
        tokens = (request.args or {}).get(b"token", [])
        if request.method not in (b"GET", b"HEAD"):
            say(request, "method")
            return
        if not tokens:
            say(request, "nothing")
            return
        grant = None
        if len(tokens) == 1:
            grant = await self._grants.by_token(tokens[0].decode("latin-1"))
        if grant is None:
            self._log.info("A token that opens nothing was shown")
            self._say_unknown(request)
        elif upgrade:
            replay = (request.args or {}).get(b"replay", [b""])[0]
            query = b"?replay=" + replay if re.fullmatch(rb"[0-9]{1,9}", replay) else b""
            await self._attach(request, grant, b"/ws" + query)
        else:
            request.setHeader("Set-Cookie", self._cookies.make(grant.name, request.isSecure()))
            self._redirect(request, f"console/{grant.name}/")

    def _say_unknown(self, request: Request) -> None:
        say(request, "unknown" if self._is_told() else "away")

    def _redirect(self, request: Request, target: str) -> None:
        """@param target: relative, made of nothing that the client sent."""
        request.setResponseCode(303)
        request.setHeader("Location", target)
        request.setHeader("Content-Length", "0")
        request.finish()

    async def _attach(self, request: Request, grant: Grant, target: bytes) -> None:
        if request.method != b"GET":
            say(request, "method")
            return
        if not self._origins.is_welcome(request.requestHeaders):
            self._log.info("A WebSocket from a foreign page was refused")
            say(request, "stranger")
            return
        count = self._counts.get(grant.name, 0)
        if self._count >= self.MOST_PIPES or count >= self.MOST_PER_GRANT:
            say(request, "full")
            return
        self._count += 1
        self._counts[grant.name] = count + 1
        self._grants.attached(grant.name)
        begun = False
        try:
            begun = await self._switch(request, grant, target)
        finally:
            if not begun:
                self._let_go(grant.name)

    async def _switch(self, request: Request, grant: Grant, target: bytes) -> bool:
        backend = BackendSide(_upgrade_head(request, grant, target))
        kind = TCP6ClientEndpoint if ":" in grant.host else TCP4ClientEndpoint
        endpoint = kind(self._reactor, grant.host, grant.port, timeout=self.CONNECT)
        try:
            await connectProtocol(endpoint, backend)
        except ConnectError as error:
            raise BackendGone() from error
        backend.switched.addTimeout(self.SWITCH, self._reactor)
        try:
            head = await backend.switched
        except TimeoutError as error:
            backend.transport.abortConnection()
            raise BackendSilent() from error
        except BadAnswer as error:
            raise BackendBroken() from error
        except NotSwitched as refused:
            say(request, {400: "handshake", 403: "unknown"}.get(refused.status, "broken"))
            return False
        except CancelledError:
            backend.transport.abortConnection()
            raise
        if self._grants.find(grant.name) is None:
            # It was revoked while we were connecting.
            backend.transport.abortConnection()
            say(request, "unknown")
            return False

        def ended(pipe: Pipe) -> None:
            self._pipes[grant.name].discard(pipe)
            if not self._pipes[grant.name]:
                del self._pipes[grant.name]
            self._let_go(grant.name)

        pipe = Pipe(self._reactor, backend, head, ended, self._carrier)
        self._pipes.setdefault(grant.name, set()).add(pipe)
        take_over(request, BrowserSide(pipe))
        return True

    def _let_go(self, name: str) -> None:
        self._count -= 1
        self._counts[name] -= 1
        if not self._counts[name]:
            del self._counts[name]
        self._grants.left(name)

    def _revoked(self, name: str) -> None:
        for pipe in list(self._pipes.get(name, ())):
            pipe.cut(self.CUT_AFTER)

    def _failed(self, failure: Failure, request: Request) -> None:
        if request.startedWriting:
            channel: Any = request.channel
            channel.transport.abortConnection()
        elif failure.check(BackendGone):
            say(request, "gone")
        elif failure.check(BackendSilent):
            say(request, "silent")
        elif failure.check(BackendBroken):
            say(request, "broken")
        else:
            self._log.failure("while answering a request", failure)
            say(request, "broken")


def _wants_socket(request: Request) -> bool:
    offers = b",".join(request.requestHeaders.getRawHeaders(b"Upgrade", []))
    return b"websocket" in (offer.strip().lower() for offer in offers.split(b","))


def _upgrade_head(request: Request, grant: Grant, target: bytes) -> bytes:
    host = f"[{grant.host}]" if ":" in grant.host else grant.host
    lines = [
        b"GET %s HTTP/1.1" % target,
        f"Host: {host}:{grant.port}".encode("ascii"),
        b"Upgrade: websocket",
        b"Connection: Upgrade",
        f"Authorization: Bearer {grant.secret}".encode("ascii"),
    ]
    for name in HANDSHAKE:
        for value in request.requestHeaders.getRawHeaders(name, []):
            if _SAFE_VALUE.fullmatch(value):
                lines.append(name + b": " + value)
    return b"\r\n".join(lines) + b"\r\n\r\n"
