"""
The agent: what a host answers on the bus.

  topic compute.HOST (calls)
    get_console(domain, device, mode, user)
        -> {grant, console, token, host, port, secret, mode, device, expires_in}
    close_console(console)         -> {}
    list_consoles()                -> {consoles: [{console, domain, name, device, state}]}
    list_viewers(console)          -> {viewers: [{name, user, mode}], end}
    get_output(domain, device, length) -> {output (base64), offset}
    revoke_grant(grant)            -> {known}
  topic compute (fan-out)
    announce()                     every agent tells what it has, and authorizes its grants again
  and it tells
    consoleapi    host_is          on every change, and every 30 s
    consoleapi    console_is       opened, viewer_came, viewer_left, waiting, live, closed
    consoleproxy  authorize_console, revoke_grant

The agent mints token and secret.  It keeps the secret and the token's digest; the
token itself it forgets, so no later question can get it out of us.
"""

from __future__ import annotations

import re
from base64 import b64decode, b64encode
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from secrets import token_hex, token_urlsafe
from typing import Any

from twisted.application.internet import TimerService
from twisted.internet.defer import Deferred, TimeoutError
from twisted.internet.interfaces import IDelayedCall
from twisted.logger import Logger

from computeagent.announcing import HostAnnouncer
from computeagent.console import Console
from computeagent.consoles import Consoles
from computeagent.domainxml import SerialDevice
from computeagent.hypervisor import IHypervisor
from computeagent.minting import digest_of
from computeagent.orders import OrderFailed, TerminalGone
from computeagent.rooms import Rooms
from computeagent.workshop import IWorkshop
from consolebus.ibus import BadArguments, Conflict, Context, IConsoleBus, Unavailable

_UUID = re.compile("[0-9A-Fa-f]{8}(-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}")
_NAME = re.compile("g[0-9a-f]{16}")

_MOST_OUTPUT = 32 * 1024
"""Bytes of scrollback that fit into one answer of an ajaxterm."""


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


