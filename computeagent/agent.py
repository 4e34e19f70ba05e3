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
    consoleapi    console_is       opened, viewer_came, viewer_left, closed
    consoleproxy  authorize_console, revoke_grant

The agent mints token and secret.  It keeps the secret and the token's digest; the
token itself it forgets, so no later question can get it out of us.
"""

from __future__ import annotations

import os
from base64 import b64decode, b64encode
from collections.abc import Mapping
from dataclasses import dataclass
from secrets import token_hex, token_urlsafe
from typing import Any, TypeVar

from twisted.application.internet import TimerService
from twisted.internet.defer import Deferred, DeferredList, TimeoutError
from twisted.internet.interfaces import IDelayedCall
from twisted.logger import Logger

from computeagent.console import CLOSED, CLOSING, Console, Place
from computeagent.devices import CannotOpen, DeviceRefused
from computeagent.domainxml import BadDomainXML, NoSerialDevice, choose, read_domain
from computeagent.hypervisor import HypervisorAway, IHypervisor, NoSuchDomain, NotRunning
from computeagent.minting import digest_of
from computeagent.orders import OrderFailed, TerminalGone
from computeagent.ports import PortsExhausted
from computeagent.rooms import Rooms
from computeagent.workshop import IWorkshop
from consolebus.ibus import (
    BadArguments,
    BusFailure,
    Conflict,
    Context,
    IConsoleBus,
    NotFound,
    Unavailable,
)

T = TypeVar("T")

_MOST_OUTPUT = 32 * 1024
"""Bytes of scrollback that fit into one answer of an ajaxterm."""


@dataclass(frozen=True, slots=True)
class Grant:
    """
    @ivar name: public.
    @ivar digest: of the token.
    @ivar secret: what a proxy shows the ajaxterm.
    """

    name: str
    console: Console
    digest: str
    secret: str
    mode: str
    user: str


class Agent:
    """
    @cvar TELL_EVERY: seconds between announcements without a change.
    @cvar TELL_AFTER: seconds in which changes are told together.
    @cvar MOST_CONSOLES: open at a time.
    @cvar MOST_GRANTS: alive at a time.
    """

    TELL_EVERY = 30.0
    TELL_AFTER = 0.1
    MOST_CONSOLES = 2000
    MOST_GRANTS = 20000

    _log = Logger()

    def __init__(
        self,
        reactor: Any,
        hypervisor: IHypervisor,
        bus: IConsoleBus,
        workshop: IWorkshop,
        rooms: Rooms,
        opener: Any,
        host: str,
        address: str,
        token_ttl: float,
    ) -> None:
        """
        @param opener: C{opener(device, uuid)} gives a C{Deferred} of an open
            descriptor (L{computeagent.devices.open_device} in a thread).
        @param host: the name of this host on the bus.
        @param address: where its ajaxterms listen.
        @param token_ttl: seconds a grant lives unused.
        """
        self._clock = reactor
        self._hypervisor = hypervisor
        self._bus = bus
        self._workshop = workshop
        self._rooms = rooms
        self._opener = opener
        self._host = host
        self._address = address
        self._token_ttl = token_ttl
        self._consoles: dict[tuple[str, str], Console] = {}
        self._opening: dict[tuple[str, str], list[Deferred[Console]]] = {}
        self._grants: dict[str, Grant] = {}
        self._telling: IDelayedCall | None = None
        self._stopping = False
        self._timer = TimerService(self.TELL_EVERY, self.announce_host)
        self._timer.clock = reactor

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
        self._bus.when_connected(self._announce_soon)
        self._timer.startService()

    async def stop(self) -> None:
        """End every console, and be gone."""
        self._stopping = True
        if self._telling is not None and self._telling.active():
            self._telling.cancel()
        if self._timer.running:
            await self._timer.stopService()
        closing = [
            console.close("leaving", "The host's console agent is being stopped.")
            for console in list(self._consoles.values())
        ]
        await DeferredList(closing)
        await self._hypervisor.stop()
        self._rooms.release()

    # What the bus asks.

    async def get_console(
        self, context: Context, domain: str, device: str | None, mode: str, user: str
    ) -> dict[str, Any]:
        _want(isinstance(domain, str) and 0 < len(domain) <= 64, "domain is a UUID")
        _want(device is None or isinstance(device, str), "device is an alias, an index or null")
        _want(mode in ("rw", "ro"), "mode is rw or ro")
        _want(isinstance(user, str) and len(user) <= 255, "user is a text of up to 255 characters")
        if len(self._grants) >= self.MOST_GRANTS:
            raise Unavailable(f"host {self._host} has {self.MOST_GRANTS} grants already; try later")
        for _ in range(3):
            console = await self._console(domain, device)
            try:
                return await self._grant(console, mode, user)
            except TerminalGone:
                # It was just ending, of idleness perhaps: open another one.
                await self._gone(console)
            except TimeoutError:
                raise Unavailable("the terminal did not start in time; try again") from None
            except OrderFailed as failed:
                raise Unavailable(f"the terminal says: {failed}") from None
        raise Unavailable("the terminal ended again and again as it started; see the agent's log")

    async def close_console(self, context: Context, console: str) -> dict[str, Any]:
        found = self._named(console)
        await found.close("closed", "The console was closed.")
        return {}

    def list_consoles(self, context: Context) -> dict[str, Any]:
        return {"consoles": [self._describe(console) for console in self._consoles.values()]}

    async def list_viewers(self, context: Context, console: str) -> Mapping[str, Any]:
        try:
            return await self._named(console).order("viewers")
        except (TerminalGone, OrderFailed, TimeoutError):
            raise Unavailable("that console is just ending") from None

    async def get_output(
        self, context: Context, domain: str, device: str | None = None, length: int = 65536
    ) -> dict[str, Any]:
        _want(isinstance(length, int) and 0 <= length <= 1 << 20, "length is from 0 to 1048576")
        console = next(
            (
                one
                for (uuid, alias), one in self._consoles.items()
                if uuid == domain and device in (None, alias)
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
        known = self._grants.pop(grant, None)
        self._bus.fanout("consoleproxy", "revoke_grant", {"grant": grant})
        if known is not None:
            try:
                await known.console.order("revoke", grant=grant)
            except (TerminalGone, OrderFailed, TimeoutError):
                pass  # with the console its grants are gone as well
        return {"known": known is not None}

    def announce(self, context: Context) -> None:
        self._announce_soon()
        for grant in self._grants.values():
            self._authorize(grant)

    # Consoles.

    async def _console(self, uuid: str, wanted: str | None) -> Console:
        """
        The one console on that device: one that is there, one that somebody
        else is just opening, or a new one.
        """
        if self._stopping:
            raise Unavailable(f"the agent on host {self._host} is being stopped")
        try:
            domain = await self._hypervisor.running(uuid)
            device = choose(read_domain(domain.xml).devices, wanted)
        except Exception as error:
            raise self._failure(error, uuid) from error
        key = (uuid, device.alias)
        known = self._consoles.get(key)
        if known is not None and known.state in (CLOSING, CLOSED):
            await self._gone(known)
            known = self._consoles.get(key)
        if known is not None:
            return known
        if key in self._opening:
            waiting: Deferred[Console] = Deferred()
            self._opening[key].append(waiting)
            return await waiting
        self._opening[key] = []
        try:
            console = await self._open(Place(uuid, domain.name, device.alias), device)
        except Exception as error:
            failure = self._failure(error, domain.name)
            for other in self._opening.pop(key):
                other.errback(failure)
            raise failure from error
        for other in self._opening.pop(key):
            other.callback(console)
        return console

    async def _open(self, place: Place, device: Any) -> Console:
        if len(self._consoles) >= self.MOST_CONSOLES:
            raise Unavailable(f"host {self._host} has {self.MOST_CONSOLES} consoles open already")
        opened = await self._opener(device, place.uuid)
        try:
            name = token_hex(6)
            room = self._rooms.make(name)
        except BaseException:
            os.close(opened)
            raise
        console = Console(
            self._clock,
            self._hypervisor,
            self._workshop,
            name,
            place,
            room,
            opened,
            self._console_told,
        )
        await console.open()
        self._consoles[(place.uuid, place.device)] = console
        self._log.info("Console {title} is open: {console}", title=place.title, console=name)
        self._tell_console(console, "opened")
        return console

    async def _grant(self, console: Console, mode: str, user: str) -> dict[str, Any]:
        token, secret = token_urlsafe(32), token_urlsafe(32)
        grant = Grant(f"g{token_hex(8)}", console, digest_of(token), secret, mode, user)
        await console.order(
            "grant",
            grant=grant.name,
            digest=digest_of(secret),
            mode=mode,
            user=user,
            lifetime=self._token_ttl,
        )
        terminal = console.terminal
        if terminal is None or console.state in (CLOSING, CLOSED):
            raise TerminalGone()
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

    async def _gone(self, console: Console) -> None:
        """Wait until nothing of a console is left."""
        await console.close("broken", "")

    def _console_told(self, console: Console, words: Mapping[str, Any]) -> None:
        event = str(words.get("event"))
        if event in ("viewer_came", "viewer_left"):
            self._tell_console(console, event, viewer=words.get("viewer"), user=words.get("user"))
        elif event == "closed":
            key = (console.place.uuid, console.place.device)
            if self._consoles.get(key) is console:
                del self._consoles[key]
            for grant in [g for g in self._grants.values() if g.console is console]:
                del self._grants[grant.name]
                self._bus.fanout("consoleproxy", "revoke_grant", {"grant": grant.name})
            self._tell_console(console, "closed", reason=words.get("reason"))

    def _named(self, name: str) -> Console:
        for console in self._consoles.values():
            if console.name == name:
                return console
        raise NotFound(f"host {self._host} has no console {str(name)[:40]!r}")

    def _failure(self, error: Exception, domain: str) -> BusFailure:
        """
        What an exception means to who asked.  (One table, at the edge.)
        """
        if isinstance(error, BusFailure):
            return error
        if isinstance(error, NoSuchDomain):
            return NotFound(f"there is no guest {domain} on host {self._host}")
        if isinstance(error, NotRunning):
            return Conflict(
                f"guest {error.name} is not running ({error.state}); start it, then ask again"
            )
        if isinstance(error, HypervisorAway):
            return Unavailable(f"host {self._host} can't reach its libvirt now: {error}")
        if isinstance(error, NoSerialDevice):
            return Conflict(f"guest {domain} has no usable serial device. {error}")
        if isinstance(error, DeviceRefused):
            self._log.error("The device of {domain} was refused: {why}", domain=domain, why=error)
            return Conflict(f"the serial device of guest {domain} was refused: {error}")
        if isinstance(error, CannotOpen):
            self._log.warn(
                "The device of {domain} can't be opened: {why}", domain=domain, why=error
            )
            return Unavailable(f"the serial device of guest {domain} can't be opened: {error}")
        if isinstance(error, BadDomainXML):
            self._log.error("The XML of {domain} was refused: {why}", domain=domain, why=error)
            return Unavailable(f"what libvirt says of guest {domain} can't be read: {error}")
        if isinstance(error, PortsExhausted):
            self._log.error("No port is free in {first}-{last}", first=error.first, last=error.last)
            return Unavailable(
                f"host {self._host} has no port left for another console "
                f"({error.first}-{error.last}); close one, or widen --portrange"
            )
        if isinstance(error, OSError):
            self._log.failure("while opening a console of {domain}", domain=domain)
            return Unavailable(f"host {self._host} can't open another console: {error.strerror}")
        raise error

    # What it tells.

    def announce_host(self) -> Deferred[None]:
        """Tell what this host has; called by the timer and after changes."""
        telling = Deferred.fromCoroutine(self._announce_host())
        telling.addErrback(lambda f: self._log.failure("while announcing this host", f))
        return telling

    async def _announce_host(self) -> None:
        domains: list[dict[str, Any]] | None
        try:
            found = await self._hypervisor.domains()
        except HypervisorAway:
            domains = None
        else:
            domains = []
            for domain in found:
                try:
                    said = read_domain(domain.xml)
                    owner = said.owner
                    devices = [d.alias for d in said.devices if not d.unusable]
                except BadDomainXML:
                    owner, devices = "", []
                domains.append(
                    {
                        "uuid": domain.uuid,
                        "name": domain.name,
                        "state": domain.state,
                        "owner": owner,
                        "devices": devices,
                    }
                )
        if not self._stopping:
            self._bus.fanout(
                "consoleapi",
                "host_is",
                {
                    "host": self._host,
                    "address": self._address,
                    "away": self._hypervisor.away,
                    "domains": domains,
                },
            )

    def _announce_soon(self) -> None:
        if self._stopping or (self._telling is not None and self._telling.active()):
            return
        self._telling = self._clock.callLater(self.TELL_AFTER, self.announce_host)

    def _changed(self, uuid: str, happened: str) -> None:
        self._announce_soon()
        if happened == "stopped":
            for console in [c for c in self._consoles.values() if c.place.uuid == uuid]:
                console.guest_stopped()

    def _presence(self) -> None:
        """
        libvirt went away or came back.  What ended meanwhile nobody told us.
        """
        self._announce_soon()
        for console in list(self._consoles.values()):
            looking = Deferred.fromCoroutine(self._look_after(console))
            looking.addErrback(lambda f: self._log.failure("while looking after a console", f))

    async def _look_after(self, console: Console) -> None:
        try:
            await self._hypervisor.running(console.place.uuid)
        except (NotRunning, NoSuchDomain):
            console.guest_stopped()
        except HypervisorAway:
            pass

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


def _want(fits: bool, sentence: str) -> None:
    if not fits:
        raise BadArguments(sentence)
