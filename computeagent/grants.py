"""
Leave to attach: what the agent knows of each grant, and tells of it.

A grant is minted here with a token for the user and a secret for the proxies.  The
console's terminal enforces it; the proxies learn it (C{authorize_console}) when they
ask, and when the terminal has moved; they forget it (C{revoke_grant}) when it was
revoked or its console is closed.  The token itself is forgotten as soon as it
was given, so no later question can get it out of us.

What a later agent needs of a grant is a file in its console's room, until the grant is over:

  GRANT.json  {"digest", "secret", "mode", "user"}
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field
from secrets import token_hex, token_urlsafe
from typing import Any

from twisted.application.internet import TimerService
from twisted.internet.defer import Deferred, TimeoutError
from twisted.internet.interfaces import IDelayedCall
from twisted.logger import Logger

from computeagent.console import Console
from computeagent.minting import digest_of
from computeagent.orders import OrderFailed, TerminalGone
from computeagent.rooms import Room
from consolebus.ibus import IConsoleBus, Unavailable

_NAME = re.compile("g[0-9a-f]{16}")

_KEPT = ("digest", "secret", "mode", "user")


@dataclass(frozen=True, slots=True)
class Grant:
    """
    @ivar name: public.
    @ivar digest: of the token.
    @ivar secret: what a proxy shows the ajaxterm.
    @ivar minted: when.
    """

    name: str
    console: Console
    digest: str
    secret: str = field(repr=False)
    mode: str
    user: str
    minted: float


class Grants:
    """
    @cvar MOST: alive at a time.
    @cvar BATCH: of them are announced in one turn of the reactor.
    @cvar FORGET_EVERY: seconds between two looks for those that have expired.
    """

    MOST = 20000
    BATCH = 100
    FORGET_EVERY = 60.0

    _log = Logger()

    def __init__(self, reactor: Any, bus: IConsoleBus, host: str, lifetime: float) -> None:
        """
        @param lifetime: seconds that one lives unused.
        """
        self._clock = reactor
        self._bus = bus
        self._host = host
        self._lifetime = lifetime
        self._grants: dict[str, Grant] = {}
        self._unsaid: deque[str] = deque()
        self._saying: IDelayedCall | None = None
        self._forgetting = TimerService(self.FORGET_EVERY, self._forget_expired)
        self._forgetting.clock = reactor

    def __iter__(self) -> Iterator[str]:
        return iter(list(self._grants))

    def __getitem__(self, name: str) -> Grant:
        return self._grants[name]

    def start(self) -> None:
        """Look after them from now on."""
        self._forgetting.startService()

    async def stop(self) -> None:
        """Look after them no more."""
        self._unsaid.clear()
        if self._saying is not None:
            self._saying.cancel()
            self._saying = None
        if self._forgetting.running:
            await self._forgetting.stopService()

    def want_room(self) -> None:
        """@raise Unavailable: there is none for another grant."""
        if len(self._grants) >= self.MOST:
            raise Unavailable(f"host {self._host} has {self.MOST} grants already; try later")

    async def mint(self, console: Console, mode: str, user: str) -> dict[str, Any]:
        """
        @return: the answer to C{get_console}.
        @raise TerminalGone: and what else L{Console.grant} raises.
        """
        token, secret, now = token_urlsafe(32), token_urlsafe(32), self._clock.seconds()
        grant = Grant(f"g{token_hex(8)}", console, digest_of(token), secret, mode, user, now)
        terminal = await console.grant(grant.name, **self._words(grant))
        self._grants[grant.name] = grant
        self._keep(grant)
        self._log.info(
            "Grant {grant} ({mode}) for {user} on {title}",
            grant=grant.name,
            mode=mode,
            user=user,
            title=console.place.title,
        )
        return {
            "grant": grant.name,
            "console": console.name,
            "token": token,
            "host": terminal.host,
            "port": terminal.port,
            "secret": secret,
            "mode": mode,
            "device": console.place.device,
            "expires_in": self._lifetime,
        }

    def adopt(self, console: Console, alive: Collection[str]) -> None:
        """
        Know again what an earlier agent has granted on a console.

        @param alive: names of those that its terminal has not forgotten.
        """
        known = set()
        for name in _names(console.room):
            try:
                grant = _read(console, name, self._clock.seconds())
            except ValueError as why:
                self._log.error("Grant {grant} can't be read: {why}", grant=name, why=why)
                continue
            if name not in alive:
                self._unkeep(console.room, name)
                continue
            known.add(name)
            self._grants[name] = grant
            console.remember(name, **self._words(grant))
        for name in set(alive).difference(known):
            # It can be revoked by nobody who does not know of it.
            console.tell("revoke", grant=name)

    async def revoke(self, name: str) -> bool:
        """@return: whether it was known."""
        grant = self._grants.pop(name, None)
        self._bus.fanout("consoleproxy", "revoke_grant", {"grant": name})
        if grant is None:
            return False
        self._unkeep(grant.console.room, name)
        try:
            await grant.console.revoke(name)
        except (TerminalGone, OrderFailed, TimeoutError):
            pass  # with the console its grants are gone as well
        return True

    def of(self, console: Console) -> list[Grant]:
        """@return: those on one console."""
        return [grant for grant in self._grants.values() if grant.console is console]

    def closed(self, console: Console) -> None:
        """A console is no more."""
        for grant in self.of(console):
            del self._grants[grant.name]
            self._bus.fanout("consoleproxy", "revoke_grant", {"grant": grant.name})

    def ended(self, room: Room) -> None:
        """What an earlier agent has left there is ended."""
        for name in _names(room):
            self._bus.fanout("consoleproxy", "revoke_grant", {"grant": name})

    def announce(self) -> None:
        """Tell the proxies of all, little by little."""
        # From the first one again: who asks now may have missed it.
        self._unsaid = deque(self._grants)
        if self._saying is None:
            self._say_some()

    def announce_one(self, name: str) -> None:
        """Tell the proxies of a grant, if it is ours."""
        if isinstance(name, str) and name in self._grants:
            self._authorize(self._grants[name])

    def moved(self, console: Console) -> None:
        """A console has another terminal."""
        for grant in self.of(console):
            self._authorize(grant)

    def _words(self, grant: Grant) -> dict[str, Any]:
        """@return: what its terminal is told."""
        return {
            "digest": digest_of(grant.secret),
            "mode": grant.mode,
            "user": grant.user,
            "lifetime": self._lifetime,
        }

    def _keep(self, grant: Grant) -> None:
        words = {name: getattr(grant, name) for name in _KEPT}
        try:
            grant.console.room.write(grant.name, words)
        except OSError as error:
            self._log.error("Grant {grant} can't be kept: {why}", grant=grant.name, why=error)

    def _unkeep(self, room: Room, name: str) -> None:
        try:
            room.forget(name)
        except OSError as error:
            # It is over all the same; a later agent asks the terminal which live.
            self._log.error("Grant {grant} stays written down: {why}", grant=name, why=error)

    def _say_some(self) -> None:
        self._saying = None
        for _ in range(min(self.BATCH, len(self._unsaid))):
            grant = self._grants.get(self._unsaid.popleft())
            if grant is not None:
                self._authorize(grant)
        if self._unsaid:
            self._saying = self._clock.callLater(0.01, self._say_some)

    def _authorize(self, grant: Grant) -> None:
        terminal = grant.console.terminal
        if terminal is not None:
            self._bus.fanout(
                "consoleproxy",
                "authorize_console",
                {
                    "grant": grant.name,
                    "console": grant.console.name,
                    "digest": grant.digest,
                    "host": terminal.host,
                    "port": terminal.port,
                    "secret": grant.secret,
                    "mode": grant.mode,
                    "user": grant.user,
                    "expires_in": self._lifetime,
                },
            )

    def _forget_expired(self) -> None:
        """
        Whether a grant is used only its terminal knows, so that is asked.
        """
        expiry = self._clock.seconds() - self._lifetime
        old: dict[Console, list[str]] = {}
        for grant in self._grants.values():
            if grant.minted <= expiry:
                old.setdefault(grant.console, []).append(grant.name)
        for console, names in old.items():
            looking = Deferred.fromCoroutine(self._forget(console, names))
            looking.addErrback(lambda f: self._log.failure("while looking for old grants", f))

    async def _forget(self, console: Console, names: Sequence[str]) -> None:
        try:
            alive = (await console.order("grants")).get("grants")
        except (TerminalGone, OrderFailed, TimeoutError):
            return
        if isinstance(alive, list):
            for name in set(names).difference(filter(lambda one: isinstance(one, str), alive)):
                self._grants.pop(name, None)
                self._unkeep(console.room, name)
                console.forget([name])


def _names(room: Room) -> list[str]:
    return list(filter(_NAME.fullmatch, room.names()))


def _read(console: Console, name: str, now: float) -> Grant:
    """@raise ValueError: the file is not as it was written."""
    words = console.room.read(name)
    if not all(isinstance(words.get(each), str) for each in _KEPT):
        raise ValueError("it lacks something")
    return Grant(name, console, minted=now, **{each: words[each] for each in _KEPT})
