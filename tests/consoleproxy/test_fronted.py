"""
Tests for L{consoleproxy.web} behind a reverse proxy: what it is told of the outside, and what
odd requests make of it.
"""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from consoleproxy.embedding import embeddable
from consoleproxy.grants import Grants
from tests.consoleproxy.sockets import ASKED, SWITCHED, PipeTestCase
from tests.consoleproxy.stage import NAME, PEER, TOKEN, Browser, Stage, answer_in, some_grant

OUTER = {
    "Host": "10.0.0.2:6083",
    "X-Forwarded-For": "198.51.100.7",
    "X-Forwarded-Proto": "https",
    "X-Forwarded-Host": "console.example",
}
PAGE = b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\nConnection: close\r\n\r\n<html>"


class _Case(PipeTestCase):
    def on(self, *trusted: str, base_path: str = "/") -> Stage:
        self.stage = Stage(base_path, hosts=["console.example"], trusted=trusted)
        self.stage.grants.authorize(some_grant())
        return self.stage

    def unknown(self, number: int, client: str) -> Browser:
        """
        One who shows a token that opens nothing.
        """
        words = (
            f"GET /?token={number:043} HTTP/1.1\r\nHost: 127.0.0.1\r\n"
            f"X-Forwarded-For: {client}\r\n\r\n"
        )
        return self.stage.browser(words.encode())


class CookieTests(_Case):
    """
    TLS that ends in front of us is TLS to the browser.
    """

    def test_secure(self) -> None:
        """
        The cookie is then for TLS alone, and no other is taken.
        """
        stage = self.on(PEER)
        stage.backend(PAGE)

        exchanged = stage.ask("GET", f"/?token={TOKEN}", OUTER)
        cookie = exchanged.headers["set-cookie"]
        secure, plain = cookie.partition(";")[0], stage.cookie()
        path = f"/console/{NAME}/"

        self.assertTrue(cookie.startswith("__Secure-ajaxconsole="))
        self.assertIn("; Secure", cookie)
        self.assertEqual(stage.ask("GET", path, {**OUTER, "Cookie": secure}).status, 200)
        self.assertEqual(stage.ask("GET", path, {**OUTER, "Cookie": plain}).status, 403)

    def test_forged(self) -> None:
        """
        A client that says so itself is not believed.
        """
        for stage in (self.on(), self.on("10.0.0.0/8")):
            answer = stage.ask("GET", f"/?token={TOKEN}", OUTER)

            self.assertTrue(answer.headers["set-cookie"].startswith("ajaxconsole="))
            self.assertNotIn("Secure", answer.headers["set-cookie"])


class OriginTests(_Case):
    """
    A page's origin is what its browser has in the address bar.
    """

    def statuses(self, origins: list[str], headers: dict[str, str]) -> list[bytes]:
        self.stage.backend(SWITCHED)
        secure = headers.get("X-Forwarded-Proto") == "https" and PEER in self.trusted
        cookie = self.stage.cookies.make(NAME, secure).partition(";")[0]
        asked = ASKED.partition("\r\n")[2]
        found = []
        for origin in origins:
            said = "".join(f"{k}: {v}\r\n" for k, v in {**headers, "Origin": origin}.items())
            words = f"GET /console/{NAME}/ws HTTP/1.1\r\n{said}Cookie: {cookie}\r\n{asked}\r\n"
            found.append(self.stage.browser(words.encode()).heard[9:12])
        return found

    def test_forwarded(self) -> None:
        """
        The outer origin is ours, and it has TLS; the inner one, others, none (C{null}), and
        the same name without TLS are not.
        """
        self.trusted = [PEER]
        self.on(PEER)

        statuses = self.statuses(
            [
                "https://console.example",
                "https://console.example:443",
                "http://console.example",
                "https://console.example:8443",
                "http://10.0.0.2:6083",
                "https://evil.example",
                "https://console.example.evil.example",
                "null",
            ],
            OUTER,
        )

        self.assertEqual(statuses, [b"101", b"101", *[b"403"] * 6])

    def test_forwarded_by_a_stranger(self) -> None:
        """
        Who is not trusted can't make a foreign origin ours.
        """
        self.trusted = []
        self.on()

        forged = {**OUTER, "X-Forwarded-Host": "evil.example", "Host": "console.example"}
        statuses = self.statuses(["https://evil.example", "https://console.example"], forged)

        self.assertEqual(statuses, [b"403", b"101"])

    def test_refused_once_refused_again(self) -> None:
        """
        A name or origin that was refused does not become known by that (nova's 2158919).
        """
        self.trusted = [PEER]
        self.on(PEER)
        evil = {**OUTER, "X-Forwarded-Host": "evil.example"}

        for _ in range(3):
            self.assertEqual(self.statuses(["https://evil.example"], evil), [b"403"])
            self.assertEqual(self.statuses(["https://evil.example"], OUTER), [b"403"])


