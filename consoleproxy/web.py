"""
What the proxy does with each request.

  GET /?token=T                       exchange: 303 to console/GRANT/, with a cookie
  GET /?token=T, Upgrade: websocket   attach (what clients of nova-serialproxy do)
  ... /console/GRANT                  303 to console/GRANT/, whatever it is
  ... /console/GRANT/PATH             carried to the grant's ajaxterm, by cookie
  GET /console/GRANT/ws, Upgrade      a WebSocket to it, by cookie

Paths are compared as they came, undecoded; what is odd about them is refused
rather than understood.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from secrets import token_hex
from typing import Any

from twisted.internet.defer import CancelledError, TimeoutError
from twisted.internet.error import ConnectError
from twisted.logger import Logger
from twisted.python.failure import Failure
from twisted.web.resource import Resource
from twisted.web.server import Request

from consoleproxy.carrier import Carrier
from consoleproxy.connections import Connection, Connections, Full
from consoleproxy.cookies import Cookies
from consoleproxy.grants import Grant, Grants
from consoleproxy.pages import say
from consoleproxy.patience import TooMany
from consoleproxy.pipe import BackendSide, BadAnswer, BrowserSide, NotSwitched, Pipe
from consoleproxy.relay import BackendBroken, BackendGone, BackendRefuses, BackendSilent, Relay
from consoleproxy.tally import Tally
from consoleproxy.upstream import dial
from groundwork.answering import answer
from groundwork.manners import HostRule, OriginRule, be_strict
from groundwork.outside import neighbourhood
from groundwork.takeover import take_over

# Parts and slashes take turns, so that no path can be read in many ways.
_PART = rb"[A-Za-z0-9_~-][A-Za-z0-9._~-]*"
_BELOW = re.compile(rb"/console/(g[0-9a-f]{16})(/(?:%s(?:/%s)*/?)?)?" % (_PART, _PART))
_QUERY = re.compile(rb"[A-Za-z0-9._~&=%+-]{0,2000}")
_SAFE_VALUE = re.compile(rb"[\x20-\x7e]{1,1000}")

HANDSHAKE = (b"Sec-WebSocket-Key", b"Sec-WebSocket-Version", b"Sec-WebSocket-Protocol")
"""What of a browser's handshake is passed on.  Extensions are not offered."""

_SAID = {
    BackendGone: "gone",
    BackendSilent: "silent",
    BackendBroken: "broken",
    BackendRefuses: "unknown",
    TooMany: "busy",
}
"""What a request is told that ends so."""


