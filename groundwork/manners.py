"""
Whom a web server here answers, and what it tells browsers about its answers.

Two headers say where a request comes from.  C{Host} is the name the client
used for us: a name that is not ours means that somebody's DNS points at us (DNS
rebinding, CVE-2015-8400).  C{Origin} is the page that asks: one that is not
ours must not open a WebSocket with our user's cookies (CVE-2015-0259).
"""

from __future__ import annotations

import re
import socket
from collections.abc import Iterable
from functools import lru_cache
from ipaddress import ip_address
from urllib.parse import urlsplit

from twisted.web.http_headers import Headers
from twisted.web.iweb import IRequest

_HOST = re.compile(
    r"(?P<name>\[[0-9A-Fa-f:.]{2,45}\]|[A-Za-z0-9](?:[A-Za-z0-9._-]{0,251}[A-Za-z0-9])?)"
    r"(?::(?P<port>[0-9]{1,5}))?"
)

_ORIGIN = re.compile(rf"[a-z][a-z0-9+.-]*://{_HOST.pattern}")

STRICT_HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'; base-uri 'none'; "
    "form-action 'none'",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}
"""What every answer bears unless its resource says otherwise."""


def be_strict(request: IRequest, policy: str | None = None) -> None:
    """
    Set L{STRICT_HEADERS} on an answer.

    @param policy: another Content-Security-Policy.
    """
    for name, value in STRICT_HEADERS.items():
        request.setHeader(name, value)
    if policy is not None:
        request.setHeader("Content-Security-Policy", policy)


def only(headers: Headers, name: str) -> str | None:
    """
    The value of a header that may come once.

    @return: C{None} when it is missing.
    @raise ValueError: it is repeated, or not ASCII.
    """
    values = headers.getRawHeaders(name.encode("ascii"), [])
    if len(values) > 1:
        raise ValueError(f"the header {name} is repeated")
    if not values:
        return None
    return values[0].decode("ascii").strip()


def parse_host(value: str) -> str | None:
    """
    @return: the name in what C{Host} may be, in lower case; C{None} for what it may not.
    """
    match = _HOST.fullmatch(value)
    return None if match is None else match["name"].lower()


class HostRule:
    """
    Which C{Host} headers are ours: any IP address (nobody can rebind one),
    C{localhost}, this machine's own names, and those that are configured.
    """

    def __init__(self, allowed: Iterable[str] = ()) -> None:
        """
        @param allowed: further names, without ports.
        @raise ValueError: one of them can't be a host's name.
        """
        allowed = tuple(allowed)
        for name in allowed:
            match = _HOST.fullmatch(name)
            if not _is_address(name) and (match is None or match["port"]):
                raise ValueError(
                    "a host is allowed by its name alone, such as console.example.org, "
                    f"not {name!r}"
                )
        here = socket.gethostname()
        names = {"localhost", here, here.partition(".")[0], *allowed}
        self._names = frozenset(name.lower() for name in names if name)

    def is_ours(self, headers: Headers) -> bool:
        """
        Whether there is exactly one well-formed C{Host} that is ours.
        """
        return self.host(headers) is not None

    def host(self, headers: Headers) -> str | None:
        """
        @return: the C{Host}, in lower case, or C{None} if it is not ours.
        """
        try:
            value = only(headers, "Host")
        except ValueError:
            return None
        match = _HOST.fullmatch(value or "")
        if match is None:
            return None
        name = match["name"].lower()
        if name in self._names or _is_address(name.strip("[]")):
            return (value or "").lower()
        return None


class OriginRule:
    """
    Which pages may open a WebSocket or change something: our own, and those
    that are configured.  A request without an C{Origin} is not from a
    browser's page (RFC 6455, 10.2), so it passes.
    """

    def __init__(self, allowed: Iterable[str] = ()) -> None:
        """
        @param allowed: further origins, such as C{https://horizon.example.org}.
        @raise ValueError: one of them can't be an origin.
        """
        self._allowed = frozenset(origin.lower().rstrip("/") for origin in allowed)
        for origin in self._allowed:
            if not _ORIGIN.fullmatch(origin):
                raise ValueError(
                    "an origin is allowed as a browser tells it, such as "
                    f"https://horizon.example.org, not {origin!r}"
                )

    def is_welcome(self, headers: Headers, is_secure: bool = False) -> bool:
        """
        @param is_secure: whether we are reached by TLS, so that no page of ours comes without.
        """
        try:
            origin, host = only(headers, "Origin"), only(headers, "Host")
        except ValueError:
            return False
        if origin is None:
            return True
        origin = origin.lower()
        if origin in self._allowed:
            return True
        if host is None:
            return False
        try:
            parts = urlsplit(origin)
            port = parts.port
        except ValueError:
            return False
        schemes = ("https",) if is_secure else ("http", "https")
        if parts.scheme not in schemes or origin != f"{parts.scheme}://{parts.netloc}":
            return False
        return _with_port(parts.hostname or "", port, parts.scheme) in _host_forms(
            host.lower(), parts.scheme
        )


@lru_cache(1000)
def _is_address(name: str) -> bool:
    # Remembered, since it takes 10 µs (measured), and of each request the same is asked.
    try:
        ip_address(name)
    except ValueError:
        return False
    return True


def _with_port(name: str, port: int | None, scheme: str) -> tuple[str, int]:
    return name, port or (443 if scheme == "https" else 80)


def _host_forms(host: str, scheme: str) -> set[tuple[str, int]]:
    match = _HOST.fullmatch(host)
    if match is None:
        return set()
    port = int(match["port"]) if match["port"] else None
    return {_with_port(match["name"].strip("[]"), port, scheme)}
