"""
A dictionary whose entries are forgotten a fixed time after they are set.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from typing import Generic, TypeVar

from twisted.internet.interfaces import IReactorTime

K = TypeVar("K")
V = TypeVar("V")


class ExpiringDict(Generic[K, V]):
    """
    Every entry lives equally long, so the oldest is always the next to go:
    nothing is searched, sorted or scheduled, and a call costs O(1).  (In a
    plain C{dict}, finding the oldest after deletions is O(n); an
    C{OrderedDict} keeps it at hand.)

    @ivar lifetime: seconds from setting an entry to losing it, as C{clock}
        counts them.
    @cvar MOST: how many expired entries one call forgets at the most, so
        that a million expiring together stop nobody.
    """

    MOST = 2

    def __init__(
        self,
        clock: IReactorTime,
        lifetime: float,
        forgotten: Callable[[K, V], None] = lambda key, value: None,
    ) -> None:
        """
        @param forgotten: called with each entry that expired, when it is
            let go of.
        """
        self._clock = clock
        self.lifetime = lifetime
        self._forgotten = forgotten
        self._entries: OrderedDict[K, tuple[float, V]] = OrderedDict()

    def __len__(self) -> int:
        """How many there are, expired ones that are not yet forgotten included."""
        return len(self._entries)

    def __setitem__(self, key: K, value: V) -> None:
        # First set, then forget: the old one may be expiring just now.
        self._entries[key] = (self._clock.seconds() + self.lifetime, value)
        self._entries.move_to_end(key)
        self._forget()

    def __getitem__(self, key: K) -> V:
        self._forget()
        expiry, value = self._entries[key]
        if expiry <= self._clock.seconds():
            raise KeyError(key)
        return value

    def __delitem__(self, key: K) -> None:
        del self._entries[key]

    def __contains__(self, key: K) -> bool:
        return self.get(key) is not None

    def get(self, key: K) -> V | None:
        """@return: the entry, or C{None} if there is none or it has expired."""
        try:
            return self[key]
        except KeyError:
            return None

    def touch(self, key: K) -> None:
        """
        Let an entry live as long as if it were just set.

        @raise KeyError: there is none.
        """
        self[key] = self[key]

    def forget_oldest(self) -> None:
        """
        Make room.

        @raise KeyError: it is empty.
        """
        oldest, (_expiry, value) = self._entries.popitem(last=False)
        self._forgotten(oldest, value)

    def sweep(self, most: int = 1000) -> None:
        """
        Forget expired entries while nobody calls; to be called now and then.

        @param most: entries in this turn.
        """
        self._forget(most)

    def _forget(self, most: int | None = None) -> None:
        now = self._clock.seconds()
        for _ in range(min(most or self.MOST, len(self._entries))):
            oldest, (expiry, value) = next(iter(self._entries.items()))
            if expiry > now:
                return
            del self._entries[oldest]
            self._forgotten(oldest, value)
