"""
Casts that are not yet known to have arrived.

A cast is kept from the moment it is made until the broker confirms it.  What
was not confirmed when the connection went is sent again over the next one; so
a cast may arrive twice, and what it asks must bear that.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass

from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger

from consolebus.carrier import Parcel


@dataclass(slots=True)
class _Kept:
    expiry: float
    sent: bool = False


class Outbox:
    """
    Keeps parcels in the order in which they came.  When it is full, or one is
    too old, the oldest is forgotten: what a daemon said last is what is true.

    @ivar lifetime: seconds for which a parcel is kept.
    @ivar most: how many parcels are kept.
    @ivar most_bytes: how many bytes they may have together.
    @ivar dropped: how many were forgotten without having been sent.
    """

    _log = Logger()

    def __init__(
        self,
        clock: IReactorTime,
        lifetime: float = 60.0,
        most: int = 1000,
        most_bytes: int = 16 * 1024 * 1024,
    ) -> None:
        self._clock = clock
        self.lifetime = lifetime
        self.most = most
        self.most_bytes = most_bytes
        self.dropped = 0
        self._bytes = 0
        self._kept: OrderedDict[Parcel, _Kept] = OrderedDict()

    def __len__(self) -> int:
        return len(self._kept)

    def put(self, parcel: Parcel) -> None:
        self._kept[parcel] = _Kept(self._clock.seconds() + self.lifetime)
        self._bytes += len(parcel.body)
        self._forget()

    def take(self) -> Iterator[tuple[Parcel, float]]:
        """
        Each parcel that is to be sent now, with the seconds it has to live; it
        stays kept until it is L{confirmed}.
        """
        self._forget()
        if self.dropped:
            self._log.warn(
                "{dropped} casts made while the broker was away are lost", dropped=self.dropped
            )
            self.dropped = 0
        now = self._clock.seconds()
        for parcel, kept in list(self._kept.items()):
            if not kept.sent:
                kept.sent = True
                yield parcel, kept.expiry - now

    def confirmed(self, parcel: Parcel) -> None:
        if self._kept.pop(parcel, None) is not None:
            self._bytes -= len(parcel.body)

    def lost(self) -> None:
        """
        The connection is gone; whatever it did not confirm goes again.
        """
        for kept in self._kept.values():
            kept.sent = False

    def _forget(self) -> None:
        now = self._clock.seconds()
        while self._kept:
            oldest, kept = next(iter(self._kept.items()))
            if (
                kept.expiry > now
                and len(self._kept) <= self.most
                and self._bytes <= self.most_bytes
            ):
                return
            del self._kept[oldest]
            self._bytes -= len(oldest.body)
            if not kept.sent:
                self.dropped += 1
