"""
Tests for L{consoleproxy.pipe}: open WebSockets.
"""

from __future__ import annotations

from typing import Any

from tests.consoleproxy.sockets import PipeTestCase
from tests.consoleproxy.stage import (
    NAME,
    TOKEN,
    answer_in,
)


class PipedTests(PipeTestCase):
    """
    Then bytes go through, unread, until either end goes.
    """

    def test_both_ways(self) -> None:
        """
        What one side says the other hears, byte for byte.
        """
        browser, backend = self.piped()

        browser.say(bytes(range(256)))
        backend.say(bytes(range(255, -1, -1)))
        self.settle()

        self.assertEqual(backend.heard, bytes(range(256)))
        self.assertEqual(browser.heard, bytes(range(255, -1, -1)))

    def test_slow_browser_stops_the_backend(self) -> None:
        """
        A browser that does not read is waited for where the output comes from; the proxy
        keeps little of it, and then all of it arrives.
        """
        browser, backend = self.piped(room=1000)
        assert browser.transport is not None
        browser.transport.pauseProducing()
        output = bytes(range(250)) * 20_000

        backend.say(output)
        self.settle()

        ajaxterm, _ = self.stage.clock.made[0]
        self.assertGreater(ajaxterm.queued, len(output) - 500_000)
        browser.transport.resumeProducing()
        self.settle()
        self.assertEqual(browser.heard, output)

    def test_slow_backend_stops_the_browser(self) -> None:
        """
        The same the other way: a flood of input waits in the browser.
        """
        browser, backend = self.piped()
        assert backend.transport is not None and browser.transport is not None
        backend.transport.pauseProducing()
        keys = bytes(range(250)) * 20_000

        browser.say(keys)
        self.settle()

        self.assertGreater(browser.transport.queued, len(keys) - 500_000)  # type: ignore[attr-defined]
        backend.transport.resumeProducing()
        self.settle()
        self.assertEqual(backend.heard, keys)

    def test_backend_ends(self) -> None:
        """
        The console's last words reach a browser that is behind, before it is cut off.
        """
        browser, backend = self.piped(room=1000)
        assert browser.transport is not None
        browser.transport.pauseProducing()
        backend.say(b"x" * 50_000)
        backend.hang_up()
        self.settle()
        self.assertFalse(browser.lost)

        browser.transport.resumeProducing()
        self.settle()

        self.assertEqual(len(browser.heard), 50_000)
        self.assertTrue(browser.lost)
        self.assertEqual(self.stage.resource.connections.count("socket"), 0)
        self.assertEqual(list(self.stage.resource.connections), [])

    def test_browser_ends(self) -> None:
        """
        A closed tab is gone from its console at once, with what it typed last.
        """
        browser, backend = self.piped()

        browser.say(b"last")
        assert browser.transport is not None
        browser.transport.loseConnection()
        self.settle()

        self.assertEqual(backend.heard, b"last")
        self.assertTrue(backend.lost)
        self.assertEqual(self.stage.resource.connections.count("socket"), 0)
        self.assertEqual(self.stage.clock.getDelayedCalls(), [])

    def test_browser_that_reads_slowly(self) -> None:
        """
        And again ten seconds, as long as it takes something: so it gets all of it.
        """
        browser, backend = self.piped(room=1000)
        transport: Any = browser.transport
        transport.pauseProducing()
        backend.say(b"x" * 50_000)
        backend.hang_up()
        self.settle()

        for _ in range(55):
            transport.doRead()
            self.stage.clock.pass_time(1)
        transport.resumeProducing()
        self.settle()

        self.assertEqual(len(browser.heard), 50_000)
        self.assertTrue(browser.lost)
        self.assertEqual(self.stage.clock.getDelayedCalls(), [])

    def test_browser_that_never_reads_is_cut(self) -> None:
        """
        After its console's end a browser has ten seconds to take what is left.
        """
        browser, backend = self.piped(room=1000)
        assert browser.transport is not None
        browser.transport.pauseProducing()
        backend.say(b"x" * 50_000)
        backend.hang_up()
        self.settle()

        self.stage.clock.pass_time(11)

        self.assertEqual(self.stage.resource.connections.count("socket"), 0)
        browser.transport.resumeProducing()
        self.settle()
        self.assertTrue(browser.lost)

    def test_grant_does_not_age(self) -> None:
        """
        An open WebSocket keeps its grant, however silent it is; afterwards it ages.
        """
        browser, _ = self.piped()

        self.stage.clock.pass_time(5000, 100)
        self.assertFalse(browser.lost)
        self.assertIsNotNone(self.stage.grants.find(NAME))
        assert browser.transport is not None
        browser.transport.loseConnection()
        self.stage.clock.pass_time(700, 100)

        self.assertIsNone(self.stage.grants.find(NAME))

    def test_revoked(self) -> None:
        """
        Of a revoked grant the ajaxterm may take leave; what is still open then is cut.
        """
        browser, backend = self.piped()

        self.stage.grants.revoke(NAME)
        backend.say(b"bye")
        self.settle()
        self.assertEqual(browser.heard, b"bye")
        self.assertFalse(browser.lost)
        self.stage.clock.pass_time(0.6, 0.1)

        self.assertTrue(browser.lost)
        self.assertTrue(backend.lost)
        self.assertEqual(self.stage.resource.connections.count("socket"), 0)

    def test_cut_all(self) -> None:
        """
        A proxy that is stopped ends them all at once.
        """
        browser, backend = self.piped()

        self.stage.resource.cut_all()
        self.settle()

        self.assertTrue(browser.lost and backend.lost)
        self.assertEqual(self.stage.resource.connections.count("socket"), 0)

    def test_next_request_is_not_for_the_backend(self) -> None:
        """
        Once a WebSocket was refused, the connection is the web server's again: another
        request on it is looked at like any other.
        """
        self.stage.backend(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n")
        browser = self.dial()
        browser.heard = b""

        browser.say(f"GET /?token={TOKEN} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n".encode())
        self.settle()

        self.assertEqual(answer_in(browser.heard).status, 303)
        self.assertEqual(len(self.stage.backends), 1)
