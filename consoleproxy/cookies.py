"""
Cookies that name a grant, and that only the proxies can make.

A cookie's value is C{NAME.SIGNATURE}, the signature being HMAC-SHA256 of the
name under a key that all proxies share.  It is sent by browsers only below the
path of its grant, so several consoles in one browser do not meet.
"""

from __future__ import annotations

import os
from base64 import urlsafe_b64encode
from functools import lru_cache
from hmac import compare_digest, digest
from pathlib import Path
from tempfile import NamedTemporaryFile

from twisted.web.http_headers import Headers

KEY_LENGTH = 32
"""Bytes of a key (RFC 2104, 3: at least as long as the hash)."""


class BadKey(Exception):
    """The file with the key can't be used; the sentence says why."""


def load_key(path: Path) -> bytes:
    """
    Read the key that the proxies share; where there is no file, make one.

    @raise BadKey:
    """
    try:
        if not path.exists():
            _make_key(path)
    except OSError as error:
        raise BadKey(f"{path} can't be made: {error.strerror}") from None
    try:
        if path.stat().st_mode & 0o077:
            raise BadKey(f"{path} can be read by others; chmod 600 it")
        key = path.read_bytes()
    except OSError as error:
        raise BadKey(f"{path} can't be read: {error.strerror}") from None
    if len(key) < KEY_LENGTH:
        raise BadKey(f"{path} holds fewer than {KEY_LENGTH} bytes; remove it to get a new one")
    return key


def _make_key(path: Path) -> None:
    """
    The key is whole before it has its name; of several proxies that make one
    at the same time the first gives its own that name.
    """
    with NamedTemporaryFile(dir=path.parent, prefix=f".{path.name}.") as file:
        file.write(os.urandom(KEY_LENGTH))
        file.flush()
        try:
            os.link(file.name, path)
        except FileExistsError:
            pass


class Cookies:
    """
    Makes cookies, and reads its own.
    """

    NAME = "ajaxconsole"

    def __init__(self, key: bytes, base_path: str = "/") -> None:
        """
        @param base_path: of the proxy's root, as the browser sees it; begins
            and ends with a slash.
        """
        self._key = key
        self._base_path = base_path
        # A page asks for a dozen things with the same cookie; it takes 7 µs (measured).
        self._sign = lru_cache(1000)(self._signed)

    def make(self, grant: str, secure: bool) -> str:
        """
        @param secure: whether the browser came by TLS.
        @return: a value for C{Set-Cookie}.  C{Lax}, not C{Strict}: that one is
            withheld when the link was clicked on another site (tried).
        """
        parts = [
            f"{self._name(secure)}={grant}.{self._sign(grant)}",
            f"Path={self._base_path}console/{grant}/",
            "HttpOnly",
            "SameSite=Lax",
        ]
        if secure:
            parts.append("Secure")
        return "; ".join(parts)

    def names_grant(self, headers: Headers, grant: str, secure: bool) -> bool:
        """Whether a cookie of ours lets its bearer use that grant."""
        name = self._name(secure).encode("ascii")
        good = f"{grant}.{self._sign(grant)}".encode("ascii")
        # By hand: http.cookies drops a whole line for one odd cookie in it, and
        # other applications on this host may set odd ones (RFC 6265, 5.4).
        for line in headers.getRawHeaders(b"Cookie", []):
            for pair in line.split(b";"):
                shown, _, value = pair.strip().partition(b"=")
                if shown == name and compare_digest(good, value):
                    return True
        return False

    def _name(self, secure: bool) -> str:
        # The prefix keeps plain HTTP from setting it (RFC 6265bis, 4.1.3.1).
        return f"__Secure-{self.NAME}" if secure else self.NAME

    def _signed(self, grant: str) -> str:
        signature = digest(self._key, b"grant " + grant.encode("ascii"), "sha256")
        return urlsafe_b64encode(signature).decode("ascii").rstrip("=")
