"""
Consoles that are there from their guests' start, whether anybody asks or not
(C{attach = always}), so that who comes later finds what the guest said as it booted.

Such a console is opened when libvirt says that its guest was started, and for the guests
that run already when libvirt is reached; and again when it broke, or ended because nobody
used it.  One that somebody has closed stays closed until the guest's next start.  It does
not end when nobody is there; but leave to attach to it does, after the same idle time.

An agent may adopt consoles that were opened under other settings: one that shall not last
any more ends when it is idle, one that shall is opened anew when it has ended.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from fnmatch import fnmatchcase
from functools import partial
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall
from twisted.logger import Logger

from computeagent.console import Console
from computeagent.consoles import Consoles
from computeagent.hypervisor import (
    WITH_A_PROCESS,
    HypervisorAway,
    IHypervisor,
    NoSuchDomain,
    NotRunning,
)
from consolebus.ibus import BusFailure, Conflict, NotFound


def lasting(attach: str, patterns: Sequence[str]) -> Callable[[str], bool]:
    """
    @param attach: C{always} or C{on-demand}.
    @param patterns: of names of guests, with C{*} and C{?}, for which it is
        C{always} anyway.
    @return: whether the console of a guest of that name lasts.
    """
    if attach == "always":
        patterns = ["*"]
    return lambda name: any(fnmatchcase(name, pattern) for pattern in patterns)


_OPENED_ANEW = ("broken", "idle", "input", "watching")
"""Why a console may have ended that is to be there all the same."""


class Attaching:
    """
    @cvar TRIES: to open a console; its guest may not be ready in the first moment.
    @cvar PAUSE: seconds between two.
    @cvar SLOW: seconds until a libvirt that is there but does not answer is asked again.
    """

    TRIES = 5
    PAUSE = 1.0
    SLOW = 10.0

    _log = Logger()

    def __init__(
        self,
        clock: Any,
        hypervisor: IHypervisor,
        consoles: Consoles,
        lasts: Callable[[str], bool],
        idle_timeout: float,
        unused: Callable[[Console], None],
    ) -> None:
        """
        @param lasts: as of L{lasting}.
        @param idle_timeout: seconds without a viewer after which C{unused} is called.
        """
        self._clock = clock
        self._hypervisor = hypervisor
        self._consoles = consoles
        self._lasts = lasts
        self._idle_timeout = idle_timeout
        self._unused = unused
        self._idle: dict[Console, IDelayedCall] = {}
        self._pauses: set[IDelayedCall] = set()
        self._stopped = False

    def stop(self) -> None:
        """Open none any more."""
        self._stopped = True
        for call in [*self._idle.values(), *self._pauses]:
            call.cancel()
        self._idle.clear()
        self._pauses.clear()

    def changed(self, uuid: str, happened: str) -> None:
        """Something happened to a guest; as of L{IHypervisor.watch}."""
        if happened == "started":
            self._begin(self._attach(uuid, self.TRIES))

    def presence(self) -> None:
        """libvirt went away or came back."""
        self._begin(self._attach_all())

    def told(self, console: Console, event: str, reason: str = "") -> None:
        """
        A console was opened, adopted or granted, has a viewer more or less, or is closed,
        for a C{reason}.
        """
        timer = self._idle.pop(console, None)
        if timer is not None:
            timer.cancel()
        if self._stopped:
            return
        if event == "closed":
            if reason in _OPENED_ANEW and self._lasts(console.place.domain):
                pause = self.PAUSE if reason == "broken" else 0.0
                self._try_later(pause, console.place.uuid, self.TRIES)
        elif console.lasts and not console.viewers:
            self._idle[console] = self._clock.callLater(self._idle_timeout, self._is_idle, console)

    def _is_idle(self, console: Console) -> None:
        del self._idle[console]
        if self._lasts(console.place.domain):
            self._unused(console)
        else:
            console.close("idle", "")

    def _begin(self, work: Any) -> None:
        working = Deferred.fromCoroutine(work)
        working.addErrback(lambda f: self._log.failure("while attaching to guests", f))

    async def _attach_all(self) -> None:
        try:
            found = await self._hypervisor.domains()
        except HypervisorAway:
            if not self._hypervisor.away and not self._stopped:
                self._later(self.SLOW, self._attach_all)
            return
        for domain in found:
            # One after another: a host that has just come up has more to do.
            if domain.state in WITH_A_PROCESS and self._lasts(domain.name):
                await self._attach(domain.uuid, self.TRIES)

    async def _attach(self, uuid: str, tries: int) -> None:
        if self._stopped:
            return
        try:
            domain = await self._hypervisor.running(uuid)
            if self._lasts(domain.name):
                await self._consoles.get(uuid, None)
        except (NotRunning, NoSuchDomain, Conflict, NotFound) as reason:
            self._log.debug("{uuid} is not attached to: {why}", uuid=uuid, why=reason)
        except (HypervisorAway, BusFailure) as reason:
            if tries > 1 and not self._stopped:
                self._try_later(self.PAUSE, uuid, tries - 1)
            else:
                self._log.warn("{uuid} can't be attached to: {why}", uuid=uuid, why=reason)

    def _try_later(self, delay: float, uuid: str, tries: int) -> None:
        self._later(delay, partial(self._attach, uuid, tries))

    def _later(self, delay: float, work: Callable[[], Any]) -> None:
        def begin() -> None:
            self._pauses.discard(call)
            self._begin(work())

        call = self._clock.callLater(delay, begin)
        self._pauses.add(call)
