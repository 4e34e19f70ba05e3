"""
Tests for L{consoleproxy.web}: who is let in, and who is not.
"""

from __future__ import annotations

import time

from twisted.trial.unittest import SynchronousTestCase

from consoleproxy.pages import SENTENCES
from tests.consoleproxy.stage import NAME, SECRET, TOKEN, Stage, answer_in, some_grant

OTHER = "g" + "f" * 16
PAGE = (
    b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\nContent-Type: text/html\r\n"
    b"Connection: close\r\n\r\n<html>"
)


class ExchangeTests(SynchronousTestCase):
    """
    The token in the URL becomes a cookie, and leaves the address bar.
    """

    def setUp(self) -> None:
        self.stage = Stage()
        self.stage.grants.authorize(some_grant())

    def test_token_becomes_a_cookie(self) -> None:
        """
        The browser is sent to the console's own path, with a cookie for it.
        """
        answer = self.stage.ask("GET", f"/?token={TOKEN}")

        self.assertEqual(answer.status, 303)
        self.assertEqual(answer.headers["location"], f"console/{NAME}/")
        self.assertTrue(answer.headers["set-cookie"].startswith(self.stage.cookie()))
        self.assertNotIn(TOKEN, str(answer))
        self.assertNotIn(SECRET, str(answer))

    def test_the_link_works_again(self) -> None:
        """
        It can be pasted into a second browser.
        """
        self.stage.ask("GET", f"/?token={TOKEN}")

        self.assertEqual(self.stage.ask("GET", f"/?token={TOKEN}").status, 303)

    def test_wrong_tokens(self) -> None:
        """
        What opens nothing is answered 403, with what to do, and no cookie.
        """
        for token in ("W" * 43, "", "x", "%00", "%ff" * 43, "T" * 5000, f"{TOKEN}&token={TOKEN}"):
            answer = self.stage.ask("GET", f"/?token={token}")

            self.assertEqual(answer.status, 403, token)
            self.assertIn(b"Ask for the console again", answer.body)
            self.assertNotIn("set-cookie", answer.headers)

    def test_expired_token(self) -> None:
        """
        A link that nobody opened in time is one that opens nothing.
        """
        self.stage.clock.advance(600)

        self.assertEqual(self.stage.ask("GET", f"/?token={TOKEN}").status, 403)

    def test_broker_away(self) -> None:
        """
        While nothing new reaches the proxy, an unknown link may be a good one.
        """
        self.stage.is_told = False

        unknown = self.stage.ask("GET", f"/?token={'W' * 43}")

        self.assertEqual(unknown.status, 503)
        self.assertIn(b"Reload this page in a moment", unknown.body)
        self.assertEqual(self.stage.ask("GET", f"/?token={TOKEN}").status, 303)

    def test_late_grant(self) -> None:
        """
        A user faster than the bus waits a moment, and is let in.
        """
        browser = self.stage.browser(
            f"GET /?token={'L' * 43} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n".encode()
        )
        self.assertEqual(browser.heard, b"")

        self.stage.grants.authorize(some_grant(OTHER, "L" * 43))
        self.stage.clock.flush()

        self.assertEqual(answer_in(browser.heard).status, 303)

    def test_browser_leaves_while_it_waits(self) -> None:
        """
        Nothing is left of one that goes away, and nothing is logged.
        """
        browser = self.stage.browser(
            f"GET /?token={'L' * 43} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n".encode()
        )

        assert browser.transport is not None
        browser.transport.loseConnection()
        self.stage.clock.flush()

        self.assertEqual(self.stage.grants.waiting, 0)
        self.assertEqual(self.flushLoggedErrors(), [])

    def test_nothing_at_the_root(self) -> None:
        """
        Without a token there is nothing at the root.
        """
        self.assertEqual(self.stage.ask("GET", "/").status, 404)

    def test_posted_token(self) -> None:
        """
        A token is not taken by POST: no form elsewhere can open a console.
        """
        answer = self.stage.ask("POST", f"/?token={TOKEN}", body=b"x=y")

        self.assertEqual(answer.status, 405)


