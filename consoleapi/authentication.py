"""
As whom a request comes.

Two ways: HTTP basic (RFC 7617), or everybody is C{anonymous}.  What OpenStack's
clients send without Keystone, C{X-Auth-Token: notused}, means nothing to either.
"""

from __future__ import annotations

import binascii
from base64 import b64decode
from typing import Protocol

from twisted.logger import Logger
from twisted.web.http_headers import Headers

from consoleapi.faults import Fault
from consoleapi.users import Users

_MOST_CREDENTIALS = 4096


class IAuthentication(Protocol):
    """
    A way to find out who asks.
    """

    async def user(self, headers: Headers, address: str) -> str:
        """
        @param address: of the client, for the log.
        @raise Fault: 401, or 503 where too many are being checked.
        """


class Anonymous:
    """
    Everybody may do everything: for a server that only its own machine reaches.
    """

    async def user(self, headers: Headers, address: str) -> str:
        return "anonymous"


class HttpBasic:
    """
    A name and a password with every request.
    """

    _log = Logger()

    def __init__(self, users: Users) -> None:
        self._users = users

    async def user(self, headers: Headers, address: str) -> str:
        given = headers.getRawHeaders(b"Authorization", [])
        if not given:
            raise _challenge("Log in: this needs a user name and a password.")
        credentials = _parse(given[0]) if len(given) == 1 else None
        if credentials is None:
            raise _challenge("The Authorization header is no HTTP basic authentication.")
        user, password = credentials
        if not await self._users.knows(user, password):
            # Not by name: people type passwords into the wrong field.
            self._log.warn("A wrong user name or password came from {address}", address=address)
            raise _challenge("The user name or the password is wrong.")
        return user


def _challenge(message: str) -> Fault:
    realm = 'Basic realm="ajaxconsole", charset="UTF-8"'
    return Fault(401, message, {"WWW-Authenticate": realm})


def _parse(header: bytes) -> tuple[str, bytes] | None:
    scheme, _, encoded = header.partition(b" ")
    if scheme.lower() != b"basic" or len(encoded) > _MOST_CREDENTIALS:
        return None
    try:
        user, colon, password = b64decode(encoded.strip(), validate=True).partition(b":")
        return (user.decode("utf-8"), password) if colon else None
    except (binascii.Error, UnicodeDecodeError):
        return None
