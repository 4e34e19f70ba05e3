"""
What tokens and cookies stand for.

    authorize ──▶ idle ──attach──▶ held ──the last one leaves──▶ idle ──lifetime──▶ gone
                    └──────────────┴── revoke ──▶ gone, and whoever is attached is cut

Grants come over the bus; a user can be faster than they are, so who asks for one
that is not there yet waits a little.  A grant lives for its lifetime before it is
first used, and again after anybody was attached under it; meanwhile it does not
age.  To show its token is not to use it.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field, fields
from hashlib import sha256
from operator import attrgetter
from typing import Any

from twisted.internet.interfaces import IReactorTime

from consoleproxy.expiring import ExpiringDict
from consoleproxy.patience import Patience
from consoleproxy.tables import Tables

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
    @ivar lifetime: seconds it lives unused.
    """

    name: str
    console: str
    digest: str
    host: str
    port: int
    secret: str = field(repr=False)
    user: str
    lifetime: float

    @property
    def authority(self) -> str:
        """Host and port as a URL has them (RFC 3986, 3.2)."""
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


_words = attrgetter(*(each.name for each in fields(Grant)))


class Held:
    """
    A grant with somebody attached under it.
    """

    __slots__ = ("count", "grant")

    def __init__(self, grant: Grant) -> None:
        self.grant = grant
        self.count = 0