class AdmissionTests(SynchronousTestCase):
    """
    Below a console's path the cookie decides.
    """

    def setUp(self) -> None:
        self.stage = Stage()
        self.stage.grants.authorize(some_grant())
        self.stage.backend(PAGE)

    def test_with_its_cookie(self) -> None:
        """
        The page comes from the console.
        """
        answer = self.stage.ask_console()

        self.assertEqual((answer.status, answer.body), (200, b"<html>"))

    def test_without_a_cookie(self) -> None:
        """
        Who knows only the grant's name, as logs do, is refused; no backend is asked.
        """
        for cookie in ("", "ajaxconsole=x", f"ajaxconsole={NAME}.{'A' * 43}"):
            answer = self.stage.ask("GET", f"/console/{NAME}/", {"Cookie": cookie})
            self.assertEqual(answer.status, 403)

        self.assertEqual(self.stage.clock.dialled, [])

    def test_with_another_consoles_cookie(self) -> None:
        """
        A cookie opens its own console only.
        """
        self.stage.grants.authorize(some_grant(OTHER, "O" * 43))

        answer = self.stage.ask("GET", f"/console/{OTHER}/", {"Cookie": self.stage.cookie()})

        self.assertEqual(answer.status, 403)

    def test_revoked(self) -> None:
        """
        A good cookie of a grant that is over opens nothing.
        """
        self.stage.grants.revoke(NAME)

        self.assertEqual(self.stage.ask_console().status, 403)

    def test_missing_slash(self) -> None:
        """
        Relative links need the slash at the end.  Browsers do not send the cookie there, so it
        is not asked for; and nothing is told of which grants there are.
        """
        for name in (NAME, OTHER):
            answer = self.stage.ask("GET", f"/console/{name}")

            self.assertEqual((answer.status, answer.headers["location"]), (303, f"{name}/"))
            self.assertEqual(answer.body, b"")

    def test_odd_paths(self) -> None:
        """
        What is odd about a path or query is refused rather than understood.
        """
        for target in (
            f"/console/{NAME}/../{OTHER}/",
            f"/console/{NAME}/./",
            f"/console/{NAME}//",
            f"/console/{NAME}/%2e%2e/",
            f"/console/{NAME}/a%00",
            f"/console/{NAME}/a\\b",
            f"/console/{NAME}/.hidden",
            f"/console/{NAME}/?q=<script>",
            f"/console/{NAME}/?{'q' * 2001}",
            f"/console/{NAME.upper()}/",
            "/console/",
            "/console",
            "/favicon.ico",
            f"//console/{NAME}/",
            f"http://127.0.0.1/console/{NAME}/",
        ):
            answer = self.stage.ask("GET", target, {"Cookie": self.stage.cookie()})
            self.assertEqual(answer.status, 404, target)

        self.assertEqual(self.stage.clock.dialled, [])

    def test_long_odd_path_is_refused_at_once(self) -> None:
        """
        A path made to be hard to read costs no more than another, also without a cookie.
        """
        began = time.monotonic()

        for path in ("a" * 27 + "%", "a/" * 2000 + "%", "~" * 5000 + "%"):
            self.assertEqual(self.stage.ask("GET", f"/console/{NAME}/{path}").status, 404)

        self.assertLess(time.monotonic() - began, 1.0)

    def test_methods(self) -> None:
        """
        Nobody can do more than read, and post from the console's own page.
        """
        for method in ("PUT", "DELETE", "OPTIONS", "TRACE", "CONNECT", "PATCH"):
            self.assertEqual(self.stage.ask_console(method=method).status, 405, method)

        own = {"Origin": "http://127.0.0.1"}
        foreign = {"Origin": "http://evil.example"}
        self.assertEqual(self.stage.ask_console("poll", "POST", b"{}", **own).status, 200)
        self.assertEqual(self.stage.ask_console("poll", "POST", b"{}", **foreign).status, 403)

    def test_foreign_host(self) -> None:
        """
        A name that is not ours is somebody's DNS pointing at us.
        """
        for host in ("evil.example", "evil.example:80", "", "127.0.0.1, x", "[::1", "a b"):
            answer = self.stage.ask_console(Host=host)
            self.assertIn(answer.status, (400, 403), host)

        self.assertEqual(self.stage.clock.dialled, [])

    def test_allowed_host(self) -> None:
        """
        Names can be allowed; addresses and localhost always are.
        """
        stage = Stage(hosts=["console.example"])
        stage.grants.authorize(some_grant())
        stage.backend(PAGE)

        for host in (
            "console.example",
            "CONSOLE.example:8443",
            "localhost:1",
            "[::1]:1",
            "10.1.2.3",
        ):
            self.assertEqual(stage.ask_console(Host=host).status, 200, host)

    def test_strict_headers(self) -> None:
        """
        Whatever the answer is, it can't be framed, sniffed, referred from or kept.
        """
        for answer in (
            self.stage.ask("GET", f"/?token={TOKEN}"),
            self.stage.ask("GET", "/?token=wrong"),
            self.stage.ask("GET", "/nothing"),
            self.stage.ask_console(Host="evil.example"),
        ):
            self.assertIn("frame-ancestors 'none'", answer.headers["content-security-policy"])
            self.assertEqual(answer.headers["x-content-type-options"], "nosniff")
            self.assertEqual(answer.headers["referrer-policy"], "no-referrer")
            self.assertEqual(answer.headers["cache-control"], "no-store")

    def test_head(self) -> None:
        """
        A HEAD is answered as a GET, without the body.
        """
        refused = self.stage.ask("HEAD", "/?token=wrong")

        self.assertEqual((refused.status, refused.body), (403, b""))


class PagesTests(SynchronousTestCase):
    """
    What the proxy says, it says in sentences.
    """

    def test_no_page_needs_a_script(self) -> None:
        """
        The pages of the proxy's own allow themselves one style, and nothing else.
        """
        answer = Stage().ask("GET", "/")

        policy = answer.headers["content-security-policy"]
        self.assertIn("default-src 'none'; style-src 'sha256-", policy)
        self.assertNotIn(b"<script", answer.body)

    def test_every_sentence_says_what_to_do(self) -> None:
        """
        Each has a status of its own kind, a heading and some advice.
        """
        for status, heading, advice in SENTENCES.values():
            self.assertTrue(400 <= status < 600)
            self.assertTrue(heading and not heading.endswith("."))
            self.assertTrue(advice.endswith("."))
