"""
Tests for L{consoleproxy}: HTTP as nobody should write it.
"""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from tests.consoleproxy.stage import NAME, TOKEN, Stage, answer_in, some_grant

POSTED = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


class SmugglingTests(SynchronousTestCase):
    """
    Whatever a client makes of HTTP, a backend hears one well-formed request or nothing.
    """

    def setUp(self) -> None:
        self.stage = Stage()
        self.stage.grants.authorize(some_grant())
        self.stage.backend(POSTED)

    def post(self, lines: bytes, body: bytes) -> bytes:
        head = (
            f"POST /console/{NAME}/poll HTTP/1.1\r\nHost: 127.0.0.1\r\n"
            f"Cookie: {self.stage.cookie()}\r\n"
        )
        browser = self.stage.browser(head.encode() + lines + b"\r\n" + body)
        self.stage.clock.pass_time(2)
        return browser.heard

    def test_ambiguous_length(self) -> None:
        """
        A body whose length can be read in two ways is refused, and asked of nobody.
        """
        smuggled = b"GET /?token=%s HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n" % TOKEN.encode()
        for lines in (
            b"Content-Length: 0\r\nContent-Length: 100\r\n",
            b"Content-Length: 0\r\nTransfer-Encoding: chunked\r\n",
            b"Transfer-Encoding: chunked\r\nContent-Length: 5\r\n",
            b"Transfer-Encoding: chunked, identity\r\n",
            b"Transfer-Encoding: xchunked\r\n",
            b"Content-Length: +5\r\n",
            b"Content-Length: 5, 5\r\n",
            b"Content-Length : 5\r\n",
        ):
            heard = self.post(lines, smuggled)
            self.assertEqual(heard[:12], b"HTTP/1.1 400", lines)

        self.assertEqual(self.stage.clock.dialled, [])

    def test_chunked_request(self) -> None:
        """
        A chunked body is understood here, and sent on with a length.
        """
        heard = self.post(b"Transfer-Encoding: chunked\r\n", b"3\r\nabc\r\n0\r\n\r\n")

        self.assertEqual(answer_in(heard).status, 200)
        asked = self.stage.backends[0].heard
        self.assertIn(b"Content-Length: 3\r\n", asked)
        self.assertNotIn(b"chunked", asked)
        self.assertTrue(asked.endswith(b"\r\n\r\nabc"))

    def test_pipelined_requests(self) -> None:
        """
        A second request on the same connection is one of its own, with its own admission.
        """
        heard = self.post(
            b"Content-Length: 0\r\n",
            f"GET /console/{NAME}/ HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n".encode(),
        )

        self.assertEqual(heard.count(b"HTTP/1.1 200"), 1)
        self.assertEqual(heard.count(b"HTTP/1.1 403"), 1)
        self.assertEqual(self.stage.backends[0].heard.count(b"HTTP/1.1"), 1)

    def test_body_too_large(self) -> None:
        """
        A body over 1 MiB is refused as soon as its length is known.
        """
        heard = self.post(b"Content-Length: 1048577\r\n", b"")

        self.assertEqual(answer_in(heard).status, 413)
        self.assertEqual(self.stage.clock.dialled, [])
