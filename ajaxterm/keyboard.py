"""
Whose keys count: everybody's who may type, or those of one viewer alone.

  nobody holds it ──take──▶ held ──take by another──▶ held by the other
        ▲                     │
        └── given to all, or its holder left and did not come back in time ──┘

A holder whose connection broke keeps the keyboard for L{Keyboard.KEPT} seconds, so
that it finds it again; meanwhile whoever may type can take it, or give it on.
"""

from __future__ import annotations

from collections.abc import Callable

from twisted.internet.interfaces import IDelayedCall, IReactorTime

from ajaxterm.viewer import Event, Seat


class Keyboard:
    """
    @ivar holder: who has the keyboard alone; C{None} while all have it.
    @cvar KEPT: seconds for which an absent holder keeps it.
    """

    KEPT = 15.0

    def __init__(self, clock: IReactorTime, told: Callable[[Event], None]) -> None:
        """
        @param told: hears of every change, as the C{keyboard} of docs/protocol.md.
        """
        self._clock = clock
        self._told = told
        self._release: IDelayedCall | None = None
        self.holder: Seat | None = None

    def refusal(self, seat: Seat) -> str:
        """@return: why C{seat} can't type now; nothing if it can."""
        if self.holder is None or self.holder is seat:
            return ""
        return f"{self.holder.grant.user} ({self.holder.name}) has the keyboard."

    def take(self, seat: Seat) -> None:
        """Give it to C{seat}, whoever has it."""
        self._pass(seat, seat)

    def give(self, giver: Seat, to: Seat | None) -> str:
        """
        Pass it on.

        @param to: C{None} for all.
        @return: why that can't be; nothing if it was done.
        """
        if self.holder is None:
            return "Nobody has the keyboard alone."
        if self.holder is not giver and self.holder.viewer is not None:
            return self.refusal(giver)
        self._pass(to, giver)
        return ""

    def came(self, seat: Seat) -> None:
        """The connection of C{seat} is there, perhaps again."""
        if seat is self.holder:
            self._keep()
            if seat.grant.mode != "rw":
                self._pass(None, seat)

    def left(self, seat: Seat) -> None:
        """The connection of C{seat} is gone; it may come back."""
        if seat is self.holder:
            self._keep()
            self._release = self._clock.callLater(self.KEPT, self._pass, None, seat)

    def gone(self, seat: Seat) -> None:
        """C{seat} does not come back."""
        if seat is self.holder:
            self._pass(None, seat)

    def stop(self) -> None:
        """The console ends."""
        self._keep()

    def _pass(self, holder: Seat | None, by: Seat) -> None:
        self._keep()
        if holder is not self.holder:
            self.holder = holder
            name = None if holder is None else holder.name
            self._told({"event": "keyboard", "holder": name, "by": by.name})

    def _keep(self) -> None:
        if self._release is not None and self._release.active():
            self._release.cancel()
        self._release = None
