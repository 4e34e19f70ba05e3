"""
As whom a request comes.

    Authorization: Basic ...      a name and a password (RFC 7617)
    X-Auth-Token: ...             a token, as OpenStack's clients send one
    Authorization: Bearer ...     the same (RFC 6750)

Or everybody is C{anonymous}.  What OpenStack's clients send without Keystone,
C{X-Auth-Token: notused}, is no token.
"""

from __future__ import annotations

import binascii
from base64 import b64decode
from typing import Protocol

from twisted.logger import Logger
from twisted.web.http_headers import Headers

from consoleapi.accounts import Accounts
from consoleapi.audit import Audit
from consoleapi.callers import ANONYMOUS, Caller
from consoleapi.faults import Fault
from consoleapi.headers import values
from consoleapi.slowing import Slowing
from consoleapi.web import Asked

_MOST_CREDENTIALS = 4096


class IAuthentication(Protocol):
    """
    A way to find out who asks.
    """

    async def caller(self, asked: Asked) -> Caller:
        """
        @raise Fault: 401; 429 after many wrong ones; or 503 where too many are
            being checked.
        """


class Anonymous:
    """
    Everybody is the same user: for a server that only its own machine reaches.
    """

    async def caller(self, asked: Asked) -> Caller:
        return Caller(ANONYMOUS, asked.address, "none")


class Credentials:
    """
    A name and a password, or a token, with every request.
    """

    _log = Logger()

    def __init__(self, accounts: Accounts, slowing: Slowing, audit: Audit) -> None:
        self._accounts = accounts
        self._slowing = slowing
        self._audit = audit

    async def caller(self, asked: Asked) -> Caller:
        given = asked.headers.getRawHeaders(b"Authorization", [])
        token = _token(asked.headers)
        if token is not None:
            return self._by_token(asked, token)
        if not given:
            raise challenge("Log in: this needs a user name and a password, or a token.")
        credentials = _parse(given[0]) if len(given) == 1 else None
        if credentials is None:
            raise challenge("The Authorization header is no HTTP basic authentication.")
        return await self.by_password(asked, *credentials, "password")

    async def by_password(self, asked: Asked, user: str, password: bytes, way: str) -> Caller:
        users = self._accounts.users
        self._slowing.check(user, asked.address)
        if users is None or not await users.knows(user, password):
            self._slowing.wrong(user, asked.address)
            self._refuse(asked, "wrong user name or password")
            raise challenge("The user name or the password is wrong.")
        self._slowing.right(user, asked.address)
        return Caller(user, asked.address, way)

    def _by_token(self, asked: Asked, token: str) -> Caller:
        user = self._accounts.keys.user_of(token)
        if user is None:
            # Who has a right one is not slowed down: it can't be guessed anyway.
            self._slowing.check("token", asked.address)
            self._slowing.wrong("token", asked.address)
            self._refuse(asked, "unknown token")
            raise challenge("The token is not known here.")
        return Caller(user, asked.address, "token")

    def _refuse(self, asked: Asked, why: str) -> None:
        # Not by name: people type passwords into the wrong field.
        self._log.warn("From {address}: {why}", address=asked.address, why=why)
        self._audit.write(
            "login",
            outcome="refused",
            why=why,
            address=asked.address,
            request_id=asked.request_id,
        )


def challenge(message: str) -> Fault:
    realm = 'Basic realm="ajaxconsole", charset="UTF-8"'
    return Fault(401, message, {"WWW-Authenticate": realm})


def _token(headers: Headers) -> str | None:
    for value in values(headers, "Authorization"):
        scheme, _, token = value.partition(" ")
        if scheme.lower() == "bearer":
            return token.strip()
        return None
    tokens = values(headers, "X-Auth-Token")
    return tokens[0] if tokens and tokens[0] != "notused" else None


def _parse(header: bytes) -> tuple[str, bytes] | None:
    scheme, _, encoded = header.partition(b" ")
    if scheme.lower() != b"basic" or len(encoded) > _MOST_CREDENTIALS:
        return None
    try:
        user, colon, password = b64decode(encoded.strip(), validate=True).partition(b":")
        return (user.decode("utf-8"), password) if colon else None
    except (binascii.Error, UnicodeDecodeError):
        return None
