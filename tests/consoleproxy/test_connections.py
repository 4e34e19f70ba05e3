"""
Tests for L{consoleproxy.connections} and L{consoleproxy.leaving}: who is connected, and
how that ends before they want it to.
"""

from __future__ import annotations

from twisted.internet.defer import Deferred

from consoleproxy.connections import Connections
from consoleproxy.leaving import Leaving
from tests.consoleproxy.sockets import SWITCHED, PipeTestCase
from tests.consoleproxy.stage import NAME, SECRET, TOKEN, Browser, answer_in, some_grant

OTHER = "g" + "f" * 16
STREAM = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n"


class _Case(PipeTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.connections = self.stage.resource.connections

    def asking(self, path: str = "log?follow", method: str = "GET") -> Browser:
        """
        A plain request that is being answered.
        """
        words = (
            f"{method} /console/{NAME}/{path} HTTP/1.1\r\nHost: 127.0.0.1\r\n"
            f"Cookie: {self.stage.cookie()}\r\n"
        )
        if method == "POST":
            words += "Origin: http://127.0.0.1\r\nContent-Length: 0\r\n"
        return self.stage.browser(f"{words}\r\n".encode())


class RevocationTests(_Case):
    """
    A grant that is over is over for those who are connected, too.
    """

    def test_console_says_goodbye(self) -> None:
        """
        It has half a second to tell its viewers why; what it says in it arrives.
        """
        browser, backend = self.piped()

        self.stage.grants.revoke(NAME)
        self.stage.clock.pass_time(0.4)
        backend.say(b"\x88\x02\x0f\xa3")
        self.settle()

        self.assertEqual(browser.heard, b"\x88\x02\x0f\xa3")
        self.assertFalse(browser.lost)

    def test_what_is_left_is_cut(self) -> None:
        """
        Whatever is still there then is cut: WebSockets, streams, and polls that are held.
        """
        socket, _ = self.piped()
        self.stage.backend(STREAM)
        stream = self.asking()
        self.stage.backend()
        poll = self.asking("poll", "POST")
        self.assertEqual(len(self.connections), 3)

        self.stage.grants.revoke(NAME)
        self.stage.clock.pass_time(0.6, 0.1)

        self.assertEqual([each.lost for each in (socket, stream, poll)], [True] * 3)
        self.assertTrue(all(backend.lost for backend in self.stage.backends))
        self.assertEqual(list(self.connections), [])
        self.assertEqual(self.flushLoggedErrors(), [])

    def test_others_go_on(self) -> None:
        """
        Other grants of the same console are not touched.
        """
        self.stage.grants.authorize(some_grant(OTHER, "O" * 43))
        self.stage.backend(SWITCHED)
        other = self.dial("/?token=" + "O" * 43)
        browser, _ = self.piped()

        self.stage.grants.revoke(NAME)
        self.stage.clock.pass_time(1, 0.1)

        self.assertEqual((browser.lost, other.lost), (True, False))

    def test_nobody_comes_back(self) -> None:
        """
        Neither the cookie nor the token opens anything any more, at once and without a wait;
        not even when a late word says that the grant is there.
        """
        browser, _ = self.piped()
        self.stage.grants.revoke(NAME)
        self.stage.clock.pass_time(1, 0.1)
        self.stage.grants.authorize(some_grant())

        again = self.dial()
        page = self.asking("")

        self.assertTrue(browser.lost)
        self.assertEqual([answer_in(each.heard).status for each in (again, page)], [403, 403])
        self.assertEqual(self.stage.ask("GET", f"/?token={TOKEN}").status, 403)


class LimitTests(_Case):
    """
    Nobody can have all of the proxy.
    """

    def test_plain_requests_have_limits(self) -> None:
        """
        Streams and polls under one grant, and all together, are counted while they last.
        """
        self.connections.MOST_PER_GRANT = {"socket": 1, "request": 2}
        self.stage.backend(STREAM)
        first, second = self.asking(), self.asking()

        refused = answer_in(self.asking().heard)
        self.assertEqual(refused.status, 429)
        self.assertIn(b"Close a tab", refused.body)

        for browser in (first, second):
            assert browser.transport is not None
            browser.transport.loseConnection()
        self.settle()
        self.assertEqual(self.connections.count("request"), 0)
        self.connections.MOST = {"socket": 1, "request": 0}
        self.assertEqual(answer_in(self.asking().heard).status, 503)
        self.assertEqual(Connections.MOST_PER_GRANT["request"], 128)

    def test_counts(self) -> None:
        """
        What is told of them: how many, on how many consoles, and bytes both ways, also of
        those that have ended.
        """
        browser, backend = self.piped()
        backend.say(b"output")
        browser.say(b"key")
        self.settle()

        self.assertEqual((self.connections.count("socket"), self.connections.consoles), (1, 1))
        self.assertEqual(self.connections.moved, (6, 3))
        backend.hang_up()
        self.settle()
        self.assertEqual((self.connections.count("socket"), self.connections.consoles), (0, 0))
        self.assertEqual(self.connections.moved, (6, 3))


class LeavingTests(_Case):
    """
    A proxy that is being stopped sends everybody elsewhere.
    """

    def leave(self) -> Deferred[None]:
        leaving = Deferred.fromCoroutine(Leaving(self.stage.clock, self.stage.resource).leave())
        self.settle()
        return leaving

    def test_nobody_there(self) -> None:
        """
        It is done at once.
        """
        self.successResultOf(self.leave())

    def test_consoles_are_asked(self) -> None:
        """
        Each console, once for each grant, by our name, which it was told in the handshake;
        when all have gone, so can we.
        """
        self.stage.backend(SWITCHED)
        browsers = [self.dial(), self.dial()]
        handshakes = [backend.heard for backend in self.stage.backends]
        self.stage.backend(b"HTTP/1.1 204 No Content\r\n\r\n")

        leaving = self.leave()

        name = f"X-Ajaxterm-Through: {self.stage.resource.name}\r\n".encode()
        self.assertTrue(all(name in heard for heard in handshakes))
        [asked] = [backend.heard for backend in self.stage.backends[2:]]
        self.assertTrue(asked.startswith(b"POST /elsewhere HTTP/1.1\r\n"))
        self.assertIn(name, asked)
        self.assertIn(f"Authorization: Bearer {SECRET}\r\n".encode(), asked)
        self.assertNoResult(leaving)
        for backend in self.stage.backends[:2]:
            backend.say(b"\x88\x02\x03\xe9")
            backend.hang_up()
        self.stage.clock.pass_time(0.2, 0.05)
        self.successResultOf(leaving)
        self.assertTrue(all(each.heard.endswith(b"\x88\x02\x03\xe9") for each in browsers))

    def test_nothing_new(self) -> None:
        """
        Who comes now is told to come again in a moment, on another connection.
        """
        self.piped()
        self.leave()

        for answer in (
            self.stage.ask("GET", f"/?token={TOKEN}"),
            answer_in(self.dial().heard),
            answer_in(self.asking().heard),
        ):
            self.assertEqual((answer.status, answer.headers["retry-after"]), (503, "1"))
            self.assertEqual(answer.headers["connection"], "close")
            self.assertIn(b"Reload this page", answer.body)
        self.stage.clock.pass_time(6, 0.5)

    def test_bounded(self) -> None:
        """
        Consoles that do not answer, and polls that are held, keep it for five seconds at the
        most.
        """
        self.piped()
        self.stage.backend()
        poll = self.asking("poll", "POST")

        leaving = self.leave()
        self.stage.clock.pass_time(1.2, Leaving.STEP)
        self.assertTrue(poll.lost)
        self.assertNoResult(leaving)
        self.stage.clock.pass_time(4, Leaving.STEP)

        self.successResultOf(leaving)
        self.assertEqual(self.flushLoggedErrors(), [])

    def test_while_one_comes(self) -> None:
        """
        One whose console has not answered yet does not slip in.
        """
        self.stage.backend()
        browser = self.dial()
        self.leave()

        self.stage.backends[0].say(SWITCHED)
        self.settle()

        self.assertEqual(answer_in(browser.heard).status, 503)
        self.stage.clock.pass_time(6, 0.5)