class Agent:
    """
    @cvar MOST_GRANTS: alive at a time.
    @cvar BATCH: of them are announced in one turn of the reactor.
    @cvar FORGET_EVERY: seconds between two looks for grants that have expired.
    """

    MOST_GRANTS = 20000
    BATCH = 100
    FORGET_EVERY = 60.0

    _log = Logger()

    def __init__(
        self,
        reactor: Any,
        hypervisor: IHypervisor,
        bus: IConsoleBus,
        workshop: IWorkshop,
        rooms: Rooms,
        opener: Callable[[SerialDevice, str], Deferred[int]],
        host: str,
        address: str,
        token_ttl: float,
    ) -> None:
        """
        @param opener: as of L{Consoles}.
        @param host: the name of this host on the bus.
        @param address: where its ajaxterms listen.
        @param token_ttl: seconds a grant lives unused.
        """
        self._clock = reactor
        self._hypervisor = hypervisor
        self._bus = bus
        self._rooms = rooms
        self._host = host
        self._token_ttl = token_ttl
        self._grants: dict[str, Grant] = {}
        self._unsaid: deque[str] = deque()
        self._saying: IDelayedCall | None = None
        self._forgetting = TimerService(self.FORGET_EVERY, self._forget_expired)
        self._forgetting.clock = reactor
        self._announcer = HostAnnouncer(reactor, hypervisor, bus, host, address)
        self._consoles = Consoles(
            reactor, hypervisor, workshop, rooms, opener, host, self._console_told
        )

    # Its life.

    def start(self) -> None:
        """
        Begin to answer.
        The runtime directory is prepared by the composer.
        """
        swept = self._rooms.sweep()
        if swept:
            self._log.warn("{count} consoles of an agent that died were ended", count=swept)
        self._hypervisor.watch(self._changed, self._presence)
        self._hypervisor.start()
        self._bus.serve(
            f"compute.{self._host}",
            {
                "get_console": self.get_console,
                "close_console": self.close_console,
                "list_consoles": self.list_consoles,
                "list_viewers": self.list_viewers,
                "get_output": self.get_output,
                "revoke_grant": self.revoke_grant,
            },
        )
        self._bus.listen("compute", {"announce": self.announce})
        self._bus.when_connected(self._announcer.soon)
        self._announcer.start()
        self._forgetting.startService()

    async def stop(self) -> None:
        """End every console, and be gone."""
        if self._saying is not None:
            self._saying.cancel()
        if self._forgetting.running:
            await self._forgetting.stopService()
        await self._announcer.stop()
        await self._consoles.stop()
        await self._hypervisor.stop()
        self._rooms.release()

    # What the bus asks.

    async def get_console(
        self, context: Context, domain: str, device: str | None, mode: str, user: str
    ) -> dict[str, Any]:
        _want(isinstance(domain, str) and _UUID.fullmatch(domain) is not None, "domain is a UUID")
        _want(device is None or isinstance(device, str), "device is an alias, an index or null")
        _want(mode in ("rw", "ro"), "mode is rw or ro")
        _want(isinstance(user, str) and len(user) <= 255, "user is a text of up to 255 characters")
        if len(self._grants) >= self.MOST_GRANTS:
            raise Unavailable(f"host {self._host} has {self.MOST_GRANTS} grants already; try later")
        for _ in range(3):
            console = await self._consoles.get(domain, device)
            try:
                return await self._grant(console, mode, user)
            except TerminalGone:
                # It was just ending, of idleness perhaps: open another one.
                await self._consoles.gone(console)
            except TimeoutError:
                raise Unavailable("the terminal did not start in time; try again") from None
            except OrderFailed as failed:
                if not console.ending:
                    raise Unavailable(f"the terminal says: {failed}") from None
                await self._consoles.gone(console)
        raise Unavailable("the terminal ended again and again as it started; see the agent's log")

    async def close_console(self, context: Context, console: str) -> dict[str, Any]:
        found = self._consoles.named(console)
        await found.close("closed", "The console was closed.")
        return {}

    def list_consoles(self, context: Context) -> dict[str, Any]:
        return {"consoles": [self._describe(console) for console in self._consoles]}

    async def list_viewers(self, context: Context, console: str) -> Mapping[str, Any]:
        try:
            return await self._consoles.named(console).order("viewers")
        except (TerminalGone, OrderFailed, TimeoutError):
            raise Unavailable("that console is just ending") from None

    async def get_output(
        self, context: Context, domain: str, device: str | None = None, length: int = 65536
    ) -> dict[str, Any]:
        _want(isinstance(length, int) and 0 <= length <= 1 << 20, "length is from 0 to 1048576")
        console = next(
            (
                one
                for one in self._consoles
                if one.place.uuid == domain and device in (None, one.place.device)
            ),
            None,
        )
        if console is None:
            raise Conflict("no console of that guest is open, so nothing was recorded")
        parts: list[bytes] = []
        offset: int | None = None
        wanted = length
        try:
            while wanted > 0:
                words: dict[str, Any] = {"most": min(wanted, _MOST_OUTPUT)}
                if offset is not None:
                    words["before"] = offset
                answer = await console.order("output", **words)
                part, offset = b64decode(answer["output"]), int(answer["offset"])
                if not part:
                    break
                parts.insert(0, part)
                wanted -= len(part)
        except OrderFailed:
            pass  # the ring has passed what we had come to; the rest is whole
        except (TerminalGone, TimeoutError):
            raise Unavailable("that console is just ending") from None
        output = b"".join(parts)
        return {"output": b64encode(output).decode("ascii"), "offset": offset or 0}

    async def revoke_grant(self, context: Context, grant: str) -> dict[str, Any]:
        _want(isinstance(grant, str) and _NAME.fullmatch(grant) is not None, "grant is its name")
        known = self._grants.pop(grant, None)
        self._bus.fanout("consoleproxy", "revoke_grant", {"grant": grant})
        if known is not None:
            try:
                await known.console.revoke(grant)
            except (TerminalGone, OrderFailed, TimeoutError):
                pass  # with the console its grants are gone as well
        return {"known": known is not None}

    def announce(self, context: Context) -> None:
        self._announcer.soon()
        # From the first one again: who asks now may have missed it.
        self._unsaid = deque(self._grants)
        if self._saying is None:
            self._say_some()

    # Grants.

    def _say_some(self) -> None:
        self._saying = None
        for _ in range(min(self.BATCH, len(self._unsaid))):
            grant = self._grants.get(self._unsaid.popleft())
            if grant is not None:
                self._authorize(grant)
        if self._unsaid:
            self._saying = self._clock.callLater(0.01, self._say_some)

    async def _grant(self, console: Console, mode: str, user: str) -> dict[str, Any]:
        token, secret, now = token_urlsafe(32), token_urlsafe(32), self._clock.seconds()
        grant = Grant(f"g{token_hex(8)}", console, digest_of(token), secret, mode, user, now)
        terminal = await console.grant(
            grant.name, digest=digest_of(secret), mode=mode, user=user, lifetime=self._token_ttl
        )
        self._grants[grant.name] = grant
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
            "expires_in": self._token_ttl,
        }

    def _forget_expired(self) -> None:
        """
        Whether a grant is used only its terminal knows, so that is asked.
        """
        expiry = self._clock.seconds() - self._token_ttl
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
                console.forget([name])

    def _console_told(self, console: Console, words: Mapping[str, Any]) -> None:
        event = str(words.get("event"))
        if event in ("opened", "waiting", "live"):
            self._tell_console(console, event)
        elif event == "moved":
            for grant in [g for g in self._grants.values() if g.console is console]:
                self._authorize(grant)
        elif event in ("viewer_came", "viewer_left"):
            viewer, user = _text(words.get("viewer"), 64), _text(words.get("user"), 255)
            self._tell_console(console, event, viewer=viewer, user=user)
        elif event == "closed":
            for grant in [g for g in self._grants.values() if g.console is console]:
                del self._grants[grant.name]
                self._bus.fanout("consoleproxy", "revoke_grant", {"grant": grant.name})
            self._tell_console(console, "closed", reason=words.get("reason"))

    # What it tells.

    def _changed(self, uuid: str, happened: str) -> None:
        self._announcer.soon()
        self._consoles.changed(uuid, happened)

    def _presence(self) -> None:
        self._announcer.soon()
        self._consoles.look_after()

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
                    "expires_in": self._token_ttl,
                },
            )

    def _tell_console(self, console: Console, event: str, **words: object) -> None:
        self._bus.fanout(
            "consoleapi",
            "console_is",
            {"event": event, "host": self._host, **self._describe(console), **words},
        )

    def _describe(self, console: Console) -> dict[str, Any]:
        return {
            "console": console.name,
            "domain": console.place.uuid,
            "name": console.place.domain,
            "device": console.place.device,
            "state": console.state,
        }


def _text(said: object, most: int) -> str:
    """What a terminal said, which might say anything."""
    return said[:most] if isinstance(said, str) else ""


def _want(fits: bool, sentence: str) -> None:
    if not fits:
        raise BadArguments(sentence)
