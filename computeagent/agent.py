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
    announce(grant)                whoever has that grant authorizes it again
  and it tells
    consoleapi    host_is          on every change, and every 30 s
    consoleapi    console_is       opened, adopted, viewer_came, viewer_left, waiting, live,
                                   logout, closed
    consoleproxy  authorize_console, revoke_grant

What it mints and tells of grants is L{computeagent.grants}.
"""

from __future__ import annotations

import re
from base64 import b64decode, b64encode
from collections.abc import Callable, Mapping
from typing import Any

from twisted.internet.defer import Deferred, TimeoutError, succeed
from twisted.logger import Logger
from twisted.python.failure import Failure

from computeagent.adoption import adopt
from computeagent.announcing import HostAnnouncer
from computeagent.attaching import Attaching
from computeagent.console import Console
from computeagent.consoles import Consoles
from computeagent.domainxml import SerialDevice
from computeagent.grants import Grants
from computeagent.hypervisor import IHypervisor
from computeagent.lookout import Lookout, Search
from computeagent.orders import OrderFailed, TerminalGone
from computeagent.remembering import Remember
from computeagent.rooms import Rooms
from computeagent.workshop import IWorkshop
from consolebus.ibus import BadArguments, Conflict, Context, IConsoleBus, Unavailable

_UUID = re.compile("[0-9A-Fa-f]{8}(-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}")
_NAME = re.compile("g[0-9a-f]{16}")

_OUTCOMES = {
    "out": "{title} is logged out",
    "in": "Somebody is still logged in at {title}",
    "unknown": "Whether somebody is logged in at {title} is not known",
}

_MOST_OUTPUT = 32 * 1024
"""Bytes of scrollback that fit into one answer of an ajaxterm."""


class Agent:
    """
    Answers, and tells.
    """

    _log = Logger()

    def __init__(
        self,
        reactor: Any,
        hypervisor: IHypervisor,
        bus: IConsoleBus,
        workshop: IWorkshop,
        rooms: Rooms,
        opener: Callable[[SerialDevice, str], Deferred[int]],
        search: Search,
        remember: Remember,
        host: str,
        address: str,
        token_ttl: float,
        idle_timeout: float = 300.0,
        lasts: Callable[[str], bool] = lambda name: False,
    ) -> None:
        """
        @param opener: as of L{Consoles}.
        @param search: as of L{Lookout}.
        @param remember: as of L{Console}.
        @param host: the name of this host on the bus.
        @param address: where its ajaxterms listen.
        @param token_ttl: seconds a grant lives unused.
        @param idle_timeout: seconds that nobody need be on a console, until leave to
            attach to it ends, if it does not end itself.
        @param lasts: as of L{Consoles}.
        """
        self._clock = reactor
        self._hypervisor = hypervisor
        self._bus = bus
        self._rooms = rooms
        self._starting: Deferred[None] = succeed(None)
        self._stopping = False
        self._host = host
        self._grants = Grants(reactor, bus, host, token_ttl)
        self._announcer = HostAnnouncer(reactor, hypervisor, bus, host, address)
        self._consoles = Consoles(
            reactor, hypervisor, workshop, rooms, opener, host, self._console_told, lasts, remember
        )
        self._lookout = Lookout(reactor, self._consoles, search)
        self._attaching = Attaching(
            reactor, hypervisor, self._consoles, lasts, idle_timeout, self._unused
        )

    # Its life.

    def start(self, failed: Callable[[], object] = lambda: None) -> None:
        """
        Go on with what an earlier agent has left, and then begin to answer: who asks for
        a console that is not adopted yet would get a second one.
        The runtime directory is prepared by the composer.

        @param failed: called if it can't (the log says why), and so answers nobody.
        """

        def tell(why: Failure) -> None:
            self._log.failure("while starting", why)
            failed()

        self._starting = Deferred.fromCoroutine(self._start())
        self._starting.addErrback(tell)

    async def _start(self) -> None:
        await adopt(list(self._rooms.left_over()), self._consoles, self._grants)
        if self._stopping:
            return
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
        self._bus.when_connected(self._grants.announce)
        self._announcer.start()
        self._grants.start()
        self._lookout.start()

    async def stop(self, leave: bool = False) -> None:
        """
        Be gone.

        @param leave: let the consoles go on, for another agent, and do not end them.
        """
        self._stopping = True
        await self._starting
        self._lookout.stop()
        await self._grants.stop()
        self._attaching.stop()
        await self._announcer.stop()
        await self._consoles.stop(leave)
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
        self._grants.want_room()
        for _ in range(3):
            console = await self._consoles.get(domain, device)
            try:
                granted = await self._grants.mint(console, mode, user)
                self._attaching.told(console, "granted")
                return granted
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
        return {"known": await self._grants.revoke(grant)}

    def announce(self, context: Context, grant: str | None = None) -> None:
        if grant is not None:
            self._grants.announce_one(grant)
            return
        self._announcer.soon()
        self._grants.announce()

    def _console_told(self, console: Console, words: Mapping[str, Any]) -> None:
        event = str(words.get("event"))
        self._attaching.told(console, event, str(words.get("reason")))
        if event in ("opened", "adopted", "waiting", "live"):
            self._tell_console(console, event)
        elif event == "logout":
            outcome = _text(words.get("state"), 16)
            self._tell_console(console, event, outcome=outcome)
            if outcome in _OUTCOMES:
                self._log.info(_OUTCOMES[outcome], title=console.place.title)
        elif event == "moved":
            self._grants.moved(console)
        elif event in ("viewer_came", "viewer_left"):
            viewer, user = _text(words.get("viewer"), 64), _text(words.get("user"), 255)
            counts = {k: words[k] for k in ("typed", "offset") if isinstance(words.get(k), int)}
            self._tell_console(console, event, viewer=viewer, user=user, **counts)
        elif event == "closed":
            self._grants.closed(console)
            self._tell_console(console, "closed", reason=words.get("reason"))

    # What it tells.

    def _changed(self, uuid: str, happened: str) -> None:
        self._announcer.soon()
        self._consoles.changed(uuid, happened)
        self._attaching.changed(uuid, happened)

    def _presence(self) -> None:
        self._announcer.soon()
        self._consoles.look_after()
        self._attaching.presence()

    def _unused(self, console: Console) -> None:
        for grant in self._grants.of(console):
            revoking = Deferred.fromCoroutine(self._grants.revoke(grant.name))
            revoking.addErrback(lambda f: self._log.failure("while revoking a grant", f))

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
