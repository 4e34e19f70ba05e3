"""
What tokens and cookies stand for.

Grants come over the bus; a user can be faster than they are, so who asks for one
that is not there yet waits a little.  A grant that nobody is attached under
expires; one in use does not.
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from hashlib import sha256

from twisted.internet.defer import Deferred, TimeoutError
from twisted.internet.interfaces import IReactorTime

from consoleproxy.expiring import ExpiringDict

_TOKEN = re.compile(r"[A-Za-z0-9_-]{43}")
_NAME = re.compile(r"g[0-9a-f]{16}")


def well_formed_token(token: str) -> bool:
    """Whether it looks like what an agent mints: 32 bytes in URL-safe base64."""
    return _TOKEN.fullmatch(token) is not None


def well_formed_name(name: str) -> bool:
    """Whether it looks like a grant's name."""
    return _NAME.fullmatch(name) is not None


def digest_of(token: str) -> str:
    """@return: the SHA-256 of a token, in hex."""
    return sha256(token.encode("utf-8", "surrogateescape")).hexdigest()


@dataclass(frozen=True, slots=True)
class Grant:
    """
    @ivar name: public; C{g} and 16 hex digits.
    @ivar console: the console's name.
    @ivar digest: of the token, in hex.
    @ivar host: where its ajaxterm listens.
    @ivar port: there.
    @ivar secret: what that ajaxterm wants to see.
    @ivar user: for the log.
    """

    name: str
    console: str
    digest: str
    host: str
    port: int
    secret: str = field(repr=False)
    user: str


class _Held:
    __slots__ = ("count", "grant")

    def __init__(self, grant: Grant) -> None:
        self.grant = grant
        self.count = 0


class Grants:
    """
    @cvar MOST: grants known at a time; the oldest unused one makes room.
    @cvar PATIENCE: seconds that an unknown one is waited for.
    @cvar MOST_WAITING: who may wait at a time, in all.
    """

    MOST = 1_000_000
    PATIENCE = 1.0
    MOST_WAITING = 1000

    def __init__(self, clock: IReactorTime, lifetime: float) -> None:
        """
        @param lifetime: seconds a grant lives unused.
        """
        self._clock = clock
        self._idle: ExpiringDict[str, Grant] = ExpiringDict(clock, lifetime, self._expired)
        self._held: dict[str, _Held] = {}
        self._names: dict[str, str] = {}
        self._waiting: dict[str, deque[Deferred[None]]] = {}
        self._waiters = 0
        self._watchers: list[Callable[[str], None]] = []

    def __len__(self) -> int:
        return len(self._idle) + len(self._held)

    def on_revoked(self, watcher: Callable[[str], None]) -> None:
        """Call C{watcher} with the name of each grant that is revoked."""
        self._watchers.append(watcher)

    def authorize(self, grant: Grant) -> None:
        """
        Learn a grant, or what has changed of it.
        """
        held = self._held.get(grant.name)
        former = held.grant if held is not None else self._idle.get(grant.name)
        if former is not None:
            self._names.pop(former.digest, None)
        if held is not None:
            held.grant = grant
        else:
            while len(self) >= self.MOST:
                self._idle.forget_oldest()
            self._idle[grant.name] = grant
        self._names[grant.digest] = grant.name
        for key in (grant.digest, grant.name):
            # A copy: who is woken leaves the line at once.
            for waiting in list(self._waiting.pop(key, ())):
                waiting.callback(None)

    def revoke(self, name: str) -> None:
        """Forget a grant; its live connections are cut by who watches."""
        held = self._held.pop(name, None)
        grant = held.grant if held is not None else self._idle.get(name)
        if grant is None:
            return
        self._names.pop(grant.digest, None)
        if held is None:
            del self._idle[name]
        for watcher in self._watchers:
            watcher(name)

    def find(self, name: str) -> Grant | None:
        """@return: a grant that is alive; being found is being used."""
        held = self._held.get(name)
        if held is not None:
            return held.grant
        grant = self._idle.get(name)
        if grant is not None:
            self._idle.touch(name)
        return grant

    async def by_name(self, name: str) -> Grant | None:
        """
        @return: the grant, which may take L{PATIENCE} to come.
        """
        if not well_formed_name(name):
            return None
        if self.find(name) is None:
            await self._wait(name)
        return self.find(name)

    async def by_token(self, token: str) -> Grant | None:
        """
        @return: the grant that C{token} stands for, which may take
            L{PATIENCE} to come; at once C{None} for what is no token.
        """
        if not well_formed_token(token):
            return None
        digest = digest_of(token)
        if digest not in self._names:
            await self._wait(digest)
        name = self._names.get(digest)
        return None if name is None else self.find(name)

    def attached(self, name: str) -> None:
        """Somebody is attached under a grant: it does not age."""
        held = self._held.get(name)
        if held is None:
            grant = self._idle.get(name)
            if grant is None:
                return
            del self._idle[name]
            held = self._held[name] = _Held(grant)
        held.count += 1

    def left(self, name: str) -> None:
        """One who was attached is gone; with the last it begins to age."""
        held = self._held.get(name)
        if held is None:
            return
        held.count -= 1
        if held.count <= 0:
            del self._held[name]
            self._idle[name] = held.grant

    def sweep(self) -> None:
        """To be called every few seconds."""
        self._idle.sweep()

    def _expired(self, name: str, grant: Grant) -> None:
        self._names.pop(grant.digest, None)

    async def _wait(self, key: str) -> None:
        if self._waiters >= self.MOST_WAITING:
            return
        waiting: Deferred[None] = Deferred()
        line = self._waiting.setdefault(key, deque())
        line.append(waiting)
        self._waiters += 1
        waiting.addTimeout(self.PATIENCE, self._clock)
        try:
            await waiting
        except TimeoutError:
            pass
        finally:
            self._waiters -= 1
            if waiting in line:
                line.remove(waiting)
            if not line and self._waiting.get(key) is line:
                del self._waiting[key]
