"""
Waiting for what may be on its way: a user can be faster than the bus.
"""

from __future__ import annotations

from collections import deque

from twisted.internet.defer import Deferred, TimeoutError
from twisted.internet.interfaces import IReactorTime


class TooMany(Exception):
    """Too many wait already: from that address, or in all."""


class Patience:
    """
    Who asks for something unknown waits, and that is what slows guessing down:
    whoever asks for something known never comes here.
    """

    def __init__(self, clock: IReactorTime, most: int, most_each: int) -> None:
        """
        @param most: who may wait at a time.
        @param most_each: of them, from one address.
        """
        self._clock = clock
        self._most = most
        self._most_each = most_each
        self._lines: dict[str, deque[Deferred[None]]] = {}
        self._each: dict[str, int] = {}
        self._count = 0

    def __len__(self) -> int:
        """How many wait."""
        return self._count

    def came(self, key: str) -> None:
        """What is called C{key} is there."""
        # A copy: who is woken leaves the line at once.
        for waiting in list(self._lines.pop(key, ())):
            waiting.callback(None)

    async def wait(self, key: str, address: str, seconds: float) -> None:
        """
        Return when C{key} came, or C{seconds} are over.

        @param address: who waits; as of L{groundwork.outside.neighbourhood}, or what else bounds
            those who are one.
        @raise TooMany:
        """
        each = self._each.get(address, 0)
        if self._count >= self._most or each >= self._most_each:
            raise TooMany()
        waiting: Deferred[None] = Deferred()
        line = self._lines.setdefault(key, deque())
        line.append(waiting)
        self._count += 1
        self._each[address] = each + 1
        waiting.addTimeout(seconds, self._clock)
        try:
            await waiting
        except TimeoutError:
            pass
        finally:
            self._left(key, address, line, waiting)

    def _left(
        self, key: str, address: str, line: deque[Deferred[None]], waiting: Deferred[None]
    ) -> None:
        self._count -= 1
        self._each[address] -= 1
        if not self._each[address]:
            del self._each[address]
        if waiting in line:
            line.remove(waiting)
        if not line and self._lines.get(key) is line:
            del self._lines[key]