class HostTests(_Case):
    def test_hosts(self) -> None:
        """
        Exactly one Host, which is ours, inside and outside.
        """
        stage = self.on(PEER)
        for lines, status in (
            ("Host: console.example", 303),
            ("Host: CONSOLE.example:8443", 303),
            ("Host: 127.0.0.1\r\nX-Forwarded-Host: console.example", 303),
            ("Host: 127.0.0.1\r\nX-Forwarded-Host: evil.example", 403),
            ("Host: evil.example\r\nX-Forwarded-Host: console.example", 403),
            ("Host: console.example\r\nHost: console.example", 400),
            ("Host: console.example\r\nHost: evil.example", 400),
            ("Host:", 403),
            ("X-No-Host: 1", 403),
            ("Host: console.example@evil.example", 403),
            ("Host: console.example/", 403),
            ("Host: console.example evil.example", 403),
            ("Host: console.example.", 403),
            ("Host: console.example:99999999", 403),
        ):
            words = f"GET /?token={TOKEN} HTTP/1.1\r\n{lines}\r\n\r\n"
            answer = answer_in(stage.browser(words.encode()).heard)
            self.assertIn(answer.status, (status, 400) if status == 403 else (status, 403), lines)
            self.assertEqual("set-cookie" in answer.headers, status == 303, lines)


class SlowingTests(_Case):
    """
    Who tries many tokens waits; by the address of the client, not of the reverse proxy.
    """

    def test_by_client(self) -> None:
        """
        One client's many unknown tokens do not keep another from having its own waited for.
        """
        stage = self.on(PEER)
        for number in range(Grants.MOST_FROM):
            self.assertEqual(self.unknown(number, "198.51.100.7").heard, b"")

        one_more = answer_in(self.unknown(99, "198.51.100.7").heard)
        other = self.unknown(100, "198.51.100.8")

        self.assertEqual((one_more.status, one_more.headers["retry-after"]), (429, "1"))
        self.assertEqual(other.heard, b"")
        stage.clock.pass_time(1.1, 0.1)
        self.assertEqual(answer_in(other.heard).status, 403)

    def test_by_network(self) -> None:
        """
        With IPv6, addresses are cheap: a network of 64 bits is one client.
        """
        self.on(PEER)
        for number in range(Grants.MOST_FROM):
            self.unknown(number, f"2001:db8::{number:x}")

        self.assertEqual(answer_in(self.unknown(99, "2001:db8::ffff:1").heard).status, 429)
        self.assertEqual(self.unknown(100, "2001:db8:0:1::1").heard, b"")

    def test_forged_address(self) -> None:
        """
        Who is not trusted can't be many by saying so.
        """
        self.on()
        for number in range(Grants.MOST_FROM):
            self.unknown(number, f"198.51.100.{number}")

        self.assertEqual(answer_in(self.unknown(99, "203.0.113.1").heard).status, 429)

    def test_valid_ones_are_never_slowed(self) -> None:
        """
        Not even from the address that the flood comes from, at its worst.
        """
        stage = self.on(PEER)
        for number in range(Grants.MOST_WAITING + 50):
            self.unknown(number, f"198.51.100.{number // Grants.MOST_FROM}")

        valid = stage.browser(
            f"GET /?token={TOKEN} HTTP/1.1\r\nHost: 127.0.0.1\r\n"
            "X-Forwarded-For: 198.51.100.7\r\n\r\n".encode()
        )

        self.assertEqual(answer_in(valid.heard).status, 303)


