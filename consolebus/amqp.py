"""
The bus over RabbitMQ.

=================  =========================================================
on the bus         at the broker
=================  =========================================================
serving a topic    the queue C{ajaxconsole.TOPIC}
call, cast         published to the default exchange with that queue's name,
                   mandatory: what no queue takes is returned at once
listening          a queue with a name of the broker's, bound to the exchange
                   C{ajaxconsole} with the topic as its key
fan-out            published to that exchange with that key
the answers        a queue with a name of the broker's, which is the
                   C{reply-to} of every call
=================  =========================================================

Every queue is exclusive: a process gone is a queue gone.  Requests are
acknowledged when they have ended, well or not, and so are never delivered
twice.  Each message carries its lifetime as its expiration, and the broker
confirms each.

A user of the broker needs leave to configure, write and read
C{^(ajaxconsole.*|amq\\.gen.*|amq\\.default)$}.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from twisted.application.internet import ClientService, backoffPolicy
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IAddress, IReactorTime, IStreamClientEndpoint
from twisted.internet.protocol import Factory
from twisted.logger import Logger
from twisted.python.failure import Failure
from zope.interface import implementer

from consolebus.carrier import CarrierLost, ICarrier, Parcel, Receiver
from consolebus.link import Delivery, Link, Locked, Login
from consolebus.station import OnRefused, Station

EXCHANGE = "ajaxconsole"
QUEUE_PREFIX = "ajaxconsole."
DEFAULT_EXCHANGE = ""

REPLY_LIFETIME = 60.0
"""Seconds after which an answer that nobody took is dropped."""

RetryPolicy = Callable[[int], float]
"""From the number of failures in a row to the seconds until the next attempt."""


class AmqpBus(Station):
    """
    One daemon's bus, to the others at the same broker.
    """

    def __init__(
        self,
        clock: IReactorTime,
        endpoint: IStreamClientEndpoint,
        login: Login,
        on_refused: OnRefused | None = None,
        where: str = "the broker",
        retry_policy: RetryPolicy | None = None,
    ) -> None:
        """
        @param where: what the log calls the broker.
        @param retry_policy: from 0.5 s to 10 s, with jitter, unless told.
        """
        super().__init__(
            clock,
            _AmqpCarrier(
                clock,
                endpoint,
                login,
                where,
                retry_policy or backoffPolicy(initialDelay=0.3, maxDelay=9.0),
            ),
            on_refused,
        )


@implementer(ICarrier)
class _AmqpCarrier:
    """
    @ivar _link: the connection there is, from its first moment to its last.
    @ivar _failures: how many times in a row there was none that was of use.
    """

    _log = Logger()

    def __init__(
        self,
        clock: IReactorTime,
        endpoint: IStreamClientEndpoint,
        login: Login,
        where: str,
        retry_policy: RetryPolicy,
    ) -> None:
        self._clock = clock
        self._where = where
        self._retry_policy = retry_policy
        self._station: Receiver | None = None
        self._link: Link | None = None
        self._is_open = False
        self._replies = b""
        self._failures = 0
        self._stopping = False
        self._unconfirmed: dict[int, Parcel] = {}
        # Not its prepareConnection: a connection that is lost while it is
        # being prepared takes ClientService (Twisted 26.10) by surprise.
        self._service = ClientService(
            _Telling(endpoint, where, self._refused),
            _Links(lambda: Link(self, login, clock)),
            retryPolicy=self._next_delay,
            clock=clock,
        )

    # What the station asks.

    def start(self, station: Receiver) -> None:
        self._station = station
        self._service.startService()

    def stop(self) -> Deferred[None]:
        return Deferred.fromCoroutine(self._stop())

    def claim(self, topic: str) -> Deferred[bool]:
        return Deferred.fromCoroutine(self._claim(topic))

    def hear(self, topic: str) -> Deferred[None]:
        return Deferred.fromCoroutine(self._hear(topic))

    def send(self, parcel: Parcel, lifetime: float) -> None:
        link = self._current()
        if parcel.fanout:
            number = link.publish(EXCHANGE, _key(parcel.topic), parcel.body, lifetime)
        else:
            number = link.publish(
                DEFAULT_EXCHANGE,
                _key(QUEUE_PREFIX + parcel.topic),
                parcel.body,
                lifetime,
                correlation_id=parcel.call_id.encode("ascii"),
                reply_to=self._replies if parcel.call_id else b"",
                mandatory=True,
            )
        if number:
            self._unconfirmed[number] = parcel

    # What the link tells.

    def link_made(self, link: Link) -> None:
        self._link = link
        opening = Deferred.fromCoroutine(self._open(link))
        opening.addErrback(self._not_opened, link)

    def link_lost(self, link: Link, reason: str) -> None:
        was_open, self._is_open, self._link = self._is_open, False, None
        self._unconfirmed.clear()
        if not self._stopping:
            self._tell_of(reason)
            self._told().lost() if was_open else self._told().failed()

    def link_returned(self, routing_key: bytes, correlation_id: bytes) -> None:
        topic = routing_key.decode("ascii", "replace").removeprefix(QUEUE_PREFIX)
        self._told().returned(topic, correlation_id.decode("ascii", "replace"))

    def link_confirmed(self, number: int) -> None:
        parcel = self._unconfirmed.pop(number, None)
        if parcel is not None:
            self._told().confirmed(parcel)

    # The connection's life.

    async def _open(self, link: Link) -> None:
        await link.open()
        await link.declare_exchange(EXCHANGE)
        replies = await link.new_queue()
        await link.consume(replies, self._replied, acknowledge=False)
        self._replies = replies.encode("utf-8")
        self._is_open = True
        await self._told().opened()
        self._failures = 0
        self._log.info("Connected to {where}", where=self._where)

    def _not_opened(self, failure: Failure, link: Link) -> None:
        if failure.check(CarrierLost) is None:
            self._log.failure("Could not set up {where}", failure, where=self._where)
        link.drop(failure.getErrorMessage())

    def _refused(self, failure: Failure) -> None:
        """
        There was not even a connection.
        """
        if not self._stopping:
            self._tell_of(failure.getErrorMessage())
            self._told().failed()

    def _tell_of(self, reason: str) -> None:
        if self._failures == 0:
            self._log.warn("No connection to {where}: {reason}", where=self._where, reason=reason)

    def _next_delay(self, attempt: int) -> float:
        """
        C{ClientService} counts from each connection anew; we count from each
        one that was of use.
        """
        self._failures += 1
        return self._retry_policy(self._failures)

    async def _stop(self) -> None:
        self._stopping = True
        link = self._link
        if link is not None:
            await link.farewell()
        stopping: Any = self._service.stopService()
        if link is not None:
            link.drop("we left")
        await stopping

    # Requests and their answers.

    async def _claim(self, topic: str) -> bool:
        link, queue = self._current(), QUEUE_PREFIX + topic
        try:
            await link.own_queue(queue)
        except Locked:
            return False
        await link.consume(queue, partial(self._requested, link, topic, False), acknowledge=True)
        return True

    async def _hear(self, topic: str) -> None:
        link = self._current()
        queue = await link.new_queue()
        await link.bind(queue, EXCHANGE, topic)
        await link.consume(queue, partial(self._requested, link, topic, True), acknowledge=True)

    def _requested(self, link: Link, topic: str, fanout: bool, delivery: Delivery) -> None:
        reply = partial(self._reply, link, fanout, delivery)
        self._told().request_came(topic, fanout, delivery.body, reply)

    def _reply(self, link: Link, fanout: bool, delivery: Delivery, body: bytes) -> None:
        if delivery.reply_to and not fanout:
            link.publish(
                DEFAULT_EXCHANGE,
                delivery.reply_to,
                body,
                REPLY_LIFETIME,
                correlation_id=delivery.correlation_id,
            )
        link.acknowledge(delivery)

    def _replied(self, delivery: Delivery) -> None:
        call_id = delivery.correlation_id.decode("ascii", "replace")
        self._told().reply_came(call_id, delivery.body)

    def _current(self) -> Link:
        if self._link is None:
            raise CarrierLost("there is no connection")
        return self._link

    def _told(self) -> Receiver:
        assert self._station is not None, "start() comes first"
        return self._station


class _Links(Factory):
    def __init__(self, new: Callable[[], Link]) -> None:
        self.noisy = False
        self._new = new

    def buildProtocol(self, addr: IAddress | None) -> Any:
        return self._new()


@implementer(IStreamClientEndpoint)
class _Telling:
    """
    An endpoint that also tells somebody of its failures, and whose name in a
    log is of use.
    """

    def __init__(
        self, endpoint: IStreamClientEndpoint, where: str, refused: Callable[[Failure], None]
    ) -> None:
        self._endpoint = endpoint
        self._where = where
        self._refused = refused

    def __repr__(self) -> str:
        return self._where

    def connect(self, protocolFactory: Any) -> Deferred[Any]:
        return self._endpoint.connect(protocolFactory).addErrback(self._failed)

    def _failed(self, failure: Failure) -> Failure:
        self._refused(failure)
        return failure


def _key(topic: str) -> bytes:
    return topic.encode("ascii")
