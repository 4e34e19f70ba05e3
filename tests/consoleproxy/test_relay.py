"""
Tests for L{consoleproxy.relay}: plain requests, in and out.
"""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from consoleproxy.relay import _Answering
from tests.consoleproxy.stage import HOST, NAME, PORT, SECRET, Stage, answer_in, some_grant

CHUNKED = (
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nContent-Type: text/plain\r\n\r\n"
    b"5\r\nhello\r\n0\r\n\r\n"
)
POSTED = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


class RelayTests(SynchronousTestCase):
    """
    What a browser asks reaches its console, and what the console answers the browser.
    """

    def setUp(self) -> None:
        self.stage = Stage()
        self.stage.grants.authorize(some_grant())

    def start(self, path: str = "log", more: str = "", room: int = 1 << 16):  # type: ignore[no-untyped-def]
        """
        A browser that has asked for something, and waits.
        """
        return self.stage.browser(
            f"GET /console/{NAME}/{path} HTTP/1.1\r\nHost: 127.0.0.1\r\n"
            f"Cookie: {self.stage.cookie()}\r\n{more}\r\n".encode(),
            room,
        )

    def test_request_line(self) -> None:
        """
        The console's own path and query arrive, the proxy's prefix does not.
        """
        self.stage.backend(POSTED)

        self.stage.ask_console("assets/page-1.js?v=1&w=%20")

        asked = self.stage.backends[0].heard
        self.assertTrue(asked.startswith(b"GET /assets/page-1.js?v=1&w=%20 HTTP/1.1\r\n"), asked)
        self.assertEqual(self.stage.clock.dialled, [(HOST, PORT)])

    def test_secret_goes_to_the_backend_only(self) -> None:
        """
        The ajaxterm sees the grant's secret; the browser never does.
        """
        self.stage.backend(POSTED)

        answer = self.stage.ask_console()

        self.assertIn(f"Authorization: Bearer {SECRET}".encode(), self.stage.backends[0].heard)
        self.assertNotIn(SECRET, str(answer))

    def test_only_known_headers_arrive(self) -> None:
        """
        Nothing that a browser says of itself or of connections reaches the ajaxterm: no
        cookie, no credentials of its own, no hop-by-hop header, no forged address.
        """
        self.stage.backend(POSTED)

        self.stage.ask_console(
            **{
                "Authorization": "Bearer forged",
                "Proxy-Authorization": "Basic forged",
                "Connection": "close, X-Secret",
                "Keep-Alive": "timeout=forged",
                "TE": "forged",
                "X-Forwarded-For": "forged",
                "X-Secret": "forged",
                "Accept": "text/html",
                "If-None-Match": '"etag"',
            }
        )

        asked = self.stage.backends[0].heard
        self.assertNotIn(b"forged", asked)
        self.assertNotIn(b"ajaxconsole=", asked)
        self.assertEqual(asked.count(b"Authorization:"), 1)
        self.assertIn(b"Accept: text/html\r\n", asked)
        self.assertIn(b'If-None-Match: "etag"\r\n', asked)

    def test_only_known_headers_return(self) -> None:
        """
        A backend sets no cookie on the proxy's origin, and no header of connections.
        """
        self.stage.backend(
            b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nSet-Cookie: a=b\r\nServer: x\r\n"
            b"Keep-Alive: timeout=1\r\nAccess-Control-Allow-Origin: *\r\n"
            b"Content-Security-Policy: default-src 'self'\r\nX-Ajaxterm-Offset: 7\r\n\r\nok"
        )

        answer = self.stage.ask_console()

        self.assertEqual(
            set(answer.headers)
            & {"set-cookie", "keep-alive", "access-control-allow-origin", "x-ajaxterm-offset"},
            {"x-ajaxterm-offset"},
        )
        self.assertEqual(answer.headers["content-security-policy"], "default-src 'self'")
        self.assertNotEqual(answer.headers.get("server"), "x")

    def test_body_is_posted(self) -> None:
        """
        A body arrives whole.
        """
        self.stage.backend()
        browser = self.stage.browser(
            f"POST /console/{NAME}/poll HTTP/1.1\r\nHost: 127.0.0.1\r\n"
            f"Cookie: {self.stage.cookie()}\r\nContent-Length: 200000\r\n\r\n".encode()
            + b"x" * 200_000
        )

        self.stage.backends[0].say(POSTED)
        self.stage.clock.flush()

        self.assertEqual(answer_in(browser.heard).body, b"ok")
        self.assertTrue(self.stage.backends[0].heard.endswith(b"\r\n\r\n" + b"x" * 200_000))

    def test_chunked_answer(self) -> None:
        """
        An answer whose length is not known beforehand arrives whole.
        """
        self.stage.backend(CHUNKED)

        self.assertEqual(self.stage.ask_console("log").body, b"hello")

    def test_statuses_pass(self) -> None:
        """
        What the ajaxterm answers is what the browser gets.
        """
        for status in (b"204 No Content", b"304 Not Modified", b"403 Forbidden", b"404 Not Found"):
            stage = Stage()
            stage.grants.authorize(some_grant())
            stage.backend(b"HTTP/1.1 " + status + b"\r\nContent-Length: 0\r\n\r\n")

            self.assertEqual(stage.ask_console().status, int(status[:3]))

    def test_refused_page(self) -> None:
        """
        A grant that the agent tells still, and that is over at the ajaxterm: whoever opens
        the page gets the sentence of a link that is over, and nothing of what came.
        """
        for path in ("", "?a=b"):
            stage = Stage()
            stage.grants.authorize(some_grant())
            stage.backend(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 5\r\n\r\nplain")

            answer = stage.ask_console(path)

            self.assertEqual(answer.status, 403)
            self.assertIn(b"This link opens no console", answer.body)
            self.assertNotIn(b"plain", answer.body)
            self.assertEqual(len(stage.resource.connections), 0)

    def test_nobody_listens(self) -> None:
        """
        A console whose process is gone is answered 502, with what to do.
        """
        answer = self.stage.ask_console()

        self.assertEqual(answer.status, 502)
        self.assertIn(b"The console is gone", answer.body)

    def test_nobody_answers_the_connection(self) -> None:
        """
        A host that is cut off keeps nobody waiting for long.
        """
        self.stage.clock.hang(HOST, PORT)

        browser = self.start()
        self.stage.clock.pass_time(6)

        self.assertEqual(answer_in(browser.heard).status, 502)

    def test_no_answer(self) -> None:
        """
        An ajaxterm that is stuck is answered for with 504, after longer than a poll is held.
        """
        self.stage.backend()

        browser = self.start()
        self.stage.clock.pass_time(39)
        self.assertEqual(browser.heard, b"")
        self.stage.clock.pass_time(2)

        self.assertEqual(answer_in(browser.heard).status, 504)

    def test_answer_before_the_whole_body(self) -> None:
        """
        A backend may refuse a body before it has it all; nothing is logged as an error.
        """
        self.stage.backend(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n")

        answer = self.stage.ask_console("poll", "POST", b"x" * 200_000)

        self.assertEqual(answer.status, 403)
        self.assertEqual(self.flushLoggedErrors(), [])

    def test_headers_that_are_no_text(self) -> None:
        """
        Bytes that are no UTF-8 in a header are the console's to judge, and break nothing here.
        """
        self.stage.backend(POSTED)

        browser = self.stage.browser(
            f"GET /console/{NAME}/ HTTP/1.1\r\nHost: 127.0.0.1\r\n"
            f"Cookie: {self.stage.cookie()}\r\n".encode()
            + b"Accept-Language: \xff\xfe\r\n\r\n"
        )

        self.assertEqual(answer_in(browser.heard).status, 200)
        self.assertIn(b"Accept-Language: \xff\xfe\r\n", self.stage.backends[0].heard)

    def test_head(self) -> None:
        """
        A HEAD is asked as such, and its answer does not claim a length of its own.
        """
        self.stage.backend(b"HTTP/1.1 200 OK\r\nContent-Length: 700\r\n\r\n")

        answer = self.stage.ask_console("log", "HEAD")

        self.assertEqual((answer.status, answer.body), (200, b""))
        self.assertNotEqual(answer.headers.get("content-length"), "0")

    def test_pipelined_heads(self) -> None:
        """
        Of two that were asked in one breath each is answered, and a GET behind them, on the same
        connection, by headers alone and by its body.
        """
        self.stage.backend(POSTED.removesuffix(b"ok"), POSTED.removesuffix(b"ok"), POSTED)
        end = f"/console/{NAME}/log HTTP/1.1\r\nHost: 127.0.0.1\r\nCookie: {self.stage.cookie()}"
        words = "".join(f"{method} {end}\r\n\r\n" for method in ("HEAD", "HEAD", "GET"))

        browser = self.stage.browser(words.encode())

        answers = browser.heard.split(b"HTTP/1.1 200 OK\r\n")[1:]
        self.assertEqual([each.partition(b"\r\n\r\n")[2] for each in answers], [b"", b"", b"ok"])
        self.assertTrue(all(b"X-Content-Type-Options: nosniff" in each for each in answers))
        self.assertFalse(browser.lost)

    def test_old_client(self) -> None:
        """
        One of HTTP/1.0 gets an answer without chunks, and its end by the connection's.
        """
        self.stage.backend(CHUNKED)
        browser = self.stage.browser(
            f"GET /console/{NAME}/log HTTP/1.0\r\nHost: 127.0.0.1\r\n"
            f"Cookie: {self.stage.cookie()}\r\n\r\n".encode()
        )

        self.assertTrue(browser.heard.startswith(b"HTTP/1.0 200 OK\r\n"))
        self.assertNotIn(b"Transfer-Encoding", browser.heard)
        self.assertTrue(browser.heard.endswith(b"\r\n\r\nhello"))
        self.assertTrue(browser.lost)

    def test_no_http(self) -> None:
        """
        What answers something else than HTTP is broken.
        """
        self.stage.backend(b"SSH-2.0-OpenSSH_9\r\n")

        self.assertEqual(self.stage.ask_console().status, 502)

    def test_backend_hangs_up(self) -> None:
        """
        One that hangs up before it answers, too.
        """
        self.stage.backend()
        browser = self.start()

        self.stage.backends[0].hang_up()
        self.stage.clock.flush()

        self.assertEqual(answer_in(browser.heard).status, 502)

    def test_cut_answer_is_cut(self) -> None:
        """
        An answer that ends too early does not look whole to the browser.
        """
        self.stage.backend(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nonly this")
        browser = self.start()

        self.stage.backends[0].hang_up()
        self.stage.clock.flush()

        self.assertTrue(browser.heard.endswith(b"only this"))
        self.assertTrue(browser.lost)

    def test_browser_leaves_first(self) -> None:
        """
        A tab that is closed in the middle takes its connection to the console with it, and
        nothing is logged as an error.
        """
        self.stage.backend(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nonly this")
        browser = self.start()

        assert browser.transport is not None
        browser.transport.loseConnection()
        self.stage.clock.flush()

        self.assertTrue(self.stage.backends[0].lost)
        self.assertEqual(self.flushLoggedErrors(), [])

    def test_browser_leaves_before_the_answer(self) -> None:
        """
        So does one that is closed while a poll is held; and its grant begins to age.
        """
        stage = self.stage = Stage()
        stage.grants.authorize(some_grant(lifetime=20.0))
        stage.backend()
        browser = self.start()
        stage.clock.pass_time(25)
        self.assertEqual(len(stage.grants), 1)

        assert browser.transport is not None
        browser.transport.loseConnection()
        stage.clock.flush()

        self.assertTrue(stage.backends[0].lost)
        self.assertIsNotNone(stage.grants.find(NAME))
        stage.clock.advance(20)
        self.assertIsNone(stage.grants.find(NAME))
        self.assertEqual(self.flushLoggedErrors(), [])

    def test_slow_browser_stops_the_backend(self) -> None:
        """
        What a browser does not take is not read from the console: a few hundred KiB wait in
        the proxy, and the rest where it comes from.
        """
        self.stage.backend(b"HTTP/1.1 200 OK\r\nContent-Length: 3000000\r\n\r\n" + b"x" * 3_000_000)
        browser = self.stage.browser(room=1000)
        assert browser.transport is not None
        browser.transport.pauseProducing()
        browser.say(
            f"GET /console/{NAME}/log HTTP/1.1\r\nHost: 127.0.0.1\r\n"
            f"Cookie: {self.stage.cookie()}\r\n\r\n".encode()
        )
        self.stage.clock.flush()

        ajaxterm, _ = self.stage.clock.made[0]
        self.assertGreater(ajaxterm.queued, 3_000_000 - 500_000)
        browser.transport.resumeProducing()
        self.stage.clock.flush()

        self.assertEqual(len(answer_in(browser.heard).body), 3_000_000)

    def test_stuck_browser_is_cut(self) -> None:
        """
        Who reads nothing for minutes keeps neither the console's connection nor a place here.
        """
        self.stage.backend(b"HTTP/1.1 200 OK\r\nContent-Length: 3000000\r\n\r\n" + b"x" * 3_000_000)
        browser = self.stage.browser(room=1000)
        assert browser.transport is not None
        browser.transport.pauseProducing()
        browser.say(
            f"GET /console/{NAME}/log HTTP/1.1\r\nHost: 127.0.0.1\r\n"
            f"Cookie: {self.stage.cookie()}\r\n\r\n".encode()
        )
        self.stage.clock.flush()
        ajaxterm, _ = self.stage.clock.made[0]

        self.stage.clock.pass_time(_Answering.STUCK - 1)
        self.assertTrue(ajaxterm.connected)
        self.stage.clock.pass_time(2)

        self.assertFalse(ajaxterm.connected)
        browser.transport.resumeProducing()
        self.stage.clock.flush()
        self.assertTrue(browser.lost)

    def test_connection_is_used_again(self) -> None:
        """
        Two requests for one console need one connection, and each bears its own secret.
        """
        second = some_grant("g" + "2" * 16, "2" * 43, secret="s" * 30)
        self.stage.grants.authorize(second)
        self.stage.backend(POSTED, POSTED)

        self.stage.ask_console()
        self.stage.ask(
            "GET", f"/console/{second.name}/", {"Cookie": self.stage.cookie(second.name)}
        )

        self.assertEqual(len(self.stage.clock.dialled), 1)
        heard = self.stage.backends[0].heard
        self.assertEqual(heard.count(SECRET.encode()), 1)
        self.assertEqual(heard.count(b"s" * 30), 1)

    def test_closing(self) -> None:
        """
        A proxy that is stopped leaves no connection behind.
        """
        self.stage.backend(POSTED)
        self.stage.ask_console()
        self.assertFalse(self.stage.backends[0].lost)

        closing = self.stage.relay.close()
        self.stage.clock.flush()

        self.successResultOf(closing)
        self.assertTrue(self.stage.backends[0].lost)

    def test_ipv6(self) -> None:
        """
        A console may listen on an IPv6 address.
        """
        self.stage.grants.authorize(some_grant(host="2001:db8::7"))

        self.stage.ask_console()

        self.assertEqual(self.stage.clock.dialled, [("2001:db8::7", PORT)])
