"""
WebSockets through a proxy in memory, seen as bytes.
"""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from tests.consoleproxy.stage import (
    NAME,
    Backend,
    Browser,
    Stage,
    some_grant,
)

SWITCHED = (
    b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Accept: x\r\n\r\n"
)
ASKED = (
    "Host: 127.0.0.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
)


class PipeTestCase(SynchronousTestCase):
    def setUp(self) -> None:
        self.stage = Stage()
        self.stage.grants.authorize(some_grant())

    def dial(
        self, target: str = f"/console/{NAME}/ws", more: str = "", room: int = 1 << 16
    ) -> Browser:
        """
        A browser that has asked for a WebSocket.
        """
        cookie = f"Cookie: {self.stage.cookie()}\r\n"
        words = f"GET {target} HTTP/1.1\r\n{ASKED}{cookie}{more}\r\n"
        return self.stage.browser(words.encode("latin-1"), room)

    def piped(self, room: int = 1 << 16) -> tuple[Browser, Backend]:
        """
        Both ends of an open WebSocket.
        """
        self.stage.backend(SWITCHED)
        browser = self.dial(room=room)
        self.assertTrue(browser.heard.startswith(b"HTTP/1.1 101 "))
        browser.heard = b""
        self.stage.backends[-1].heard = b""
        return browser, self.stage.backends[-1]

    def settle(self) -> None:
        self.stage.clock.flush()
