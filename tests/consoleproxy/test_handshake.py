"""
Tests for L{consoleproxy.web} and L{consoleproxy.pipe}: how a WebSocket begins.
"""

from __future__ import annotations

from consoleproxy.connections import Connections
from tests.consoleproxy.sockets import ASKED, SWITCHED, PipeTestCase
from tests.consoleproxy.stage import (
    HOST,
    NAME,
    PORT,
    SECRET,
    TOKEN,
    Stage,
    answer_in,
    some_grant,
)


class HandshakeTests(PipeTestCase):
    """
    The head is checked; then the backend is asked.
    """

    def test_by_cookie(self) -> None:
        """
        The page's WebSocket is attached, with what the browser said of it.
        """
        self.stage.backend(SWITCHED)

        browser = self.dial(f"/console/{NAME}/ws?x=1", "Sec-WebSocket-Protocol: ajaxterm.v1\r\n")

        self.assertTrue(browser.heard.startswith(b"HTTP/1.1 101 "))
        asked = self.stage.backends[0].heard
        self.assertTrue(asked.startswith(b"GET /ws?x=1 HTTP/1.1\r\n"))
        self.assertIn(b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n", asked)
        self.assertIn(b"Sec-WebSocket-Protocol: ajaxterm.v1\r\n", asked)

    def test_by_token(self) -> None:
        """
        Clients of nova-serialproxy attach by the URL itself.
        """
        self.stage.backend(SWITCHED)

        self.dial(f"/?token={TOKEN}", "Sec-WebSocket-Protocol: binary\r\n")
        self.dial(f"/?token={TOKEN}&replay=100")
        self.dial(f"/?token={TOKEN}&replay=100%0d%0aX:")

        lines = [backend.heard.partition(b"\r\n")[0] for backend in self.stage.backends]
        self.assertEqual(
            lines, [b"GET /ws HTTP/1.1", b"GET /ws?replay=100 HTTP/1.1", b"GET /ws HTTP/1.1"]
        )

    def test_wrong_token(self) -> None:
        """
        A wrong token attaches to nothing.
        """
        browser = self.dial("/?token=" + "W" * 43)
        self.stage.clock.pass_time(2, 0.5)

        self.assertEqual(answer_in(browser.heard).status, 403)
        self.assertEqual(self.stage.clock.dialled, [])

    def test_origins(self) -> None:
        """
        Pages of other origins can't attach with our user's cookies; our own can, and those
        that are allowed, and clients that are no pages.
        """
        self.stage = Stage(origins=["https://horizon.example"])
        self.stage.grants.authorize(some_grant())
        self.stage.backend(SWITCHED)
        welcome = ("http://127.0.0.1", "https://horizon.example", None)
        foreign = ("http://evil.example", "null", "http://127.0.0.1:81", "http://127.0.0.1.evil")

        for origin in (*welcome, *foreign):
            browser = self.dial(more=f"Origin: {origin}\r\n" if origin else "")
            status = browser.heard[9:12]
            self.assertEqual(status, b"101" if origin in welcome else b"403", origin)
        by_token = self.dial(f"/?token={TOKEN}", "Origin: http://evil.example\r\n")
        self.assertEqual(by_token.heard[9:12], b"403")

    def test_two_origins(self) -> None:
        """
        Who says two origins is believed neither.
        """
        browser = self.dial(more="Origin: http://127.0.0.1\r\nOrigin: http://evil.example\r\n")

        self.assertEqual(answer_in(browser.heard).status, 403)

    def test_head_for_the_backend(self) -> None:
        """
        It bears the secret, and nothing of the browser's but the handshake: no cookie, no
        credentials, no extension that would change the framing.
        """
        self.stage.backend(SWITCHED)

        self.dial(
            more="Authorization: Bearer forged\r\nX-Forwarded-For: forged\r\n"
            "Sec-WebSocket-Extensions: permessage-deflate; forged\r\nOrigin: http://127.0.0.1\r\n"
        )

        asked = self.stage.backends[0].heard
        self.assertIn(f"Authorization: Bearer {SECRET}\r\n".encode(), asked)
        self.assertEqual(asked.count(b"Authorization"), 1)
        self.assertNotIn(b"forged", asked)
        self.assertNotIn(b"Cookie", asked)
        self.assertNotIn(b"Extensions", asked)
        self.assertTrue(asked.endswith(b"\r\n\r\n"))

    def test_posted_upgrade(self) -> None:
        """
        A WebSocket begins with GET.
        """
        words = (
            f"POST /console/{NAME}/ws HTTP/1.1\r\n{ASKED}Cookie: {self.stage.cookie()}\r\n"
            "Content-Length: 0\r\n\r\n"
        )

        browser = self.stage.browser(words.encode())

        self.assertEqual(answer_in(browser.heard).status, 405)

    def test_nobody_listens(self) -> None:
        """
        A console whose process is gone is answered 502.
        """
        self.assertEqual(answer_in(self.dial().heard).status, 502)
        self.assertEqual(self.stage.resource.connections.count("socket"), 0)

    def test_no_answer(self) -> None:
        """
        An ajaxterm that is stuck is given up on after ten seconds.
        """
        self.stage.backend()
        browser = self.dial()
        self.stage.clock.pass_time(9)
        self.assertEqual(browser.heard, b"")

        self.stage.clock.pass_time(2)

        self.assertEqual(answer_in(browser.heard).status, 504)
        self.assertTrue(self.stage.backends[0].lost)
        self.assertEqual(self.stage.resource.connections.count("socket"), 0)

    def test_refused(self) -> None:
        """
        An ajaxterm that does not know the secret (any more) is a link that opens nothing.
        """
        self.stage.backend(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n")

        browser = self.dial()

        self.assertEqual(answer_in(browser.heard).status, 403)
        self.assertTrue(self.stage.backends[0].lost)

    def test_handshake_refused(self) -> None:
        """
        A handshake that the ajaxterm can't answer is the client's mistake, and told so.
        """
        self.stage.backend(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n")

        browser = self.dial(more="Sec-WebSocket-Protocol: xmpp\r\n")

        self.assertEqual(answer_in(browser.heard).status, 400)

    def test_handshake_that_is_no_text(self) -> None:
        """
        Bytes that are no text are left out of the backend's head, and break nothing.
        """
        self.stage.backend(SWITCHED)

        browser = self.dial(more="Sec-WebSocket-Protocol: \xff\r\n")

        self.assertEqual(browser.heard[9:12], b"101")
        self.assertNotIn(b"\xff", self.stage.backends[0].heard)

    def test_other_upgrades(self) -> None:
        """
        An offer to upgrade to something else is ignored (RFC 9110, 7.8): the page comes.
        """
        self.stage.backend(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
        words = (
            f"GET /console/{NAME}/ HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: h2c\r\n"
            f"Connection: Upgrade, HTTP2-Settings\r\nCookie: {self.stage.cookie()}\r\n\r\n"
        )

        browser = self.stage.browser(words.encode())

        self.assertEqual(answer_in(browser.heard).status, 200)

    def test_head_for_the_browser(self) -> None:
        """
        Of the backend's head the browser gets the handshake, and nothing else: a backend
        sets no cookie on the proxy's origin.
        """
        self.stage.backend(
            b"HTTP/1.1 101 What Ever\r\nupgrade: websocket\r\nSet-Cookie: a=b\r\n"
            b"Connection: Upgrade\r\nSec-WebSocket-Accept: x\r\nX-Odd: 1\r\n"
            b"Sec-WebSocket-Protocol: ajaxterm.v1\r\n\r\nfirst"
        )

        head, _, output = self.dial().heard.partition(b"\r\n\r\n")

        self.assertEqual(
            head.split(b"\r\n"),
            [
                b"HTTP/1.1 101 Switching Protocols",
                b"upgrade: websocket",
                b"Connection: Upgrade",
                b"Sec-WebSocket-Accept: x",
                b"Sec-WebSocket-Protocol: ajaxterm.v1",
            ],
        )
        self.assertEqual(output, b"first")

    def test_header_in_a_header(self) -> None:
        """
        Nor does it by a line that only a browser sees, for it takes another line end for one.
        """
        lines = b"Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: x"
        for odd in (b"\nSet-Cookie: a=b", b"\rSet-Cookie: a=b", b"\0", b"\r\n folded", b"\r\nno"):
            self.stage.backend(b"HTTP/1.1 101 Switching\r\n" + lines + odd + b"\r\n\r\n")

            browser = self.dial()

            self.assertEqual(answer_in(browser.heard).status, 502, odd)
            self.assertNotIn(b"a=b", browser.heard)
            self.assertTrue(self.stage.backends[-1].lost)

    def test_bad_answers(self) -> None:
        """
        A backend that answers something else, or without end, is broken; at most 16 KiB
        of its head are taken.
        """
        for said in (
            b"SSH-2.0-OpenSSH_9\r\n\r\n",
            b"HTTP/1.0 101 Switching\r\n\r\n",
            b"HTTP/1.1 500 Oops\r\n\r\n",
            b"HTTP/1.1 101 Switching\r\nX: " + b"x" * 17_000 + b"\r\n\r\n",
            b"HTTP/1.1 101 Switching\r\nX: " + b"x" * 17_000,
        ):
            self.stage.backend(said)
            browser = self.dial()
            self.assertEqual(answer_in(browser.heard).status, 502, said[:30])
            self.assertTrue(self.stage.backends[-1].lost)

    def test_backend_hangs_up(self) -> None:
        """
        So is one that hangs up instead.
        """
        self.stage.backend()
        browser = self.dial()

        self.stage.backends[0].hang_up()
        self.settle()

        self.assertEqual(answer_in(browser.heard).status, 502)

    def test_answer_in_pieces(self) -> None:
        """
        The head may come byte by byte, with the first output behind it.
        """
        self.stage.backend()
        browser = self.dial()

        for byte in SWITCHED + b"first":
            self.stage.backends[0].say(bytes([byte]))
            self.settle()

        self.assertTrue(browser.heard.endswith(b"\r\n\r\nfirst"))

    def test_first_output_behind_the_head(self) -> None:
        """
        Output in the same segment as the head is not lost.
        """
        self.stage.backend(SWITCHED + b"first")

        self.assertTrue(self.dial().heard.endswith(b"\r\n\r\nfirst"))

    def test_browser_leaves_while_it_waits(self) -> None:
        """
        A tab that is closed before the console answers leaves nothing open.
        """
        self.stage.backend()
        browser = self.dial()

        assert browser.transport is not None
        browser.transport.loseConnection()
        self.settle()

        self.assertTrue(self.stage.backends[0].lost)
        self.assertEqual(self.stage.resource.connections.count("socket"), 0)
        self.assertEqual(self.flushLoggedErrors(), [])

    def test_browser_leaves_while_we_dial(self) -> None:
        """
        Nor one that is closed even before.
        """
        self.stage.clock.hang(HOST, PORT)
        browser = self.dial()

        assert browser.transport is not None
        browser.transport.loseConnection()
        self.settle()

        self.assertEqual(self.stage.resource.connections.count("socket"), 0)
        self.assertEqual(self.stage.clock.getDelayedCalls(), [])
        self.assertEqual(self.flushLoggedErrors(), [])

    def test_revoked_while_we_dial(self) -> None:
        """
        A grant that is revoked while the console answers is not attached to.
        """
        self.stage.backend()
        browser = self.dial()

        self.stage.grants.revoke(NAME)
        self.stage.backends[0].say(SWITCHED)
        self.settle()

        self.assertEqual(answer_in(browser.heard).status, 403)
        self.assertTrue(self.stage.backends[0].lost)

    def test_limit_while_we_dial(self) -> None:
        """
        Those whose console does not answer yet count, too: one user can't take all
        connections by asking a stuck console again and again.
        """
        self.stage.resource.connections.MOST_PER_GRANT = {"socket": 2, "request": 2}
        self.stage.backend()

        browsers = [self.dial() for _ in range(3)]

        self.assertEqual([browser.heard[9:12] for browser in browsers], [b"", b"", b"429"])
        self.assertIn(b"\r\nRetry-After: 1\r\n", browsers[2].heard)
        self.stage.clock.pass_time(11)
        self.assertEqual(list(self.stage.resource.connections), [])

    def test_limits(self) -> None:
        """
        One grant can't take all connections (429); neither can all grants together (503).
        """
        self.stage.resource.connections.MOST_PER_GRANT = {"socket": 2, "request": 2}
        self.stage.backend(SWITCHED)
        statuses = [self.dial().heard[9:12] for _ in range(3)]
        self.assertEqual(statuses, [b"101", b"101", b"429"])

        self.stage.resource.connections.MOST = {"socket": 2, "request": 2}
        self.stage.grants.authorize(some_grant("g" + "2" * 16, "2" * 43))
        self.assertEqual(self.dial("/?token=" + "2" * 43).heard[9:12], b"503")
        self.assertEqual(Connections.MOST["socket"], 10_000)
