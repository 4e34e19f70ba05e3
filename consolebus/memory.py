"""
The bus inside one process: the default, for one host with nothing else
installed.

It is as close to the real one as can be without a broker: the same bytes go
over it, and nothing is delivered before the caller has returned.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from functools import partial

from twisted.internet.defer import Deferred, succeed
from twisted.internet.interfaces import IReactorTime
from zope.interface import implementer

from consolebus.carrier import ICarrier, Parcel, Receiver
from consolebus.station import OnRefused, Station


class MemoryBroker:
    """
    What the buses of one process meet at.
    """

    def __init__(self, clock: IReactorTime) -> None:
        self._clock = clock
        self._is_away = False
        self._carriers: list[_MemoryCarrier] = []
        self._servers: dict[str, _MemoryCarrier] = {}
        self._listeners: dict[str, list[_MemoryCarrier]] = {}
        self._queue: deque[Callable[[], None]] = deque()

    # What only tests do.

    def away(self) -> None:
        """
        Be gone, as a real broker can be: every connection is lost.
        """
        self._is_away = True
        self._servers.clear()
        self._listeners.clear()
        for carrier in list(self._carriers):
            carrier.broken()

    def back(self) -> None:
        """
        Take connections again.
        """
        self._is_away = False
        for carrier in self._carriers:
            self._soon(partial(self._open, carrier))

    # What carriers ask.

    def join(self, carrier: _MemoryCarrier) -> None:
        self._carriers.append(carrier)
        self._soon(partial(self._open, carrier))

    def leave(self, carrier: _MemoryCarrier) -> None:
        if carrier in self._carriers:
            self._carriers.remove(carrier)
        self._servers = {t: c for t, c in self._servers.items() if c is not carrier}
        for listeners in self._listeners.values():
            if carrier in listeners:
                listeners.remove(carrier)

    def claim(self, topic: str, carrier: _MemoryCarrier) -> bool:
        return self._servers.setdefault(topic, carrier) is carrier

    def hear(self, topic: str, carrier: _MemoryCarrier) -> None:
        self._listeners.setdefault(topic, []).append(carrier)

    def send(self, sender: _MemoryCarrier, parcel: Parcel, lifetime: float) -> None:
        expiry = self._clock.seconds() + lifetime
        self._soon(partial(self._deliver, sender, parcel, expiry))

    # Delivery.

    def _soon(self, deed: Callable[[], None]) -> None:
        """
        A queue of our own, since the reactor does not promise that two delayed
        calls of the same moment keep their order.
        """
        self._queue.append(deed)
        self._clock.callLater(0, lambda: self._queue.popleft()())

    def _open(self, carrier: _MemoryCarrier) -> None:
        if carrier not in self._carriers or carrier.station is None:
            return
        if self._is_away:
            carrier.station.failed()
        elif not carrier.is_open:
            carrier.is_open = True
            carrier.station.opened()

    def _deliver(self, sender: _MemoryCarrier, parcel: Parcel, expiry: float) -> None:
        if not sender.is_open or sender.station is None:
            return
        sender.station.confirmed(parcel)
        if self._clock.seconds() >= expiry:
            return
        if parcel.fanout:
            for listener in list(self._listeners.get(parcel.topic, ())):
                listener.deliver(parcel, _no_reply)
            return
        server = self._servers.get(parcel.topic)
        if server is None:
            sender.station.returned(parcel.topic, parcel.call_id)
        elif parcel.call_id:
            server.deliver(parcel, partial(self._reply, sender, parcel.call_id))
        else:
            server.deliver(parcel, _no_reply)

    def _reply(self, caller: _MemoryCarrier, call_id: str, body: bytes) -> None:
        self._soon(partial(caller.answer, call_id, body))


@implementer(ICarrier)
class _MemoryCarrier:
    """
    @ivar is_open: whether there is a connection to the broker, so to say.
    """

    def __init__(self, broker: MemoryBroker) -> None:
        self.station: Receiver | None = None
        self.is_open = False
        self._broker = broker

    def start(self, station: Receiver) -> None:
        self.station = station
        self._broker.join(self)

    def stop(self) -> Deferred[None]:
        self.is_open = False
        self._broker.leave(self)
        return succeed(None)

    def claim(self, topic: str) -> Deferred[bool]:
        return succeed(self._broker.claim(topic, self))

    def hear(self, topic: str) -> Deferred[None]:
        self._broker.hear(topic, self)
        return succeed(None)

    def send(self, parcel: Parcel, lifetime: float) -> None:
        self._broker.send(self, parcel, lifetime)

    # What the broker tells.

    def broken(self) -> None:
        if self.is_open and self.station is not None:
            self.is_open = False
            self.station.lost()

    def deliver(self, parcel: Parcel, reply: Callable[[bytes], None]) -> None:
        if self.is_open and self.station is not None:
            self.station.request_came(parcel.topic, parcel.fanout, parcel.body, reply)

    def answer(self, call_id: str, body: bytes) -> None:
        if self.is_open and self.station is not None:
            self.station.reply_came(call_id, body)


class MemoryBus(Station):
    """
    One daemon's bus, to the others of its process.
    """

    def __init__(
        self, broker: MemoryBroker, clock: IReactorTime, on_refused: OnRefused | None = None
    ) -> None:
        super().__init__(clock, _MemoryCarrier(broker), on_refused)


def _no_reply(body: bytes) -> None:
    """
    Nobody waits for it.
    """