class EmbeddingTests(SynchronousTestCase):
    """
    Pages of other sites that show a console in a frame.
    """

    def framed(self, origins: list[str], policy: bytes) -> tuple[str, str | None]:
        stage = Stage(origins=origins)
        stage.grants.authorize(some_grant())
        stage.backend(
            b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\nX-Frame-Options: SAMEORIGIN\r\n"
            b"Content-Security-Policy: " + policy + b"\r\n\r\n<html>"
        )
        headers = stage.ask_console().headers
        return headers["content-security-policy"], headers.get("x-frame-options")

    def test_allowed(self) -> None:
        """
        Those that are allowed may, beside our own.
        """
        self.assertEqual(
            self.framed(
                ["https://horizon.example", "https://b.example:8443/"],
                b"frame-ancestors 'self'; base-uri 'none'",
            ),
            (
                "frame-ancestors 'self' https://horizon.example https://b.example:8443; "
                "base-uri 'none'",
                None,
            ),
        )

    def test_nobody_else(self) -> None:
        """
        Without them nobody else may; and what nobody may frame, nobody may.
        """
        own, none = b"frame-ancestors 'self'", b"frame-ancestors 'none'"

        self.assertEqual(self.framed([], own), (own.decode(), "SAMEORIGIN"))
        allowed = ["https://horizon.example"]
        self.assertEqual(self.framed(allowed, none), (none.decode(), "SAMEORIGIN"))

    def test_several_policies(self) -> None:
        """
        Of several policies none is lost, and each is widened that has to be.
        """
        own, other, none = (
            b"frame-ancestors 'self'",
            b"default-src 'self'",
            b"frame-ancestors 'none'",
        )
        wider = own + b" https://horizon.example"
        embed = embeddable(["https://horizon.example"])
        for policies, expected, framed in (
            ([own, other], [wider, other], True),
            ([other, own, own], [other, wider, wider], True),
            ([own, none], [wider, none], False),
            ([other], [other], False),
        ):
            headers = {b"Content-Security-Policy": policies, b"X-Frame-Options": [b"SAMEORIGIN"]}

            embed(headers)

            self.assertEqual(headers[b"Content-Security-Policy"], expected)
            self.assertEqual(b"X-Frame-Options" not in headers, framed)


class PrefixTests(_Case):
    def test_kept_or_stripped(self) -> None:
        """
        The same, whether the reverse proxy takes our prefix away or not.
        """
        stage = self.on(base_path="/a/b/")
        stage.backend(PAGE)
        for prefix in ("/a/b", ""):
            exchanged = stage.ask("GET", f"{prefix}/?token={TOKEN}")
            self.assertEqual(exchanged.headers["location"], f"console/{NAME}/")
            self.assertIn(f"Path=/a/b/console/{NAME}/;", exchanged.headers["set-cookie"])
            cookie = {"Cookie": stage.cookie()}
            page = stage.ask("GET", f"{prefix}/console/{NAME}/", cookie)
            self.assertEqual(page.body, b"<html>")
        self.assertEqual(stage.ask("GET", f"/a/b/a/b/console/{NAME}/", cookie).status, 404)


class RedirectTests(_Case):
    """
    Nothing that a client sends leads anywhere else (CVE-2021-3654).
    """

    def test_odd_targets(self) -> None:
        """
        However a path is written, the answer is our own relative address or none.
        """
        stage = self.on()
        cookie = {"Cookie": stage.cookie()}
        for target in (
            "//evil.example/%2F..",
            "//evil.example/..;/",
            "///evil.example/",
            "/\\evil.example/",
            "/%5cevil.example/",
            "/%2f%2fevil.example/",
            "//evil.example",
            f"//evil.example/console/{NAME}",
            f"//?token={TOKEN}",
            f"/%2f?token={TOKEN}",
            f"/./?token={TOKEN}",
            f"/x/../?token={TOKEN}",
            f"http://evil.example/?token={TOKEN}",
            f"http://evil.example/console/{NAME}",
            f"/console//{NAME}",
            f"/console/{NAME}%2f",
            f"/console/{NAME}\\",
            f"/CONSOLE/{NAME}",
            f"/console/{NAME};/",
        ):
            answer = stage.ask("GET", target, cookie)
            self.assertEqual((answer.status, answer.headers.get("location")), (404, None), target)
        for target, location in (
            (f"/?token={TOKEN}&next=//evil.example/", f"console/{NAME}/"),
            (f"/?token={TOKEN}#//evil.example/", None),
            (f"/console/{NAME}?//evil.example/", None),
            (f"/console/{NAME}?x=evil.example", f"{NAME}/"),
        ):
            answer = stage.ask("GET", target, cookie)
            self.assertEqual(answer.headers.get("location"), location, target)
