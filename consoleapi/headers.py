"""
Headers of a request as text, whatever bytes a client sends: ISO-8859-1, which
has a character for each (RFC 9110, 5.5).  Twisted's own way fails where they are
not UTF-8.
"""

from __future__ import annotations

from twisted.web.http_headers import Headers


def values(headers: Headers, name: str) -> list[str]:
    raw = headers.getRawHeaders(name.encode("ascii"), [])
    return [value.decode("latin-1") for value in raw]
