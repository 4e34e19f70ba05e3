"""
Pages of other sites that show a console in a frame of theirs.

A console's page lets itself be framed by its own origin alone.  For the origins
that are allowed (C{--allowed-origin}) the proxy widens that.  Browsers send our
cookies into such a frame where both are of one site, as C{horizon.example.org} and
C{console.example.org} are.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

Headers = dict[bytes, list[bytes]]

_OWN = b"frame-ancestors 'self'"


def embeddable(origins: Iterable[str]) -> Callable[[Headers], None]:
    """
    @param origins: checked ones.
    @return: what changes the headers of an answer, named as they are written.
    """
    listed = b" ".join(origin.rstrip("/").encode("ascii") for origin in origins)

    def embed(headers: Headers) -> None:
        policies = headers.get(b"Content-Security-Policy", [])
        wider = [policy.replace(_OWN, _OWN + b" " + listed) for policy in policies]
        if not listed or wider == policies:
            return
        # Of several each counts; and what is not to be framed at all stays so.
        headers[b"Content-Security-Policy"] = wider
        if all(_OWN in policy or b"frame-ancestors" not in policy for policy in policies):
            # It knows no lists; browsers that know the other go by that.
            headers.pop(b"X-Frame-Options", None)

    return embed
