"""
Tests for L{consoleproxy.upstream}: connections to backends that are kept.
"""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from consoleproxy.relay import Relay
from consoleproxy.upstream import UpstreamPool
from tests.consoleproxy.stage import NAME, Stage, answer_in, some_grant

ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


class KeptTests(SynchronousTestCase):
    """
    A kept connection saves time, and is never taken for more than it is.
    """

    def setUp(self) -> None:
        self.stage = Stage()
        self.stage.grants.authorize(some_grant())

    def post(self) -> bytes:
        return self.stage.browser(
            f"POST /console/{NAME}/poll HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n"
            f"Cookie: {self.stage.cookie()}\r\nContent-Length: 2\r\n\r\nhi".encode()
        ).heard

    def test_closed_meanwhile(self) -> None:
        """
        A page is asked for again if the connection that was kept ends just then.
        """
        self.stage.backend(ANSWER)
        self.assertEqual(self.stage.ask_console().body, b"ok")
        first = self.stage.backends[0]
        first.dataReceived = lambda data: first.hang_up()  # type: ignore[method-assign]

        self.assertEqual(self.stage.ask_console().body, b"ok")

        self.assertEqual(len(self.stage.backends), 2)

    def test_posted_once(self) -> None:
        """
        What was posted is not posted again: it may have done something already.
        """
        self.stage.backend(ANSWER)
        self.stage.ask_console()
        first = self.stage.backends[0]
        first.dataReceived = lambda data: first.hang_up()  # type: ignore[method-assign]

        self.assertEqual(answer_in(self.post()).status, 502)

        self.assertEqual(len(self.stage.backends), 1)

    def test_speaks_unasked(self) -> None:
        """
        A backend that says more than it was asked for is not believed: the next request gets
        a connection of its own.
        """
        self.stage.backend(ANSWER + b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil", ANSWER)
        self.assertEqual(self.stage.ask_console().body, b"ok")
        self.assertTrue(self.stage.backends[0].lost)
        self.stage.backend(ANSWER)
        self.assertEqual(self.stage.ask_console().body, b"ok")
        self.assertFalse(self.stage.backends[1].lost)

        self.stage.backends[1].say(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil")
        self.stage.clock.flush()

        self.assertTrue(self.stage.backends[1].lost)
        self.assertEqual(self.stage.ask_console().body, b"ok")

    def test_not_kept_for_ever(self) -> None:
        """
        After half a minute it is closed.
        """
        self.stage.backend(ANSWER)
        self.stage.ask_console()
        self.assertFalse(self.stage.backends[0].lost)

        self.stage.clock.pass_time(UpstreamPool.KEPT + 1)

        self.assertTrue(self.stage.backends[0].lost)
        self.assertEqual(self.stage.relay._pool._kept, {})

    def test_limit(self) -> None:
        """
        Of many at once a few are kept.
        """
        self.stage.backend()
        words = f"GET /console/{NAME}/ HTTP/1.1\r\nHost: 127.0.0.1\r\nCookie: "
        words += f"{self.stage.cookie()}\r\n\r\n"
        for _ in range(UpstreamPool.MOST_EACH + 3):
            self.stage.browser(words.encode())

        for backend in self.stage.backends:
            backend.say(ANSWER)
        self.stage.clock.flush()

        lost = [backend.lost for backend in self.stage.backends]
        self.assertEqual(lost.count(False), UpstreamPool.MOST_EACH)
        self.assertEqual(lost.count(True), 3)

    def test_used_again(self) -> None:
        """
        Each use of a kept connection has its own time: an answer that comes late the second time
        is waited for as long as the first, and half a minute begins anew.
        """
        self.stage.backend(ANSWER, ANSWER)
        self.stage.ask_console()
        for _ in range(3):
            self.stage.clock.pass_time(UpstreamPool.KEPT - 6, 1.0)
            self.stage.backends[0]._answers.append(ANSWER)
            self.assertEqual(self.stage.ask_console().body, b"ok")
        self.assertEqual(len(self.stage.backends), 1)
        self.stage.backends[0]._answers.clear()

        words = f"GET /console/{NAME}/ HTTP/1.1\r\nHost: 127.0.0.1\r\nCookie: "
        browser = self.stage.browser(f"{words}{self.stage.cookie()}\r\n\r\n".encode())
        self.stage.clock.pass_time(Relay.ANSWER - 1, 1.0)
        self.assertEqual(browser.heard, b"")
        self.stage.clock.pass_time(2, 1.0)

        self.assertEqual(answer_in(browser.heard).status, 504)
        self.assertTrue(self.stage.backends[0].lost)