class Grants:
    """
    @cvar MOST: grants known at a time; an old unused one makes room.
    @cvar PATIENCE: seconds that an unknown one is waited for.
    @cvar MOST_WAITING: who may wait for an unknown token at a time, in all.
    @cvar MOST_FROM: of them, from one address.
    @cvar MOST_RETURNING: who may wait with a cookie of ours, in all.
    @cvar MOST_RETURNING_EACH: of them, for one grant: some more than may be connected under it.
    @cvar ASK_AGAIN: seconds after which the agents are asked again for a grant.
    @cvar REMEMBERED: seconds in which what was revoked is not taken back: a cast of
        its authorization may come later than that of its end.
    """

    MOST = 1_000_000
    PATIENCE = 1.0
    MOST_WAITING = 1000
    MOST_FROM = 20
    MOST_RETURNING = 10_000
    MOST_RETURNING_EACH = 200
    ASK_AGAIN = 5.0
    REMEMBERED = 60.0

    def __init__(self, clock: IReactorTime, ask: Callable[[str], None] = lambda name: None) -> None:
        """
        @param ask: asks the agents for a grant by its name.
        """
        self._clock = clock
        self._ask = ask
        self._idle: ExpiringDict[str, tuple[Any, ...]] = ExpiringDict(clock, self._expired)
        self._held: dict[str, Held] = {}
        self._names: Tables[str, str] = Tables()
        self._over: ExpiringDict[str, tuple[()]] = ExpiringDict(clock)
        self._asked: ExpiringDict[str, tuple[()]] = ExpiringDict(clock)
        self._tokens = Patience(clock, self.MOST_WAITING, self.MOST_FROM)
        self._cookies = Patience(clock, self.MOST_RETURNING, self.MOST_RETURNING_EACH)
        self._settled = 0.0
        self._watchers: list[Callable[[str], None]] = []

    def __len__(self) -> int:
        return len(self._idle) + len(self._held)

    @property
    def waiting(self) -> int:
        """How many wait for what is unknown."""
        return len(self._tokens) + len(self._cookies)

    def on_revoked(self, watcher: Callable[[str], None]) -> None:
        """Call C{watcher} with the name of each grant that is revoked."""
        self._watchers.append(watcher)

    # What the agents tell.

    def settling(self, seconds: float) -> None:
        """All agents are asked now for their grants; so long may it take."""
        self._settled = self._clock.seconds() + seconds

    def authorize(self, grant: Grant) -> None:
        """
        Learn a grant, or what has changed of it.
        """
        if grant.name in self._over:
            return
        held = self._held.get(grant.name)
        former = held.grant if held is not None else _grant(self._idle.pop(grant.name))
        if former is not None:
            self._names.pop(former.digest)
        if held is not None:
            held.grant = grant
        else:
            if len(self) >= self.MOST:
                self._idle.make_room()
            self._rest(grant)
        self._names.set(grant.digest, grant.name)
        self._tokens.came(grant.digest)
        self._cookies.came(grant.name)

    def revoke(self, name: str) -> None:
        """Forget a grant; its live connections are cut by who watches."""
        if len(self._over) >= self.MOST:
            self._over.make_room()
        self._over.set(name, (), self.REMEMBERED)
        held = self._held.pop(name, None)
        grant = held.grant if held is not None else _grant(self._idle.pop(name))
        if grant is None:
            return
        self._names.pop(grant.digest)
        for watcher in self._watchers:
            watcher(name)

    # What browsers ask.

    def find(self, name: str) -> Grant | None:
        """@return: a grant that is alive."""
        held = self._held.get(name)
        return held.grant if held is not None else _grant(self._idle.get(name))

    async def by_name(self, name: str) -> Grant | None:
        """
        @param name: from a cookie that we have signed.
        @return: the grant, which may take L{PATIENCE} to come, and longer while
            agents are telling all they have.
        @raise TooMany:
        """
        if not well_formed_name(name):
            return None
        found, patience = self.find(name), self.PATIENCE
        while found is None and patience > 0 and name not in self._over:
            settling = self._settled - self._clock.seconds()
            if settling <= 0:
                # It may have been used all the time, through another proxy.
                self._ask_agents(name)
            await self._cookies.wait(name, name, max(patience, settling))
            found = self.find(name)
            # They may have been asked for all they have meanwhile.
            patience = self._settled - self._clock.seconds()
        return found

    async def by_token(self, token: str, address: str = "") -> Grant | None:
        """
        @param address: who asks; of one that asks for much that is unknown, few wait.
        @return: the grant that C{token} stands for, which may take
            L{PATIENCE} to come; at once C{None} for what is no token.
        @raise TooMany:
        """
        if not well_formed_token(token):
            return None
        digest = digest_of(token)
        found = self._by_digest(digest)
        if found is None:
            await self._tokens.wait(digest, address, self.PATIENCE)
            found = self._by_digest(digest)
        return found

    def attach(self, name: str) -> Held | None:
        """
        Somebody is attached under a grant: it does not age.

        @return: for L{left}; C{None} if there is no such grant any more.
        """
        held = self._held.get(name)
        if held is None:
            grant = _grant(self._idle.pop(name))
            if grant is None:
                return None
            held = self._held[name] = Held(grant)
        held.count += 1
        return held

    def left(self, held: Held) -> None:
        """One who was attached is gone; with the last it begins to age."""
        held.count -= 1
        name = held.grant.name
        # Not if it was revoked meanwhile.
        if held.count <= 0 and self._held.get(name) is held:
            del self._held[name]
            self._rest(held.grant)

    def sweep(self) -> bool:
        """
        Forget what has expired, a bounded number; to be called until it is done, and
        again every few seconds.

        @return: whether there is more to look at.
        """
        return any([part.sweep() for part in (self._idle, self._over, self._asked)])

    def _by_digest(self, digest: str) -> Grant | None:
        name = self._names.get(digest)
        return None if name is None else self.find(name)

    def _ask_agents(self, name: str) -> None:
        if name not in self._asked:
            self._asked.set(name, (), self.ASK_AGAIN)
            self._ask(name)

    def _rest(self, grant: Grant) -> None:
        self._idle.set(grant.name, _words(grant), grant.lifetime)

    def _expired(self, name: str, words: tuple[Any, ...]) -> None:
        self._names.pop(Grant(*words).digest)


def _grant(words: tuple[Any, ...] | None) -> Grant | None:
    return None if words is None else Grant(*words)