class ProxyResource(Resource):
    """
    All paths of the proxy.

    @cvar CONNECT: seconds for a connection to a backend.
    @cvar SWITCH: seconds for its answer.
    @ivar connections: who is connected.
    @ivar leaving: whether nobody is let in any more.
    @ivar name: of this proxy, for the ajaxterms.
    """

    isLeaf = True
    CONNECT = 5.0
    SWITCH = 10.0

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
        tally: Tally | None = None,
    ) -> None:
        """
        @param is_told: whether what is new reaches us now, so that an unknown
            grant is known to be none.
        @param carrier: what carries WebSockets that are not under TLS, if not the reactor.
        @param tally: where to count, if anybody wants to know.
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
        self._tally = tally or Tally()
        self.connections = Connections(reactor, grants)
        self.leaving = False
        self.name = token_hex(8)

    def render(self, request: Request) -> int:
        return answer(request, self._answer(request), self._failed)

    def cut_all(self) -> None:
        """End every connection, as the proxy does when it is stopped."""
        self.connections.cut_all()
        if self._carrier is not None:
            self._carrier.close()

    async def _answer(self, request: Request) -> None:
        if self.leaving:
            self._refuse(request, "leaving")
            return
        if not self._hosts.is_ours(request.requestHeaders):
            self._refuse(request, "stranger")
            return
        path, _, query = request.uri.partition(b"?")
        upgrade = _wants_socket(request)
        if path == b"/":
            await self._at_the_door(request, upgrade)
            return
        match = _BELOW.fullmatch(path)
        if match is None or not _QUERY.fullmatch(query):
            self._refuse(request, "nothing")
            return
        name = match[1].decode("ascii")
        if match[2] is None:
            # The cookie is for what is below, so no browser sends it here; and every name is
            # answered alike.
            self._redirect(request, f"{name}/")
            return
        secure = request.isSecure()
        if not self._cookies.names_grant(request.requestHeaders, name, secure):
            self._refuse(request, "unknown")
            return
        grant = await self._grants.by_name(name)
        target = match[2] + (b"?" + query if query else b"")
        if grant is None:
            self._refuse_unknown(request)
        elif upgrade:
            await self._attach(request, grant, target)
        elif request.method in (b"GET", b"HEAD") or self._may_post(request):
            await self._carry(request, grant, target)
        elif request.method == b"POST":
            self._refuse(request, "stranger")
        else:
            self._refuse(request, "method")

    def _may_post(self, request: Request) -> bool:
        return request.method == b"POST" and self._is_welcome(request)

    def _is_welcome(self, request: Request) -> bool:
        return self._origins.is_welcome(request.requestHeaders, request.isSecure())

    async def _at_the_door(self, request: Request, upgrade: bool) -> None:
        tokens = (request.args or {}).get(b"token", [])
        if request.method not in (b"GET", b"HEAD"):
            self._refuse(request, "method")
            return
        if not tokens:
            self._refuse(request, "nothing")
            return
        grant = None
        if len(tokens) == 1:
            address = neighbourhood(getattr(request.getClientAddress(), "host", ""))
            grant = await self._grants.by_token(tokens[0].decode("latin-1"), address)
        if grant is None:
            self._log.info("A token that opens nothing was shown")
            self._refuse_unknown(request)
        elif upgrade:
            replay = (request.args or {}).get(b"replay", [b""])[0]
            query = b"?replay=" + replay if re.fullmatch(rb"[0-9]{1,9}", replay) else b""
            await self._attach(request, grant, b"/ws" + query)
        else:
            request.setHeader("Set-Cookie", self._cookies.make(grant.name, request.isSecure()))
            self._redirect(request, f"console/{grant.name}/")

    def _refuse(self, request: Request, what: str) -> None:
        self._tally.refused[what] += 1
        say(request, what)

    def _refuse_unknown(self, request: Request) -> None:
        self._refuse(request, "unknown" if self._is_told() else "away")

    def _redirect(self, request: Request, target: str) -> None:
        """@param target: relative; of what the client sent, a well-formed name at the most."""
        be_strict(request)
        request.setResponseCode(303)
        request.setHeader("Location", target)
        request.setHeader("Content-Length", "0")
        request.finish()

    async def _carry(self, request: Request, grant: Grant, target: bytes) -> None:
        connection = self.connections.enter("request", grant)
        if connection is None:
            self._refuse_unknown(request)
            return
        connection.cut = lambda: _abort(request)
        try:
            await self._relay.carry(request, grant, target)
        finally:
            self.connections.leave(connection)

    async def _attach(self, request: Request, grant: Grant, target: bytes) -> None:
        if request.method != b"GET":
            self._refuse(request, "method")
            return
        if not self._is_welcome(request):
            self._log.info("A WebSocket from a foreign page was refused")
            self._refuse(request, "stranger")
            return
        connection = self.connections.enter("socket", grant)
        if connection is None:
            self._refuse_unknown(request)
            return
        begun = False
        try:
            begun = await self._switch(request, connection, target)
        finally:
            if not begun:
                self.connections.leave(connection)

    async def _switch(self, request: Request, connection: Connection, target: bytes) -> bool:
        grant, asked = connection.grant, self._reactor.seconds()
        backend = BackendSide(_upgrade_head(request, grant, target, self.name))
        try:
            await dial(self._reactor, grant.host, grant.port, self.CONNECT, backend)
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
            self._refuse(request, {400: "handshake", 403: "unknown"}.get(refused.status, "broken"))
            return False
        except CancelledError:
            backend.transport.abortConnection()
            raise
        if self.leaving or self._grants.find(grant.name) is None:
            # It was revoked while we were connecting.
            backend.transport.abortConnection()
            self._refuse(request, "leaving" if self.leaving else "unknown")
            return False
        pipe = Pipe(
            self._reactor,
            backend,
            head,
            lambda pipe: self.connections.leave(connection),
            self._carrier,
        )
        connection.cut = lambda: pipe.cut(0.0)
        connection.moved = lambda: pipe.moved
        self._tally.attaching.add(max(0.0, self._reactor.seconds() - asked))
        take_over(request, BrowserSide(pipe))
        return True

    def _failed(self, failure: Failure, request: Request) -> None:
        if request.startedWriting:
            _abort(request)
            return
        for kind, what in _SAID.items():
            if failure.check(kind):
                self._refuse(request, what)
                return
        if isinstance(failure.value, Full):
            self._refuse(request, f"full {failure.value.what}")
            return
        self._log.failure("while answering a request", failure)
        self._refuse(request, "broken")


def _abort(request: Request) -> None:
    channel: Any = request.channel
    if channel is not None:
        channel.transport.abortConnection()


def _wants_socket(request: Request) -> bool:
    offers = b",".join(request.requestHeaders.getRawHeaders(b"Upgrade", []))
    return b"websocket" in (offer.strip().lower() for offer in offers.split(b","))


def _upgrade_head(request: Request, grant: Grant, target: bytes, through: str) -> bytes:
    lines = [
        b"GET %s HTTP/1.1" % target,
        f"Host: {grant.authority}".encode("ascii"),
        b"Upgrade: websocket",
        b"Connection: Upgrade",
        f"Authorization: Bearer {grant.secret}".encode("ascii"),
        f"X-Ajaxterm-Through: {through}".encode("ascii"),
    ]
    for name in HANDSHAKE:
        for value in request.requestHeaders.getRawHeaders(name, []):
            if _SAFE_VALUE.fullmatch(value):
                lines.append(name + b": " + value)
    return b"\r\n".join(lines) + b"\r\n\r\n"
