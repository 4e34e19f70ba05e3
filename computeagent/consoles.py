"""
The consoles of one host: at most one on each serial device, however many ask.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from typing import Any

from twisted.internet.defer import Deferred, DeferredList
from twisted.logger import Logger

from computeagent.console import OPENING, Console
from computeagent.domainxml import SerialDevice, choose, read_domain
from computeagent.failures import failure_of
from computeagent.guestline import GuestLine
from computeagent.hypervisor import (
    WITH_A_PROCESS,
    Domain,
    HypervisorAway,
    IHypervisor,
    NoSuchDomain,
    NotRunning,
)
from computeagent.kept import Kept
from computeagent.orders import TerminalGone
from computeagent.place import Absent, Place
from computeagent.remembering import Remember
from computeagent.rooms import Room, Rooms, new_name
from computeagent.workshop import IWorkshop
from consolebus.ibus import Conflict, NotFound, Unavailable

Told = Callable[[Console, Mapping[str, Any]], None]
"""Hears C{opened}, then what the console tells, then C{closed}."""


_LEAVING = ("leaving", "The host's console agent is being stopped.")


class Consoles:
    """
    @cvar MOST: open at a time.
    """

    MOST = 2000

    _log = Logger()

    def __init__(
        self,
        reactor: Any,
        hypervisor: IHypervisor,
        workshop: IWorkshop,
        rooms: Rooms,
        opener: Callable[[SerialDevice, str], Deferred[int]],
        host: str,
        told: Told,
        lasts: Callable[[str], bool] = lambda name: False,
        remember: Remember | None = None,
    ) -> None:
        """
        @param opener: C{opener(device, uuid)} gives a C{Deferred} of an open
            descriptor (L{computeagent.devices.open_device} in a thread).
        @param host: its name, for sentences.
        @param remember: as of L{Console}.
        @param lasts: whether consoles of a guest of that name stay when nobody is there.
        """
        self._clock = reactor
        self._hypervisor = hypervisor
        self._workshop = workshop
        self._rooms = rooms
        self._opener = opener
        self._host = host
        self._told = told
        self._lasts = lasts
        self._remember = remember
        self._open: dict[tuple[str, str], Console] = {}
        self._opening: dict[tuple[str, str], list[Deferred[Console]]] = {}
        self._moved: set[tuple[str, str]] = set()
        self._stopping = False

    def __iter__(self) -> Iterator[Console]:
        return iter(list(self._open.values()))

    async def stop(self, leave: bool = False) -> None:
        """
        End every one, also those that are just being opened.

        @param leave: let those be that are open, for another agent.
        """
        self._stopping = True
        ending: list[Deferred[Any]] = []
        for console in self:
            if not leave or console.state == OPENING:
                ending.append(console.close(*_LEAVING))
            elif not console.ending:
                console.leave()
        for others in self._opening.values():
            opening: Deferred[Console] = Deferred()
            others.append(opening)
            ending.append(opening)
        await DeferredList(ending, consumeErrors=True)

    def named(self, name: str) -> Console:
        """@raise NotFound: there is none of that name."""
        for console in self:
            if console.name == name:
                return console
        raise NotFound(f"host {self._host} has no console {str(name)[:40]!r}")

    async def get(self, uuid: str, wanted: str | None) -> Console:
        """
        The one console on that device: one that is there, one that somebody
        else is just opening, or a new one.

        @raise BusFailure: with a sentence for who asked.
        """
        while True:
            self._want_to_go_on()
            try:
                domain = await self._hypervisor.running(uuid)
            except Exception as error:
                waiting = self._waiting(uuid, wanted)
                if waiting is not None and isinstance(error, (NotRunning, NoSuchDomain)):
                    return waiting
                raise failure_of(error, uuid, self._host) from error
            try:
                device = choose(read_domain(domain.xml).devices, wanted)
            except Exception as error:
                raise failure_of(error, domain.name, self._host) from error
            # As libvirt spells it: one guest, however it was asked for.
            place = Place(domain.uuid, domain.name, device.alias)
            key = (place.uuid, place.device)
            known = self._open.get(key)
            if known is None:
                break
            if not known.ending:
                return known
            await self.gone(known)  # and believe nothing that was read before
        others = self._opening.get(key)
        if others is not None:
            opening: Deferred[Console] = Deferred()
            others.append(opening)
            return await opening
        self._opening[key] = []
        try:
            console = await self._make(place, device)
        except Exception as error:
            failure = failure_of(error, place.domain, self._host)
            for other in self._opening.pop(key):
                other.errback(failure)
            raise failure from error
        finally:
            self._moved.discard(key)
        for other in self._opening.pop(key):
            other.callback(console)
        return console

    async def adopt(self, room: Room, kept: Kept) -> tuple[Console, Collection[str]]:
        """
        Go on with a console of an earlier agent.

        @return: it, and the names of the grants that its terminal has not forgotten.
        @raise TerminalGone: it has ended, or is just ending.
        @raise TimeoutError: its terminal does not answer.
        @raise OrderFailed: nor does it make sense.
        @raise OSError: no descriptor.
        """
        place = kept.place
        line = self._line(place, room, kept.device, None)
        console = self._console(room.path.name, place, room, line, kept.lasts)
        ended: list[object] = []

        def told(words: Mapping[str, Any]) -> None:
            if console.terminal is None and words.get("event") == "ended":
                ended.append(words)  # there is nothing yet that could be closed
            else:
                console.terminal_told(words)

        terminal = await self._workshop.adopt_terminal(
            room, place.title, told, kept.terminal, kept.host, kept.port
        )
        socat = None
        try:
            if kept.socat is not None:
                socat = self._workshop.adopt_socat(place.title, kept.socat)
            if socat is None:
                # Our predecessor may have died between joining one and writing it down.
                await terminal.orders.give("part")
            alive = (await terminal.orders.give("grants")).get("grants")
            viewers = (await terminal.orders.give("viewers")).get("viewers")
            if ended:
                raise TerminalGone()
            console.take_over(terminal, kept, socat, viewers)
        except BaseException:
            for child in (terminal.child, socat):
                if child is not None:
                    child.let_be()
            terminal.orders.leave()
            raise
        self._open[(place.uuid, place.device)] = console
        self._log.info(
            "Console {title} goes on: {console}", title=place.title, console=console.name
        )
        self._told(console, {"event": "adopted"})
        names = alive if isinstance(alive, list) else []
        return console, [name for name in names if isinstance(name, str)]

    async def gone(self, console: Console) -> None:
        """Wait until nothing of a console is left."""
        await console.close("broken", "")

    def _waiting(self, uuid: str, wanted: str | None) -> Console | None:
        """
        @return: one that waits for its guest.  Of a guest that is off there are no
            live devices, so C{wanted} is an alias, or C{None} for whichever there is.
        """
        for console in self:
            place = console.place
            if place.uuid == uuid.lower() and wanted in (None, place.device) and not console.ending:
                return console
        return None

    # The guests.

    def changed(self, uuid: str, happened: str) -> None:
        """Something happened to a guest; as of L{IHypervisor.watch}."""
        for console in self:
            if console.place.uuid == uuid:
                console.happened(happened)
        if happened == "migrated":
            self._moved |= {key for key in self._opening if key[0] == uuid}

    def look_after(self) -> None:
        """
        libvirt went away or came back.  What ended meanwhile nobody told us.
        """
        looking = Deferred.fromCoroutine(self._look_after(list(self)))
        looking.addErrback(lambda f: self._log.failure("while looking after the consoles", f))

    async def _look_after(self, consoles: Sequence[Console]) -> None:
        """
        @param consoles: those that were open before libvirt is asked.
        """
        try:
            domains = await self._hypervisor.domains()
            found: dict[str, Domain] | None = {domain.uuid: domain for domain in domains}
        except HypervisorAway:
            found = None
        for console in consoles:
            if found is None:
                console.line.see(Absent.UNSEEN)  # it asks again, if it has to know
                continue
            domain = found.get(console.place.uuid)
            if domain is None:
                console.line.see(Absent.REMOVED)
            else:
                console.line.see(domain if domain.state in WITH_A_PROCESS else Absent.OFF)

    # One console.

    async def _make(self, place: Place, device: SerialDevice) -> Console:
        if len(self._open) >= self.MOST:
            raise Unavailable(f"host {self._host} has {self.MOST} consoles open already")
        opened = await self._opener(device, place.uuid)
        try:
            self._want_to_go_on()
            name = new_name()
            room = self._rooms.make(name)
        except BaseException:
            os.close(opened)
            raise
        line = self._line(place, room, device, opened)
        console = self._console(name, place, room, line, self._lasts(place.domain))
        await console.open()
        if self._stopping:
            await console.close(*_LEAVING)
            self._want_to_go_on()
        if (place.uuid, place.device) in self._moved:
            console.happened("migrated")
            await self.gone(console)
            raise Conflict(f"guest {place.domain} was just moved to another host; ask for it there")
        if console.ending:
            await self.gone(console)
            raise TerminalGone()
        self._open[(place.uuid, place.device)] = console
        self._log.info("Console {title} is open: {console}", title=place.title, console=name)
        self._told(console, {"event": "opened"})
        return console

    def _line(
        self, place: Place, room: Room, device: SerialDevice, opened: int | None
    ) -> GuestLine:
        return GuestLine(
            self._clock,
            self._hypervisor,
            self._workshop,
            self._opener,
            place,
            room,
            device,
            opened,
        )

    def _console(
        self, name: str, place: Place, room: Room, line: GuestLine, lasts: bool
    ) -> Console:
        return Console(
            self._clock,
            self._workshop,
            name,
            place,
            room,
            line,
            self._console_told,
            lasts,
            self._remember,
        )

    def _console_told(self, console: Console, words: Mapping[str, Any]) -> None:
        key = (console.place.uuid, console.place.device)
        if self._open.get(key) is not console:
            return  # it has ended before it was open
        if words.get("event") == "closed":
            del self._open[key]
        self._told(console, words)

    def _want_to_go_on(self) -> None:
        if self._stopping:
            raise Unavailable(f"the agent on host {self._host} is being stopped")
