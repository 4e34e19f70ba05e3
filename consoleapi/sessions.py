"""
Who is logged in at the lobby.

    POST /lobby/session   sets the cookie  ajaxconsole=KEY; HttpOnly; SameSite=Lax; Path=/...
    later                 the cookie, and for whatever changes anything X-CSRF-Token as well

Of a key only the digest is kept.  A session ends when it was not used for a
while, after a day at the latest, and with the password that it began with.
"""

from __future__ import annotations

import hmac
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field
from hashlib import sha256
from secrets import token_urlsafe

from twisted.web.http_headers import Headers

from consoleapi.accounts import Accounts
from consoleapi.authentication import IAuthentication
from consoleapi.callers import Caller
from consoleapi.faults import Fault
from consoleapi.headers import values
from consoleapi.web import Asked

_COOKIE = "ajaxconsole"
_MOST_COOKIES = 50


@dataclass(slots=True)
class Session:
    """
    @ivar csrf: what a page of ours sends along with what changes anything; one
        elsewhere can't read it.
    @ivar stamp: of the password.
    """

    user: str
    stamp: bytes
    began: float
    used: float
    csrf: str = field(default_factory=lambda: token_urlsafe(32), repr=False)


class Sessions:
    """
    @cvar IDLE: seconds unused.
    @cvar LONGEST: seconds in all.
    @cvar MOST: at a time; beyond, the one that was used longest ago ends.
    """

    IDLE = 3600.0
    LONGEST = 86400.0
    MOST = 20_000

    def __init__(self, seconds: Callable[[], float], accounts: Accounts, prefix: str) -> None:
        """
        @param prefix: our root's path, as browsers see it.
        """
        self._seconds = seconds
        self._accounts = accounts
        self._prefix = prefix
        self._sessions: OrderedDict[str, Session] = OrderedDict()

    def begin(self, user: str, is_secure: bool) -> tuple[Session, str]:
        """
        @return: the session, and the cookie that is to be set.
        """
        now, key = self._seconds(), token_urlsafe(32)
        session = Session(user, self._stamp(user), now, now)
        self._sessions[_digest(key)] = session
        while len(self._sessions) > self.MOST:
            self._sessions.popitem(last=False)
        return session, self._cookie(key, is_secure)

    def end(self, asked: Asked) -> str:
        """
        @return: the cookie that takes it out of the browser.
        """
        for key in _keys(asked.headers, asked.is_secure):
            self._sessions.pop(_digest(key), None)
        return self._cookie("", asked.is_secure) + "; Max-Age=0"

    def of(self, asked: Asked) -> Session | None:
        now = self._seconds()
        for key in _keys(asked.headers, asked.is_secure):
            digest = _digest(key)
            session = self._sessions.get(digest)
            if session is None:
                continue
            if (
                now - session.used > self.IDLE
                or now - session.began > self.LONGEST
                or session.stamp != self._stamp(session.user)
            ):
                del self._sessions[digest]
                continue
            session.used = now
            self._sessions.move_to_end(digest)
            return session
        return None

    def _stamp(self, user: str) -> bytes:
        return self._accounts.users.stamp(user) if self._accounts.users is not None else b""

    def _cookie(self, key: str, is_secure: bool) -> str:
        flags = f"Path={self._prefix}; HttpOnly; SameSite=Lax"
        return f"{_name(is_secure)}={key}; {flags}" + ("; Secure" if is_secure else "")


class SessionAuthentication:
    """
    A session, or else what programs log in by.
    """

    def __init__(self, sessions: Sessions, otherwise: IAuthentication) -> None:
        self._sessions = sessions
        self._otherwise = otherwise

    async def caller(self, asked: Asked) -> Caller:
        session = self._sessions.of(asked)
        if session is None:
            return await self._without(asked)
        if asked.method not in ("GET", "HEAD"):
            given = "".join(values(asked.headers, "X-CSRF-Token"))
            if not hmac.compare_digest(given.encode("utf-8"), session.csrf.encode("ascii")):
                raise Fault(403, "This page is out of date; load it again.")
        return Caller(session.user, asked.address, "session")

    async def _without(self, asked: Asked) -> Caller:
        try:
            return await self._otherwise.caller(asked)
        except Fault as fault:
            if fault.status != 401:
                raise
            # Not "Basic": browsers would ask in a window of their own.
            headers = {**fault.headers, "WWW-Authenticate": 'FormBased realm="ajaxconsole"'}
            raise Fault(401, fault.message, headers) from None


def _name(is_secure: bool) -> str:
    return f"__Secure-{_COOKIE}" if is_secure else _COOKIE


def _keys(headers: Headers, is_secure: bool) -> list[str]:
    keys = []
    for line in values(headers, "Cookie"):
        for part in line.split(";")[:_MOST_COOKIES]:
            name, _, value = part.strip().partition("=")
            if name == _name(is_secure) and len(value) == 43:
                keys.append(value)
    return keys


def _digest(key: str) -> str:
    return sha256(key.encode("utf-8", "replace")).hexdigest()
