"""
Tests for L{ajaxterm.web} behind the proxy: every path, with and without leave.
"""

from __future__ import annotations

from pathlib import Path

from twisted.logger import globalLogPublisher
from twisted.test.proto_helpers import EventLoggingObserver
from twisted.trial.unittest import SynchronousTestCase

from ajaxterm.web import NoPage, Page
from tests.ajaxterm.stage import Stage

UPGRADE = {
    "Upgrade": "websocket",
    "Connection": "Upgrade",
    "Sec-WebSocket-Version": "13",
    "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
}
PATHS = ["/", "/assets/page-1.js", "/log", "/ws", "/nothing", "/assets/", "/../etc/passwd"]


class LeaveTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.stage = Stage()
        self.stage.grant("good")
        self.stage.grant("old", lifetime=10)
        self.stage.grant("gone")
        self.stage.session.revoke("g-gone")
        self.stage.clock.advance(10)

    def test_without_leave_there_is_nothing(self) -> None:
        """
        No secret, a wrong, an expired or a revoked one: 403 on every path, by every method,
        which tells nothing of what is there.
        """
        for path in PATHS:
            for secret in (None, "wrong", "old", "gone"):
                for method in ("GET", "HEAD", "POST"):
                    answer = self.stage.ask(method, path, secret)
                    self.assertEqual(answer.status, 403, (path, secret, method))
                    self.assertEqual(b"You have no leave" in answer.body, method != "HEAD")

    def test_odd_authorization_is_none(self) -> None:
        """
        Other schemes, several headers and bytes that are no ASCII are as good as nothing.
        """
        for value in ("Basic good", "good", "Bearer", "Bearer  good", "Bearer good good"):
            answer = self.stage.ask("GET", "/", headers={"Authorization": value})
            self.assertEqual(answer.status, 403, value)
        twice = {"Authorization": "Bearer good", "authorization": "Bearer good"}
        self.assertEqual(self.stage.ask("GET", "/", headers=twice).status, 403)
        answer = self.stage.ask("GET", "/", headers={"Authorization": "Bearer g\xf6\xf6d"})
        self.assertEqual(answer.status, 403)

    def test_token_in_the_url_is_no_secret(self) -> None:
        """
        Behind the proxy, a URL opens nothing here.
        """
        self.assertEqual(self.stage.ask("GET", "/?token=good").status, 403)

    def test_with_leave(self) -> None:
        """
        Every path has its answer.
        """
        for path, status in [
            ("/", 200),
            ("/?replay=1", 200),
            ("/assets/page-1.js", 200),
            ("/assets/page-1.css", 200),
            ("/log", 200),
            ("/ws", 400),
            ("/nothing", 404),
            ("/assets/", 404),
            ("/assets/nothing.js", 404),
            ("/assets/../index.html", 404),
            ("/assets/%2e%2e%2fetc/passwd", 404),
            ("/log/", 404),
            ("//", 404),
        ]:
            self.assertEqual(self.stage.ask("GET", path, "good").status, status, path)
            self.assertEqual(self.stage.ask("HEAD", path, "good").status, status, path)

    def test_other_methods(self) -> None:
        """
        Only GET and HEAD: 405 for all others, saying so.
        """
        for method in ("POST", "PUT", "DELETE", "OPTIONS", "BREW"):
            answer = self.stage.ask(method, "/", "good", body=b"x")
            self.assertEqual(answer.status, 405)
            self.assertEqual(answer.headers["allow"], "GET, HEAD")
            self.assertEqual(answer.headers["x-content-type-options"], "nosniff")
            self.assertTrue(answer.headers["content-type"].startswith("text/plain"))


class AnswerTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.stage = Stage(title='web1 "serial0"\r\nX: y')
        self.stage.grant("s")

    def test_strict_headers(self) -> None:
        """
        Whatever is answered, a browser is told to be strict about it.
        """
        for path in ("/", "/assets/page-1.js", "/log", "/ws", "/nothing"):
            for secret in ("s", "wrong"):
                headers = self.stage.ask("GET", path, secret).headers
                self.assertEqual(headers["x-content-type-options"], "nosniff")
                self.assertEqual(headers["referrer-policy"], "no-referrer")
                self.assertEqual(headers["cross-origin-resource-policy"], "same-origin")
                self.assertIn("default-src 'none'", headers["content-security-policy"])

    def test_page(self) -> None:
        """
        The page may run its own files, and nothing inline; it is not kept by the browser.
        """
        answer = self.stage.ask("GET", "/", "s")

        self.assertEqual(answer.body, b"<html>")
        self.assertEqual(answer.headers["content-type"], "text/html; charset=utf-8")
        self.assertEqual(answer.headers["cache-control"], "no-store")
        policy = answer.headers["content-security-policy"]
        self.assertIn("script-src 'self';", policy)
        self.assertIn("style-src 'self';", policy)
        self.assertNotIn("unsafe", policy)

    def test_assets_are_kept(self) -> None:
        """
        Files with a hash in their name never change, and have their type.
        """
        for name, kind in [
            ("page-1.js", "text/javascript; charset=utf-8"),
            ("page-1.css", "text/css; charset=utf-8"),
            ("odd", "application/octet-stream"),
        ]:
            headers = self.stage.ask("GET", f"/assets/{name}", "s").headers
            self.assertEqual(headers["content-type"], kind)
            self.assertIn("immutable", headers["cache-control"])

    def test_compressed(self) -> None:
        """
        Who can read it gets what was compressed when the page was built, and caches are told.
        """
        for offered, body, coding in [
            ("gzip, deflate, br, zstd", b"css in brotli", "br"),
            ("gzip, deflate", b"css in gzip", "gzip"),
            ("GZIP", b"css in gzip", "gzip"),
            ("br;q=0, gzip;q=0.5", b"css in gzip", "gzip"),
            ("br; q=0.000, gzip;q=0", b"css{}", None),
            ("brotli", b"css{}", None),
            ("identity", b"css{}", None),
            ("*", b"css{}", None),
            ("", b"css{}", None),
        ]:
            headers = {"Accept-Encoding": offered} if offered else {}
            answer = self.stage.ask("GET", "/assets/page-1.css", "s", headers)

            self.assertEqual((answer.body, answer.headers.get("content-encoding")), (body, coding))
            self.assertEqual(answer.headers["content-type"], "text/css; charset=utf-8")
            self.assertEqual(answer.headers["vary"], "Accept-Encoding")
        plain = self.stage.ask("GET", "/assets/page-1.js", "s", {"Accept-Encoding": "br"})
        self.assertEqual(plain.body, b"js()")

    def test_compressed_by_name(self) -> None:
        """
        There is one name for a file, however it is sent.
        """
        for suffix in (".br", ".gz"):
            answer = self.stage.ask("GET", f"/assets/page-1.css{suffix}", "s")
            self.assertEqual(answer.status, 404)

    def test_log(self) -> None:
        """
        The scrollback is a file to save, named after the guest, with nothing changed.
        """
        self.stage.output(bytes(range(256)))

        answer = self.stage.ask("GET", "/log", "s")

        self.assertEqual(answer.body, bytes(range(256)))
        self.assertEqual(answer.headers["content-type"], "application/octet-stream")
        disposition = 'attachment; filename="web1-serial0-X-y.log"'
        self.assertEqual(answer.headers["content-disposition"], disposition)
        self.assertEqual(answer.headers["x-ajaxterm-offset"], "0")

    def test_log_without_a_title(self) -> None:
        """
        It has a name in any case.
        """
        stage = Stage(title="\N{GRINNING FACE}")
        stage.grant("s")

        answer = stage.ask("GET", "/log", "s")

        self.assertIn('"console.log"', answer.headers["content-disposition"])

    def test_head_is_get_without_a_body(self) -> None:
        """
        HEAD says how long a file is, and sends nothing of it.
        """
        self.stage.output(b"x" * 1000)

        answer = self.stage.ask("HEAD", "/log", "s")

        self.assertEqual((answer.status, answer.body), (200, b""))
        self.assertEqual(answer.headers["content-length"], "1000")

    def test_body_that_is_too_long(self) -> None:
        """
        A large upload is refused before it is there.
        """
        answer = self.stage.ask("POST", "/", "s", body=b"x" * ((1 << 20) + 1))

        self.assertEqual(answer.status, 413)

    def test_requests_are_not_logged(self) -> None:
        """
        Neither a URL nor a secret gets into a log, HEAD included.
        """
        seen = EventLoggingObserver()
        globalLogPublisher.addObserver(seen)
        self.addCleanup(globalLogPublisher.removeObserver, seen)

        for method in ("GET", "HEAD", "POST", "BREW"):
            for secret in ("s", "canary-3"):
                self.stage.ask(method, "/log?token=canary-1&x=canary-2", secret)

        self.assertNotIn("canary", repr(list(seen)))


class AttachTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.stage = Stage()
        self.stage.grant("s")

    def test_sockets_need_leave_too(self) -> None:
        """
        A WebSocket with no or a wrong secret is refused with 403.
        """
        for path in ("/ws", "/"):
            self.assertEqual(self.stage.ask("GET", path, None, UPGRADE).status, 403)
            self.assertEqual(self.stage.ask("GET", path, "wrong", UPGRADE).status, 403)

    def test_bad_handshake(self) -> None:
        """
        400, with a sentence and the version that is spoken.
        """
        for path in ("/ws", "/"):
            headers = {**UPGRADE, "Sec-WebSocket-Version": "8"}
            answer = self.stage.ask("GET", path, "s", headers)
            self.assertEqual(answer.status, 400)
            self.assertEqual(answer.headers["sec-websocket-version"], "13")
            self.assertIn(b"version 13", answer.body)

    def test_attached_at_either_path(self) -> None:
        """
        Clients of nova-serialproxy connect to the root.
        """
        for path in ("/ws", "/"):
            self.assertEqual(self.stage.plain("s", path).accepted, "binary")

    def test_head_attaches_nothing(self) -> None:
        """
        HEAD is no handshake (RFC 6455, 4.1).
        """
        answer = self.stage.ask("HEAD", "/ws", "s", UPGRADE)

        self.assertEqual(answer.status, 400)
        self.assertEqual(self.stage.session.viewers(), [])

    def test_other_upgrades_of_the_page_are_ignored(self) -> None:
        """
        C{curl --http2} offers h2c; it gets the page (RFC 9110, 7.8).
        """
        headers = {"Upgrade": "h2c", "Connection": "Upgrade"}

        self.assertEqual(self.stage.ask("GET", "/", "s", headers).body, b"<html>")


class PageTests(SynchronousTestCase):
    def test_page_that_was_not_built(self) -> None:
        """
        In a fresh checkout the sentence says how to build it.
        """
        missing = self.assertRaises(NoPage, Page.load, Path(self.mktemp()))

        self.assertIn("npm run build", str(missing))

    def test_page_in_a_folder(self) -> None:
        """
        All files are held in memory, folders left out.
        """
        folder = Path(self.mktemp())
        folder.mkdir()
        (folder / "index.html").write_bytes(b"<html>")
        (folder / "sub").mkdir()

        page = Page.load(folder)

        self.assertEqual(page.file("index.html"), (b"<html>", "text/html; charset=utf-8"))
        self.assertIsNone(page.file("sub"))
