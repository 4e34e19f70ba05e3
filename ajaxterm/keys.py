"""
What viewers type, on its way to a line that takes it as it can.

Keys that the line takes go to it at once.  The rest waits here, for each viewer by
itself, and when the line goes on each gets its turn: another one's Ctrl-C
does not wait for a long paste.  What went to the line is I{counted}; what waits
is not, so a viewer that comes back sends it again, and one that changes its mind
can have it dropped.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Protocol

from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.logger import Logger

from ajaxterm.viewer import Seat


class Line(Protocol):
    """What a session asks of a line."""

    resizable: bool

    def write(self, keys: bytes) -> None:
        """Send input; L{Keys.hold} says when it is too much."""

    def resize(self, rows: int, columns: int) -> None:
        """Set the terminal's size."""


class Keys:
    """
    @ivar write: to the line.
    @ivar held: whether the line takes nothing now.
    @ivar sent: bytes that went to the line, of all viewers.
    @ivar stuck: whether it has taken nothing for a while, as viewers are told.
    @cvar SLICE: bytes of one viewer that are written before another's turn.
    @cvar KEPT: bytes of a viewer that may wait here; beyond, it is asked to
        stop, and what it has sent already is the most that is kept.
    @cvar LEFT_BEHIND: bytes that wait here of viewers who left for good.
    @cvar STUCK_AFTER: seconds.
    """

    SLICE = 4096
    KEPT = 1 << 18
    LEFT_BEHIND = 1 << 20
    STUCK_AFTER = 0.5

    _log = Logger()

    def __init__(
        self,
        clock: IReactorTime,
        write: Callable[[bytes], object],
        told: Callable[[bool], None],
    ) -> None:
        """
        @param write: to the line.
        @param told: hears when the line is stuck, and when no more.
        """
        self._clock = clock
        self.write = write
        self._told = told
        self._waiting: deque[Seat] = deque()
        self._going = False
        self._telling: IDelayedCall | None = None
        self.held = False
        self.stuck = False
        self.sent = 0

    def add(self, seat: Seat, keys: bytes) -> None:
        """C{seat}, which may, has typed C{keys}."""
        if not keys:
            return  # whoever keeps it could be sent it without end
        if not self.held and not self._waiting and len(keys) <= self.SLICE:
            self._send(seat, keys)
            return
        if not seat.pending:
            self._waiting.append(seat)
        seat.pending += keys
        self._go_on()
        self._ask_to_stop(seat)

    def hold(self, held: bool) -> None:
        """The line can take no more for now, or can again."""
        self.held = held
        if held and not self.stuck and self._telling is None:
            self._telling = self._clock.callLater(self.STUCK_AFTER, self._is_stuck)
        if held:
            return
        self.stop()
        self._go_on()  # which may fill the line again
        if self.stuck and not self.held:
            self.stuck = False
            self._told(False)

    def drop(self, seat: Seat, most: int | None = None) -> int:
        """
        Forget what waits of C{seat}.

        @param most: only so many bytes of it, the first ones.
        @return: how many bytes.
        """
        dropped = len(seat.pending[:most])
        if dropped:
            del seat.pending[:most]
            if not seat.pending:
                self._waiting.remove(seat)
        self._ask_to_stop(seat)
        return dropped

    def leave_behind(self, seat: Seat) -> None:
        """C{seat} is gone for good; what waits of it still goes to the line."""
        behind = sum(len(each.pending) for each in self._waiting if each.viewer is None)
        if behind > self.LEFT_BEHIND:
            dropped = self.drop(seat)
            self._log.warn("{length} bytes of input were dropped: no line", length=dropped)

    def waiting(self) -> list[Seat]:
        """@return: whose keys wait here."""
        return list(self._waiting)

    def stop(self) -> None:
        """Tell nobody anything any more."""
        if self._telling is not None and self._telling.active():
            self._telling.cancel()
        self._telling = None

    def _go_on(self) -> None:
        if self._going:
            return
        self._going = True
        try:
            while self._waiting and not self.held:
                seat = self._waiting.popleft()
                keys = bytes(seat.pending[: self.SLICE])
                del seat.pending[: self.SLICE]
                if seat.pending:
                    self._waiting.append(seat)
                self._send(seat, keys)
                self._ask_to_stop(seat)
        finally:
            self._going = False

    def _send(self, seat: Seat, keys: bytes) -> None:
        seat.counted += len(keys)
        self.sent += len(keys)
        self.write(keys)
        if seat.viewer is not None:
            seat.viewer.counted(0)

    def _ask_to_stop(self, seat: Seat) -> None:
        stopped = len(seat.pending) > self.KEPT
        if stopped != seat.stopped:
            seat.stopped = stopped
            if seat.viewer is not None:
                seat.viewer.hold_input(stopped)

    def _is_stuck(self) -> None:
        self._telling = None
        self.stuck = True
        self._told(True)
