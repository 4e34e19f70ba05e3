"""
One connection to RabbitMQ, with one channel, in the few verbs that the bus
needs.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import count
from typing import Any, Protocol

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.python.failure import Failure

from consolebus.carrier import CarrierLost
from consolebus.txclient import ChannelRefused, Client

UNCONFIRMED_BYTES = 32 * 1024 * 1024
"""
How much we write that the broker does not confirm.  One that is short of
memory stops reading for as long as that lasts, and keeps the connection up.
"""

PREFETCH = 100
"""How many requests of one topic are under way here; more wait at the broker."""

FAREWELL = 1.0
"""Seconds that the broker has to hear that we leave."""

_CHANNEL = 1
_RESOURCE_LOCKED = 405


@dataclass(frozen=True, slots=True)
class Login:
    user: str
    password: str = field(repr=False)
    vhost: str = "/"


@dataclass(frozen=True, slots=True)
class Delivery:
    """
    @ivar number: what to L{Link.acknowledge}.
    @ivar body: where it is too long for the bus, not all of it, but too much.
    """

    number: int
    body: bytes = field(repr=False)
    correlation_id: bytes = b""
    reply_to: bytes = b""


class Locked(Exception):
    """Another connection has the queue."""


class LinkOwner(Protocol):
    """
    What a link tells.
    """

    def link_made(self, link: Link) -> None:
        """There is a connection, on which nothing was said yet."""

    def link_lost(self, link: Link, reason: str) -> None:
        """The connection that was made is gone."""

    def link_returned(self, routing_key: bytes, correlation_id: bytes) -> None:
        """No queue took a message of ours."""

    def link_confirmed(self, number: int) -> None:
        """The broker has what L{Link.publish} numbered so."""


class Link(Client):
    """
    Every coroutine here raises L{CarrierLost} if it comes to that.
    """

    def __init__(self, owner: LinkOwner, login: Login, clock: IReactorTime) -> None:
        super().__init__(
            login.user.encode("utf-8"),
            login.password.encode("utf-8"),
            login.vhost.encode("utf-8"),
            clock,
        )
        self._owner = owner
        self._consumers: dict[str, Callable[[Delivery], None]] = {}
        self._published = 0
        self._unconfirmed: OrderedDict[int, int] = OrderedDict()
        self._unconfirmed_bytes = 0
        self._spare_channels: list[int] = []
        self._new_channels = count(_CHANNEL + 1)

    async def open(self) -> None:
        """
        Log in, and open the channel.
        """
        await self.login()
        channel = self.numbered(_CHANNEL)
        await self._asked(channel.channel_open())
        await self._asked(channel.confirm_select())
        await self._asked(channel.basic_qos(prefetch_count=PREFETCH))

    async def declare_exchange(self, name: str) -> None:
        channel = self.numbered(_CHANNEL)
        await self._asked(channel.exchange_declare(exchange=name, type="direct", durable=True))

    async def own_queue(self, name: str) -> None:
        """
        Declare a queue that goes with this connection.

        @raise Locked: another connection has it.
        """
        # A refusal ends the channel, so this takes one of its own.
        number = self._spare_channels.pop() if self._spare_channels else next(self._new_channels)
        channel = self.numbered(number)
        try:
            await self.said(channel.channel_open())
            await self.said(channel.queue_declare(queue=name, exclusive=True, auto_delete=True))
            await self.said(channel.channel_close())
        except ChannelRefused as refused:
            if refused.code == _RESOURCE_LOCKED:
                raise Locked(name) from None
            raise self._of_no_use(refused) from None
        finally:
            self.channels.pop(number, None)
            self._spare_channels.append(number)

    async def new_queue(self) -> str:
        """
        As L{own_queue}, with a name that the broker finds.
        """
        channel = self.numbered(_CHANNEL)
        declared = await self._asked(channel.queue_declare(exclusive=True, auto_delete=True))
        return str(declared.queue)

    async def bind(self, queue: str, exchange: str, key: str) -> None:
        channel = self.numbered(_CHANNEL)
        await self._asked(channel.queue_bind(queue=queue, exchange=exchange, routing_key=key))

    async def consume(
        self, queue: str, deliver: Callable[[Delivery], None], acknowledge: bool
    ) -> None:
        """
        @param acknowledge: whether each delivery will be acknowledged; they
            are then limited to L{PREFETCH}.
        """
        self._consumers[queue] = deliver
        channel = self.numbered(_CHANNEL)
        await self._asked(
            channel.basic_consume(
                queue=queue, consumer_tag=queue, no_ack=not acknowledge, exclusive=True
            )
        )

    def publish(
        self,
        exchange: str,
        key: bytes,
        body: bytes,
        lifetime: float,
        correlation_id: bytes = b"",
        reply_to: bytes = b"",
        mandatory: bool = False,
    ) -> int:
        """
        @param lifetime: seconds after which the broker drops it.
        @return: what L{LinkOwner.link_confirmed} will call it; 0 where nothing
            can be said any more.
        """
        if self.closed:
            return 0
        properties: dict[str, Any] = {
            "content-type": "application/json",
            "delivery-mode": 1,
            "expiration": str(max(1, int(lifetime * 1000))),
        }
        if correlation_id:
            properties["correlation-id"] = correlation_id
        if reply_to:
            properties["reply-to"] = reply_to
        self._published += 1
        self._unconfirmed[self._published] = len(body)
        self._unconfirmed_bytes += len(body)
        self.say_publish(
            self.numbered(_CHANNEL),
            body,
            properties,
            exchange=exchange,
            routing_key=key,
            mandatory=mandatory,
        )
        if self._unconfirmed_bytes > UNCONFIRMED_BYTES:
            self.drop("it takes no messages")
        return self._published

    def acknowledge(self, delivery: Delivery) -> None:
        if not self.closed:
            self.say(self.numbered(_CHANNEL).basic_ack(delivery_tag=delivery.number))

    async def farewell(self) -> None:
        """
        Tell the broker that we leave; when it has heard it, our queues are
        gone.
        """
        self.because("we left")
        if not self.closed:
            leaving = self.numbered(0).connection_close(reply_code=200, reply_text="leaving")
            leaving.addTimeout(FAREWELL, self.clock)
            await leaving.addErrback(lambda failure: None)

    async def _asked(self, asking: Deferred[Any]) -> Any:
        """
        Where a refusal is the end of the connection.
        """
        try:
            return await self.said(asking)
        except ChannelRefused as refused:
            raise self._of_no_use(refused) from None

    def _of_no_use(self, refused: ChannelRefused) -> CarrierLost:
        self.drop(str(refused))
        return CarrierLost(self.reason)

    # What the broker says.

    def connectionMade(self) -> None:
        super().connectionMade()
        self._owner.link_made(self)

    def heard_deliver(self, message: Any) -> None:
        properties = message.content.properties
        deliver = self._consumers.get(message.consumer_tag)
        if deliver is not None:
            deliver(
                Delivery(
                    message.delivery_tag,
                    message.content.body,
                    _bytes(properties.get("correlation-id", b"")),
                    _bytes(properties.get("reply-to", b"")),
                )
            )

    def heard_return(self, message: Any) -> None:
        correlation_id = message.content.properties.get("correlation-id", b"")
        self._owner.link_returned(_bytes(message.routing_key), _bytes(correlation_id))

    def heard_ack(self, number: int, multiple: bool) -> None:
        first = next(iter(self._unconfirmed), number) if multiple else number
        for each in range(first, number + 1):
            size = self._unconfirmed.pop(each, None)
            if size is not None:
                self._unconfirmed_bytes -= size
                self._owner.link_confirmed(each)

    def heard_channel_close(self, channel: Any, reason: str) -> None:
        if channel.id == _CHANNEL:
            self.drop(reason)

    def connectionLost(self, reason: Failure) -> None:
        super().connectionLost(reason)
        self._owner.link_lost(self, self.reason)


def _bytes(text: str | bytes) -> bytes:
    """
    txAMQP gives text wherever bytes are UTF-8; this takes it back.
    """
    return text.encode("utf-8") if isinstance(text, str) else text
