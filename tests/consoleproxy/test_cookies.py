"""
Tests for L{consoleproxy.cookies}.
"""

from __future__ import annotations

import os
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase
from twisted.web.http_headers import Headers

from consoleproxy.cookies import KEY_LENGTH, BadKey, Cookies, load_key
from tests.consoleproxy.stage import NAME

OTHER = "g" + "f" * 16


def sent(*cookies: str) -> Headers:
    """
    The headers of a browser that has these cookies.
    """
    return Headers({"Cookie": ["; ".join(cookies)]})


def value_of(cookie: str) -> str:
    return cookie.partition(";")[0]


class CookiesTests(SynchronousTestCase):
    """
    A cookie lets its bearer use the grant it names, and no other.
    """

    def setUp(self) -> None:
        self.cookies = Cookies(b"k" * KEY_LENGTH)

    def test_own_cookie_is_known(self) -> None:
        """
        What the proxy handed out opens that console.
        """
        cookie = value_of(self.cookies.make(NAME, secure=False))

        self.assertTrue(self.cookies.names_grant(sent(cookie), NAME, secure=False))

    def test_other_grant(self) -> None:
        """
        A cookie of one console opens no other.
        """
        cookie = value_of(self.cookies.make(NAME, secure=False))

        self.assertFalse(self.cookies.names_grant(sent(cookie), OTHER, secure=False))

    def test_forged(self) -> None:
        """
        The name of a grant is no secret; without the key it makes no cookie.
        """
        good = value_of(self.cookies.make(NAME, secure=False))
        signature = good.rpartition(".")[2]

        for forged in (
            f"{NAME}.",
            NAME,
            f"{NAME}.{'A' * len(signature)}",
            f"{NAME}.{signature[:-1]}",
            f"{OTHER}.{signature}",
            "",
        ):
            shown = sent(f"ajaxconsole={forged}")
            self.assertFalse(self.cookies.names_grant(shown, NAME, secure=False), forged)
            self.assertFalse(self.cookies.names_grant(shown, OTHER, secure=False), forged)

    def test_other_key(self) -> None:
        """
        A proxy with another key does not take it.
        """
        cookie = value_of(Cookies(b"o" * KEY_LENGTH).make(NAME, secure=False))

        self.assertFalse(self.cookies.names_grant(sent(cookie), NAME, secure=False))

    def test_no_cookie(self) -> None:
        """
        Who brings none is nobody.
        """
        self.assertFalse(self.cookies.names_grant(Headers(), NAME, secure=False))

    def test_attributes(self) -> None:
        """
        Scripts can't read it, other sites' requests don't bear it, and it stays below its
        console's path.
        """
        _, *attributes = self.cookies.make(NAME, secure=False).split("; ")

        self.assertEqual(attributes, [f"Path=/console/{NAME}/", "HttpOnly", "SameSite=Lax"])

    def test_under_tls(self) -> None:
        """
        Under TLS it never goes over plain HTTP, and plain HTTP can't set it.
        """
        cookie, *attributes = self.cookies.make(NAME, secure=True).split("; ")

        self.assertTrue(cookie.startswith("__Secure-ajaxconsole="))
        self.assertIn("Secure", attributes)
        self.assertTrue(self.cookies.names_grant(sent(cookie), NAME, secure=True))
        plain = value_of(self.cookies.make(NAME, secure=False))
        self.assertFalse(self.cookies.names_grant(sent(plain), NAME, secure=True))

    def test_path_is_what_the_browser_sees(self) -> None:
        """
        Behind a server that keeps a prefix, the cookie's path has it.
        """
        cookies = Cookies(b"k" * KEY_LENGTH, "/consoles/")

        self.assertIn(f"; Path=/consoles/console/{NAME}/;", cookies.make(NAME, secure=False))

    def test_among_others(self) -> None:
        """
        Other cookies of the same host do not matter.
        """
        cookie = value_of(self.cookies.make(NAME, secure=False))

        self.assertTrue(
            self.cookies.names_grant(sent("a=b", cookie, "c=d"), NAME, secure=False),
        )

    def test_among_odd_ones(self) -> None:
        """
        Another application's cookie, however odd, does not lock anybody out.
        """
        cookie = value_of(self.cookies.make(NAME, secure=False))

        for odd in (
            'prefs={"a": [1, 2]}',
            "flag",
            "=x",
            "a b=c",
            "ä=ö",
            'q="',
            "",
            "ajaxconsole=x",
        ):
            for cookies in ((odd, cookie), (cookie, odd)):
                shown = self.cookies.names_grant(sent(*cookies), NAME, secure=False)
                self.assertTrue(shown, odd)

    def test_not_text(self) -> None:
        """
        Bytes that are no text are somebody's cookie, but not ours.
        """
        cookie = value_of(self.cookies.make(NAME, secure=False)).encode()

        for line in (b"a=\xff; " + cookie, cookie + b"; \xfe=\xff"):
            headers = Headers({b"Cookie": [line]})
            self.assertTrue(self.cookies.names_grant(headers, NAME, secure=False))
        junk = Headers({b"Cookie": [b"ajaxconsole=\xff"]})
        self.assertFalse(self.cookies.names_grant(junk, NAME, secure=False))


class KeyTests(SynchronousTestCase):
    """
    The key in its file is shared by all proxies, and by nobody else.
    """

    def setUp(self) -> None:
        self.path = Path(self.mktemp()) / "key"
        self.path.parent.mkdir()

    def test_made_and_found_again(self) -> None:
        """
        The first proxy makes it, for itself alone; a restarted one takes the same.
        """
        key = load_key(self.path)

        self.assertEqual(len(key), KEY_LENGTH)
        self.assertEqual(self.path.stat().st_mode & 0o777, 0o600)
        self.assertEqual(load_key(self.path), key)

    def test_made_by_two_at_once(self) -> None:
        """
        Proxies that start together agree on one key, and none sees half of it: each makes its
        own in a file of its own, and one of them gets the name.
        """
        self.addCleanup(sys.setswitchinterval, sys.getswitchinterval())
        sys.setswitchinterval(1e-6)

        for number in range(50):
            path = self.path.with_name(f"key{number}")
            with ThreadPoolExecutor(4) as threads:
                self.assertEqual(len(set(threads.map(load_key, [path] * 4))), 1)

        self.assertEqual(len(list(self.path.parent.glob("key*"))), 50)

    def test_readable_by_others(self) -> None:
        """
        A key that others can read is refused, with what to do.
        """
        load_key(self.path)
        self.path.chmod(0o640)

        why = self.assertRaises(BadKey, load_key, self.path)

        self.assertIn("chmod 600", str(why))

    def test_too_short(self) -> None:
        """
        A key that can be guessed is refused.
        """
        self.path.write_bytes(b"short")
        self.path.chmod(0o600)

        why = self.assertRaises(BadKey, load_key, self.path)

        self.assertIn("fewer than 32 bytes", str(why))

    def test_no_such_folder(self) -> None:
        """
        Where it can't be made, the sentence says so.
        """
        why = self.assertRaises(BadKey, load_key, self.path / "key")

        self.assertIn("No such file", str(why))

    def test_a_folder(self) -> None:
        """
        A folder is no key.
        """
        os.mkdir(self.path, 0o700)

        why = self.assertRaises(BadKey, load_key, self.path)

        self.assertIn("Is a directory", str(why))
