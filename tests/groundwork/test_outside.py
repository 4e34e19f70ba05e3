"""
Tests for L{groundwork.outside}: what is believed of a request, and by whom.
"""

from __future__ import annotations

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.internet.address import IPv4Address, IPv6Address, UNIXAddress
from twisted.trial.unittest import SynchronousTestCase
from twisted.web.server import Request
from twisted.web.test.requesthelper import DummyChannel

from groundwork.outside import MOST_HOPS, Outside, neighbourhood

PROXY = "10.0.0.1"
PLAIN = ("client", False, "inner")


def seen(
    outside: Outside, headers: dict[str, Any], peer: Any = PROXY, uri: bytes = b"/"
) -> tuple[str, bool, str]:
    """
    @return: who asks, whether by TLS, and by which name.
    """
    request = Request(DummyChannel())
    if isinstance(peer, str):
        peer = (IPv6Address if ":" in peer else IPv4Address)("TCP", peer, 1)
    request.client = peer
    request.uri = uri
    request.path = uri.partition(b"?")[0]
    request.requestHeaders.setRawHeaders("Host", ["inner"])
    for name, values in headers.items():
        given = [values] if isinstance(values, str) else values
        request.requestHeaders.setRawHeaders(name, given)
    outside.restore(request)
    client = request.getClientAddress()
    [host] = request.requestHeaders.getRawHeaders("Host", [])
    return getattr(client, "host", ""), request.isSecure(), host


def x(client: str = "", scheme: str = "", host: str = "") -> dict[str, str]:
    words = {"X-Forwarded-For": client, "X-Forwarded-Proto": scheme, "X-Forwarded-Host": host}
    return {name: value for name, value in words.items() if value}


class XForwardedTests(SynchronousTestCase):
    outside = Outside(["10.0.0.0/24", "2001:db8:1::/48"])

    def test_strangers_are_not_believed(self) -> None:
        """
        From any other address these headers are a client's own words; without a trusted
        proxy, from all.
        """
        said = x("192.0.2.9", "https", "evil.example")

        self.assertEqual(seen(self.outside, said, "10.0.1.1"), ("10.0.1.1", False, "inner"))
        self.assertEqual(seen(Outside(), said, "127.0.0.1"), ("127.0.0.1", False, "inner"))
        self.assertEqual(seen(self.outside, said, UNIXAddress(b"")), ("", False, "inner"))

    def test_trusted(self) -> None:
        """
        From a trusted one they are what the browser sees.
        """
        self.assertEqual(
            seen(self.outside, x("192.0.2.9", "https", "console.example:8443")),
            ("192.0.2.9", True, "console.example:8443"),
        )
        self.assertEqual(seen(self.outside, x("2001:db8::7"))[0], "2001:db8::7")
        self.assertEqual(seen(self.outside, x(scheme="HTTPS"))[1], True)
        by_unix = seen(Outside(["unix"]), x("192.0.2.9", "https"), UNIXAddress(b""))
        self.assertEqual(by_unix, ("192.0.2.9", True, "inner"))
        mapped = seen(self.outside, x("192.0.2.9"), "::ffff:10.0.0.1")
        self.assertEqual(mapped[0], "192.0.2.9")

    def test_nothing_said(self) -> None:
        """
        One that says nothing is asking itself.
        """
        self.assertEqual(seen(self.outside, {}), (PROXY, False, "inner"))

    def test_forged_by_the_client(self) -> None:
        """
        What a client wrote is before what the proxies add: they count from the end, as far as
        they are trusted.
        """
        for said, client in (
            (x("192.0.2.66, 192.0.2.9"), "192.0.2.9"),
            (x("192.0.2.66, 192.0.2.9, 10.0.0.2"), "192.0.2.9"),
            (x("10.0.0.2, 10.0.0.3"), "10.0.0.2"),
            (x("192.0.2.66, nonsense, 10.0.0.2"), "10.0.0.2"),
            (x("nonsense"), PROXY),
            (x("192.0.2.9:4711"), "192.0.2.9"),
            (x("[2001:db8::7]:4711"), "2001:db8::7"),
            ({"X-Forwarded-For": ["192.0.2.66", "192.0.2.9"]}, "192.0.2.9"),
            (x("192.0.2.66," * 5000 + "192.0.2.9"), "192.0.2.9"),
        ):
            self.assertEqual(seen(self.outside, said)[0], client, str(said)[:80])
        self.assertEqual(seen(self.outside, x(scheme="https, http"))[1], False)
        self.assertEqual(
            seen(self.outside, x(host="evil.example, console.example"))[2], "console.example"
        )

    def test_odd_words(self) -> None:
        """
        What is no name, no scheme or no text is as if it was not said.
        """
        for host in ("a b", "a\tb", "evil/..", "[::1", "x" * 300, "a:99999999", "a@b"):
            self.assertEqual(seen(self.outside, x(host=host))[2], "inner", host)
        for scheme in ("ws", "httpss", "ht\ttp", "1"):
            self.assertEqual(seen(self.outside, x(scheme=scheme))[1], False, scheme)
        not_text = {"X-Forwarded-For": [b"\xff"], "X-Forwarded-Proto": "https"}
        self.assertEqual(seen(self.outside, not_text), (PROXY, False, "inner"))

    def test_the_other_kind_is_not_read(self) -> None:
        """
        A proxy that writes one kind passes the other as a client wrote it.
        """
        said = {"Forwarded": "for=192.0.2.9;proto=https;host=evil.example"}

        self.assertEqual(seen(self.outside, said), (PROXY, False, "inner"))
        standard = Outside([PROXY], "forwarded")
        self.assertEqual(seen(standard, x("192.0.2.9", "https", "e")), (PROXY, False, "inner"))

    @given(st.dictionaries(st.sampled_from(sorted(x("a", "b", "c"))), st.text(max_size=60)))
    @settings(derandomize=True, max_examples=300, database=None, deadline=None)
    def test_anything(self, said: dict[str, str]) -> None:
        """
        Whatever else is said, nothing breaks.
        """
        plain = {k: v.replace("\r", "").replace("\n", "") for k, v in said.items()}
        seen(self.outside, plain)


