"""
A dictionary whose entries are forgotten when their time is over.
"""

from __future__ import annotations

import marshal
from collections.abc import Callable
from struct import Struct
from typing import Any, Generic, TypeVar

from twisted.internet.interfaces import IReactorTime

from consoleproxy.tables import Tables

K = TypeVar("K")
V = TypeVar("V", bound=tuple[Any, ...])

_MOMENT = Struct("d")


class ExpiringDict(Generic[K, V]):
    """
    Each entry is a tuple of texts and numbers, and has a lifetime of its own.
    Reading checks it, so an entry is gone to the moment; it leaves memory
    when a sweep comes by, which looks through all in rounds, a bounded number in
    one turn of the reactor.  So nothing is sorted or scheduled, and a call costs
    the same with a million entries as with ten.

    An entry is kept as bytes, the moment of its expiry before the rest: that is
    half of the memory, one place in it to go to, and nothing for the garbage
    collector (L{Tables}).

    @cvar SLICE: entries that one step of a sweep looks at, and one small table
        more at the most.
    @cvar LONGEST: seconds of a step that forgets.  It is the system that takes them,
        when the last of many entries goes and all the memory is given back.
    """

    SLICE = 200
    LONGEST = 0.002

    def __init__(
        self,
        clock: IReactorTime,
        forgotten: Callable[[K, V], None] = lambda key, value: None,
    ) -> None:
        """
        @param forgotten: called with each entry that expired, or made room,
            when it is let go of.
        """
        self._clock = clock
        self._forgotten = forgotten
        self._entries: Tables[K, bytes] = Tables()
        self._next = 0

    def __len__(self) -> int:
        """How many there are, expired ones that are not yet forgotten included."""
        return len(self._entries)

    def __contains__(self, key: K) -> bool:
        entry = self._entries.get(key)
        return entry is not None and _expiry(entry) > self._clock.seconds()

    def set(self, key: K, value: V, lifetime: float) -> None:
        """@param lifetime: seconds from now, as C{clock} counts them."""
        expiry = self._clock.seconds() + lifetime
        self._entries.set(key, _MOMENT.pack(expiry) + marshal.dumps(value))

    def get(self, key: K) -> V | None:
        """@return: the entry, or C{None} if there is none or it has expired."""
        entry = self._entries.get(key)
        if entry is None or _expiry(entry) <= self._clock.seconds():
            return None
        value: V = _value(entry)
        return value

    def pop(self, key: K) -> V | None:
        """
        Take an entry out.

        @return: as of L{get}.
        """
        entry = self._entries.pop(key)
        if entry is None:
            return None
        value: V = _value(entry)
        if _expiry(entry) > self._clock.seconds():
            return value
        self._forgotten(key, value)
        return None

    def make_room(self) -> None:
        """
        Forget an entry: of the next small table that has any, the one which
        would expire first.
        """
        for step in range(Tables.COUNT):
            table = self._entries.table((self._next + step) % Tables.COUNT)
            if table:
                self._forget(min(table, key=lambda key: _expiry(table[key])))
                return

    def sweep(self) -> bool:
        """
        Forget expired entries: one step of a round.

        @return: whether the round goes on.
        """
        if not len(self):
            return False
        now, looked = self._clock.seconds(), 0
        while looked < self.SLICE:
            table = self._entries.table(self._next)
            looked += len(table)
            expired = [key for key, entry in table.items() if _expiry(entry) <= now]
            while expired:
                self._forget(expired.pop())
                if self._clock.seconds() > now + self.LONGEST:
                    return True
            self._next = (self._next + 1) % Tables.COUNT
            if self._next == 0:
                return False
        return True

    def _forget(self, key: K) -> None:
        entry = self._entries.pop(key)
        if entry is not None:
            self._forgotten(key, _value(entry))


def _expiry(entry: bytes) -> float:
    moment: float = _MOMENT.unpack_from(entry)[0]
    return moment


def _value(entry: bytes) -> Any:
    return marshal.loads(memoryview(entry)[_MOMENT.size :])
