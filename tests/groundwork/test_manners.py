"""
Tests for L{groundwork.manners}: whose Host and whose Origin.
"""

from __future__ import annotations

import socket

from twisted.trial.unittest import SynchronousTestCase
from twisted.web.http_headers import Headers
from twisted.web.server import Request
from twisted.web.test.requesthelper import DummyChannel

from groundwork.manners import HostRule, OriginRule, be_strict, only


def headers(**values: str | list[str]) -> Headers:
    made = Headers()
    for name, value in values.items():
        for one in [value] if isinstance(value, str) else value:
            made.addRawHeader(name, one)
    return made


class OnlyTests(SynchronousTestCase):
    def test_once_or_not_at_all(self) -> None:
        """
        A header that decides something counts only if it is there once, in ASCII.
        """
        self.assertIsNone(only(headers(), "Host"))
        self.assertEqual(only(headers(Host=" x "), "Host"), "x")
        self.assertRaises(ValueError, only, headers(Host=["x", "x"]), "Host")
        self.assertRaises(ValueError, only, headers(Host="\xfc"), "Host")


class HostRuleTests(SynchronousTestCase):
    def test_what_is_no_name_is_not_allowed(self) -> None:
        """
        It would never be met, and its administrator would not know why.
        """
        for name in ("https://a.example", "a.example:443", "a.example/", "*", ""):
            self.assertRaises(ValueError, HostRule, [name])
        HostRule(["a.example", "::1", "[::1]", "10.0.0.1", "h1"])

    def test_ours(self) -> None:
        """
        Any address, localhost, this machine and what is configured, with or without a port.
        """
        rule = HostRule(["Console.Example.org"])

        for host in (
            "127.0.0.1",
            "192.0.2.7:8080",
            "[::1]",
            "[2001:db8::1]:443",
            "localhost:6083",
            "LOCALHOST",
            "console.example.org",
            "CONSOLE.example.org:443",
            socket.gethostname(),
        ):
            self.assertEqual(rule.host(headers(Host=host)), host.lower())
            self.assertTrue(rule.is_ours(headers(Host=host)))

    def test_not_ours(self) -> None:
        """
        Other names, and what is no host at all.
        """
        rule = HostRule(["console.example.org"])

        for host in (
            "evil.example",
            "console.example.org.evil.example",
            "xconsole.example.org",
            "127.0.0.1.evil.example",
            "127.0.0.1@evil.example",
            "127.1",
            "2130706433",
            "localhost.",
            "localhost:port",
            "localhost:123456",
            "localhost/",
            "[::1",
            "::1",
            "[]",
            "",
            " ",
            "a" * 1000,
            "\xfc",
            ["localhost", "localhost"],
        ):
            self.assertIsNone(rule.host(headers(Host=host)), host)
        self.assertFalse(rule.is_ours(headers()))


class OriginRuleTests(SynchronousTestCase):
    def test_own_page(self) -> None:
        """
        The page that we served is welcome; a default port may be said or not.
        """
        for origin, host in [
            ("http://127.0.0.1:8080", "127.0.0.1:8080"),
            ("http://console.example", "console.example"),
            ("http://console.example", "console.example:80"),
            ("https://console.example:443", "console.example"),
            ("https://console.example", "CONSOLE.example:443"),
            # TLS may end in front of us.
            ("https://console.example", "console.example"),
            ("http://[::1]:8080", "[::1]:8080"),
        ]:
            self.assertTrue(OriginRule().is_welcome(headers(Origin=origin, Host=host)), origin)

    def test_no_browser(self) -> None:
        """
        What sends no Origin is no browser's page (RFC 6455, 10.2).
        """
        self.assertTrue(OriginRule().is_welcome(headers(Host="console.example")))

    def test_configured(self) -> None:
        """
        A dashboard elsewhere may be let in by name, exactly.
        """
        rule = OriginRule(["https://Horizon.example.org/"])

        for origin, welcome in [
            ("https://horizon.example.org", True),
            ("http://horizon.example.org", False),
            ("https://horizon.example.org:8443", False),
            ("https://horizon.example.org.evil.example", False),
        ]:
            asked = headers(Origin=origin, Host="console.example")
            self.assertEqual(rule.is_welcome(asked), welcome, origin)

    def test_what_is_no_origin_is_not_allowed(self) -> None:
        """
        It would never be met, and its administrator would not know why.
        """
        for origin in ("horizon.example.org", "https://", "https://a.example/path", "*", ""):
            self.assertRaises(ValueError, OriginRule, [origin])
        OriginRule(["http://10.0.0.1:8080", "chrome-extension://abcdefgh"])

    def test_foreign_pages(self) -> None:
        """
        Another host or port, other schemes, a page without an origin, and nonsense.
        """
        for origin in (
            "http://evil.example",
            "http://console.example:8080",
            "ftp://console.example",
            "http://console.example/",
            "http://console.example.evil.example",
            "http://evil.example#console.example",
            "console.example",
            "null",
            "",
            "http://[::1",
            "http://console.example:x",
            "\xfc",
            ["http://console.example", "http://console.example"],
        ):
            asked = headers(Origin=origin, Host="console.example")
            self.assertFalse(OriginRule().is_welcome(asked), origin)

    def test_the_host_of_another_request(self) -> None:
        """
        What one request calls us lets no page in at the next.
        """
        rule = OriginRule(["https://horizon.example"])
        evil = "http://evil.example"
        rule.is_welcome(headers(Origin=evil, Host="evil.example"))

        self.assertFalse(rule.is_welcome(headers(Origin=evil, Host="console.example")))

    def test_without_a_host(self) -> None:
        """
        Without a Host there is nothing an Origin could be equal to.
        """
        origin = "http://console.example"
        self.assertFalse(OriginRule().is_welcome(headers(Origin=origin)))
        self.assertFalse(OriginRule().is_welcome(headers(Origin=origin, Host="not a host")))


class StrictTests(SynchronousTestCase):
    def test_policy(self) -> None:
        """
        Nothing is allowed unless a page says what it needs; the rest stays strict.
        """
        for policy, expected in [(None, "default-src 'none'"), ("img-src 'self'", "img-src")]:
            request = Request(DummyChannel())
            be_strict(request, policy)
            sent = request.responseHeaders
            [told] = sent.getRawHeaders("Content-Security-Policy", [])
            self.assertTrue(told.startswith(expected))
            self.assertEqual(sent.getRawHeaders("X-Content-Type-Options"), ["nosniff"])
