"""
Looks after the open consoles for what viewers should be told: somebody else who
reads the same line, and a line that is silent.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from twisted.internet.defer import Deferred, DeferredList, TimeoutError
from twisted.internet.interfaces import IDelayedCall
from twisted.logger import Logger

from computeagent.bystanders import Bystander, Pty, pty_of
from computeagent.console import Console
from computeagent.orders import OrderFailed, TerminalGone
from computeagent.place import LIVE
from computeagent.silence import Silence, explanation

Search = Callable[[list[Pty], list[int]], Deferred[Mapping[Pty, Bystander]]]
"""Finds who else has these open, besides those processes;
L{computeagent.bystanders.find_bystanders} in a thread."""

_OF_LIBVIRT = ("libvirtd", "virtqemud", "virtlxcd", "virtxend")


class Lookout:
    """
    @cvar EVERY: seconds from one look to the next, at least.
    @cvar SHARE: it rests this many times as long as a look took, so that on a host with
        very many open files it costs no more than a fiftieth of one processor.
    """

    EVERY = 3.0
    SHARE = 50.0

    _log = Logger()

    def __init__(self, clock: Any, consoles: Iterable[Console], search: Search) -> None:
        self._clock = clock
        self._consoles = consoles
        self._search = search
        self._next: IDelayedCall | None = None
        self._stopped = True
        self._silences: dict[Console, Silence] = {}

    def start(self) -> None:
        """Look from now on."""
        self._stopped = False
        self._next = self._clock.callLater(self.EVERY, self._look)

    def stop(self) -> None:
        """Look no more."""
        self._stopped = True
        if self._next is not None and self._next.active():
            self._next.cancel()

    def _look(self) -> None:
        looking = Deferred.fromCoroutine(self._look_once())
        looking.addErrback(lambda f: self._log.failure("while looking after the consoles", f))
        looking.addCallback(lambda took: self._rest(took or 0.0))

    def _rest(self, took: float) -> None:
        if not self._stopped:
            self._next = self._clock.callLater(max(self.EVERY, self.SHARE * took), self._look)

    async def _look_once(self) -> float:
        """@return: seconds that the search took."""
        consoles = [one for one in self._consoles if not one.ending]
        await DeferredList(
            [
                Deferred.fromCoroutine(self._listen(one))
                for one in consoles
                if one.viewers and one.state == LIVE
            ]
        )
        self._silences = {
            one: silence for one, silence in self._silences.items() if one in consoles
        }
        ptys: dict[Pty, Console] = {}
        for console in consoles:
            # What was closed meanwhile is looked at no more.
            if not console.ending and console.line.descriptor is not None:
                pty = pty_of(console.line.descriptor)
                if pty is not None:
                    ptys[pty] = console
            else:
                console.notice("other-reader", "")
        if not ptys:
            return 0.0
        began = self._clock.seconds()
        socats = [one.line.socat.pid for one in ptys.values() if one.line.socat is not None]
        found = await self._search(list(ptys), socats)
        for pty, console in ptys.items():
            other = found.get(pty)
            console.notice("other-reader", _sentence(other) if other is not None else "")
        return float(self._clock.seconds() - began)

    async def _listen(self, console: Console) -> None:
        try:
            answer = await console.order("viewers")
        except (TerminalGone, OrderFailed, TimeoutError):
            return
        now = self._clock.seconds()
        silence = self._silences.setdefault(console, Silence(now))
        end, typed = answer.get("end"), answer.get("typed")
        silent = silence.is_silent(
            now, end if isinstance(end, int) else 0, typed if isinstance(typed, int) else 0
        )
        console.notice("silent", explanation(console.line.device) if silent else "")


def _sentence(other: Bystander) -> str:
    who = f"{other.name} (process {other.pid} on the host)"
    if other.name in _OF_LIBVIRT:
        who = f"A 'virsh console' or the like, by {who},"
    return (
        f"{who} has this serial line open as well: what the guest says goes to one of the two, "
        "so here parts of it are missing until that is closed."
    )
