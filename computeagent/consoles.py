"""
The consoles of one host: at most one on each serial device, however many ask.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from twisted.internet.defer import Deferred, DeferredList
from twisted.logger import Logger

from computeagent.console import CLOSED, CLOSING, Console, Place
from computeagent.domainxml import SerialDevice, choose, read_domain
from computeagent.failures import failure_of
from computeagent.hypervisor import HypervisorAway, IHypervisor, NoSuchDomain, NotRunning
from computeagent.rooms import Rooms, new_name
from computeagent.workshop import IWorkshop
from consolebus.ibus import NotFound, Unavailable

Told = Callable[[Console, Mapping[str, Any]], None]
"""Hears C{opened}, then what the console tells, then C{closed}."""


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
    ) -> None:
        """
        @param opener: C{opener(device, uuid)} gives a C{Deferred} of an open
            descriptor (L{computeagent.devices.open_device} in a thread).
        @param host: its name, for sentences.
        """
        self._clock = reactor
        self._hypervisor = hypervisor
        self._workshop = workshop
        self._rooms = rooms
        self._opener = opener
        self._host = host
        self._told = told
        self._open: dict[tuple[str, str], Console] = {}
        self._opening: dict[tuple[str, str], list[Deferred[Console]]] = {}
        self._stopping = False

    def __iter__(self) -> Iterator[Console]:
        return iter(list(self._open.values()))

    async def stop(self) -> None:
        """End every one."""
        self._stopping = True
        await DeferredList(
            [
                console.close("leaving", "The host's console agent is being stopped.")
                for console in self
            ]
        )

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
        if self._stopping:
            raise Unavailable(f"the agent on host {self._host} is being stopped")
        called = uuid
        try:
            domain = await self._hypervisor.running(uuid)
            called = domain.name
            device = choose(read_domain(domain.xml).devices, wanted)
        except Exception as error:
            raise failure_of(error, called, self._host) from error
        key = (uuid, device.alias)
        known = self._open.get(key)
        if known is not None and known.state in (CLOSING, CLOSED):
            await self.gone(known)
            known = self._open.get(key)
        if known is not None:
            return known
        if key in self._opening:
            waiting: Deferred[Console] = Deferred()
            self._opening[key].append(waiting)
            return await waiting
        self._opening[key] = []
        try:
            console = await self._make(Place(uuid, domain.name, device.alias), device)
        except Exception as error:
            failure = failure_of(error, domain.name, self._host)
            for other in self._opening.pop(key):
                other.errback(failure)
            raise failure from error
        for other in self._opening.pop(key):
            other.callback(console)
        return console

    async def gone(self, console: Console) -> None:
        """Wait until nothing of a console is left."""
        await console.close("broken", "")

    # The guests.

    def changed(self, uuid: str, happened: str) -> None:
        """Something happened to a guest; as of L{IHypervisor.watch}."""
        if happened == "stopped":
            for console in self:
                if console.place.uuid == uuid:
                    console.guest_stopped()

    def look_after(self) -> None:
        """
        libvirt went away or came back.  What ended meanwhile nobody told us.
        """
        for console in self:
            looking = Deferred.fromCoroutine(self._look_after(console))
            looking.addErrback(lambda f: self._log.failure("while looking after a console", f))

    async def _look_after(self, console: Console) -> None:
        try:
            await self._hypervisor.running(console.place.uuid)
        except (NotRunning, NoSuchDomain):
            console.guest_stopped()
        except HypervisorAway:
            pass

    # One console.

    async def _make(self, place: Place, device: SerialDevice) -> Console:
        if len(self._open) >= self.MOST:
            raise Unavailable(f"host {self._host} has {self.MOST} consoles open already")
        opened = await self._opener(device, place.uuid)
        try:
            name = new_name()
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
        self._open[(place.uuid, place.device)] = console
        self._log.info("Console {title} is open: {console}", title=place.title, console=name)
        self._told(console, {"event": "opened"})
        return console

    def _console_told(self, console: Console, words: Mapping[str, Any]) -> None:
        if words.get("event") == "closed":
            key = (console.place.uuid, console.place.device)
            if self._open.get(key) is console:
                del self._open[key]
        self._told(console, words)
