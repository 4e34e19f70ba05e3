"""
The seam between what a bus promises (L{consolebus.station}) and what brings
the bytes across (L{consolebus.memory}, L{consolebus.amqp}).

The life of a carrier, as its station sees it::

    start() --> failed() ...          no connection; the carrier tries again
            --> opened() --> claim(), hear() ... --> lost() --> opened() ...
    stop()

Between C{opened} and C{lost} the station sends parcels, and the carrier tells
what became of them and what came in.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

from twisted.internet.defer import Deferred
from zope.interface import Interface

HEARTBEAT = 5.0
"""
Seconds between the signs of life of a quiet connection.  One that is silent for
three of them is given up, on either side; so that long a topic may still be
held by our own ghost.
"""


@dataclass(frozen=True, slots=True, eq=False)
class Parcel:
    """
    One message on its way, equal only to itself.

    @ivar fanout: for everyone that listens to C{topic}, not for the one that
        serves it.
    @ivar call_id: what the answer will be known by; empty where none is
        wanted.
    """

    topic: str
    body: bytes = field(repr=False)
    fanout: bool = False
    call_id: str = ""


class CarrierLost(Exception):
    """
    The connection is gone, or going.
    """


class ICarrier(Interface):
    """
    Brings parcels from one station to others.
    """

    def start(station: Receiver) -> None:
        """
        Begin connecting, and stay connected.
        """

    def stop() -> Deferred[None]:
        """
        Disconnect, for good.  C{lost} is not called any more.
        """

    def claim(topic: str) -> Deferred[bool]:
        """
        Take the requests for C{topic}, until the connection is lost.

        @return: whether they are ours; C{False} where another station has
            them.
        @raise CarrierLost: it fails only together with the connection.
        """

    def hear(topic: str) -> Deferred[None]:
        """
        Take the fan-outs to C{topic}, until the connection is lost.

        @raise CarrierLost: as L{claim}.
        """

    def send(parcel: Parcel, lifetime: float) -> None:
        """
        Send now; only called between C{opened} and C{lost}.

        @param lifetime: seconds after which C{parcel} may not be delivered.
        """


class Receiver(Protocol):
    """
    What a carrier tells its station.
    """

    def opened(self) -> Deferred[None]:
        """
        There is a connection.  Fires when everything is declared; fails
        together with the connection.
        """

    def failed(self) -> None:
        """
        An attempt to connect failed.
        """

    def lost(self) -> None:
        """
        The connection is gone, and with it what was claimed and heard.
        """

    def request_came(
        self, topic: str, fanout: bool, body: bytes, reply: Callable[[bytes], None]
    ) -> None:
        """
        @param reply: called once, with what was answered, when the method has
            ended.  It never raises, and may come after C{lost}.
        """

    def reply_came(self, call_id: str, body: bytes) -> None:
        """
        An answer; C{call_id} may be of a call that nobody waits for.
        """

    def returned(self, topic: str, call_id: str) -> None:
        """
        Nobody serves C{topic}.
        """

    def confirmed(self, parcel: Parcel) -> None:
        """
        C{parcel} has left our care: the broker has it.
        """