class ForwardedTests(SynchronousTestCase):
    outside = Outside([PROXY, "10.0.0.2"], "forwarded")

    def test_trusted(self) -> None:
        """
        As RFC 7239 has it, quoted or not, in any order, with ports or without.
        """
        for text, expected in (
            (
                "for=192.0.2.9;proto=https;host=console.example",
                ("192.0.2.9", True, "console.example"),
            ),
            ('For="[2001:db8::7]:47"; Proto=HTTPS', ("2001:db8::7", True, "inner")),
            (
                "for=192.0.2.66, for=192.0.2.9;by=10.0.0.2, for=10.0.0.2",
                ("192.0.2.9", False, "inner"),
            ),
            ('host="console.example:8443"', (PROXY, False, "console.example:8443")),
            ("for=unknown;proto=https", (PROXY, True, "inner")),
            ("for=_hidden", (PROXY, False, "inner")),
        ):
            self.assertEqual(seen(self.outside, {"Forwarded": text}), expected, text)

    def test_odd_words(self) -> None:
        """
        What can't be read is not believed, not even in part.
        """
        for text in ("for=192.0.2.9;;proto=https", "for", 'for="192.0.2.9', "=x", "for=a b=c", ";"):
            said = {"Forwarded": text}
            self.assertEqual(seen(self.outside, said), (PROXY, False, "inner"), text)

    def test_many_hops(self) -> None:
        """
        Only so many are looked at.
        """
        said = {"Forwarded": "for=192.0.2.66, " + "for=10.0.0.2, " * MOST_HOPS + "for=10.0.0.2"}

        self.assertEqual(seen(self.outside, said)[0], "10.0.0.2")

    @given(st.text(max_size=80))
    @settings(derandomize=True, max_examples=300, database=None, deadline=None)
    def test_anything(self, said: str) -> None:
        """
        Whatever else is said, nothing breaks.
        """
        seen(self.outside, {"Forwarded": said.replace("\r", "").replace("\n", "")})


class PrefixTests(SynchronousTestCase):
    def path(self, uri: bytes, base_path: str = "/a/b/") -> tuple[bytes, bytes]:
        request = Request(DummyChannel())
        request.uri = uri
        request.path = uri.partition(b"?")[0]
        Outside(base_path=base_path).restore(request)
        return request.uri, request.path

    def test_kept_or_stripped(self) -> None:
        """
        Whether a reverse proxy takes the prefix away or not, we see what is below it.
        """
        for uri in (b"/a/b/console/g1/?x=/a/b/", b"/console/g1/?x=/a/b/"):
            self.assertEqual(self.path(uri), (b"/console/g1/?x=/a/b/", b"/console/g1/"))
        self.assertEqual(self.path(b"/a/b/"), (b"/", b"/"))
        self.assertEqual(self.path(b"/a/b/?token=x"), (b"/?token=x", b"/"))

    def test_once(self) -> None:
        """
        It is taken away once, whole, and not understood.
        """
        for uri, path in (
            (b"/a/b/a/b/", b"/a/b/"),
            (b"/a/b", b"/a/b"),
            (b"/a/bc/", b"/a/bc/"),
            (b"//a/b/", b"//a/b/"),
            (b"/a/%62/", b"/a/%62/"),
            (b"/a/b//evil.example/", b"//evil.example/"),
        ):
            self.assertEqual(self.path(uri)[1], path, uri)
        self.assertEqual(self.path(b"/a/b/", "/")[1], b"/a/b/")


class NeighbourhoodTests(SynchronousTestCase):
    def test_neighbourhoods(self) -> None:
        """
        One user of IPv6 has 2^64 addresses, and is slowed as one.
        """
        for address, expected in (
            ("192.0.2.9", "192.0.2.9"),
            ("2001:db8::1", "2001:db8::/64"),
            ("2001:db8::ffff:1:2:3", "2001:db8::/64"),
            ("2001:db8:0:1::1", "2001:db8:0:1::/64"),
            ("::ffff:192.0.2.9", "192.0.2.9"),
            ("fe80::1%eth0", "fe80::/64"),
            ("", ""),
            ("nonsense", ""),
        ):
            self.assertEqual(neighbourhood(address), expected, address)
