"""
A whole proxy on real sockets, and both ends of its WebSockets.
"""

from __future__ import annotations

import socket
from typing import Any

from twisted.internet.task import deferLater
from twisted.trial.unittest import TestCase

from consoleproxy.carrier import Carrier
from consoleproxy.cookies import Cookies
from consoleproxy.grants import Grants
from consoleproxy.relay import Relay
from consoleproxy.web import ProxyResource
from groundwork.manners import HostRule, OriginRule
from groundwork.site import BoundedSite
from tests.consoleproxy.sockets import ASKED, SWITCHED
from tests.consoleproxy.stage import TOKEN, some_grant

PATIENCE = 10.0


def until(end: socket.socket, words: bytes) -> bytes:
    """
    @return: what comes from C{end}, up to and with C{words}.
    """
    heard = b""
    while not heard.endswith(words):
        piece = end.recv(1)
        if not piece:
            raise AssertionError(f"it ended after {heard!r}")
        heard += piece
    return heard


class RealProxyTestCase(TestCase):
    """
    @ivar listening: where its backend is.
    @ivar ends: sockets that are closed with the test.
    """

    timeout = 60.0

    def setUp(self) -> None:
        from twisted.internet import reactor

        self.reactor: Any = reactor
        self.listening = socket.create_server(("127.0.0.1", 0))
        self.listening.settimeout(PATIENCE)
        self.addCleanup(self.listening.close)
        port = self.listening.getsockname()[1]
        self.grants = Grants(reactor)
        self.grants.authorize(some_grant(host="127.0.0.1", port=port))
        self.relay = Relay(reactor)
        self.carrier = Carrier(reactor)
        self.resource = ProxyResource(
            reactor,
            self.grants,
            Cookies(b"k" * 32, "/"),
            self.relay,
            HostRule(()),
            OriginRule(()),
            carrier=self.carrier,
        )
        self.site = BoundedSite(self.resource, reactor)
        self.port = reactor.listenTCP(0, self.site, interface="127.0.0.1")
        self.ends: list[socket.socket] = []

    async def tearDown(self) -> None:
        self.resource.cut_all()
        for end in self.ends:
            end.close()
        while len(self.resource.connections):
            await a_moment()
        await self.port.stopListening()
        await self.relay.close()

    def dial(self, words: str = "") -> socket.socket:
        browser = socket.create_connection(("127.0.0.1", self.port.getHost().port))
        browser.settimeout(PATIENCE)
        self.ends.append(browser)
        request = f"{words}GET /?token={TOKEN} HTTP/1.1\r\n{ASKED}\r\n"
        browser.sendall(request.encode("latin-1"))
        return browser

    def accept(self, more: bytes = b"") -> socket.socket:
        """
        The backend's side of the next WebSocket, which it has switched.
        """
        backend, _ = self.listening.accept()
        self.ends.append(backend)
        backend.settimeout(PATIENCE)
        until(backend, b"\r\n\r\n")
        backend.sendall(SWITCHED + more)
        return backend


async def a_moment() -> None:
    from twisted.internet import reactor

    await deferLater(reactor, 0.01)
