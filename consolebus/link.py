"""
One connection to RabbitMQ, with one channel, in the few verbs that the bus
needs.  This is the one file that knows txAMQP.

txAMQP 0.8.2 is of 2018 and does most of the work; what it does wrong is mended
here:

  - It reads the pieces of a message as text where it can, and counts their
    characters as bytes, so a body outside of ASCII never ends.
  - It keeps a body of any length.
  - It cannot read every kind of header (C{amqp0-9-1.xml} avoids that).
  - It measures strings before it encodes them; we give it bytes.
  - It takes a broker's "no limit" for frames as a limit of 0.
  - It says nothing when it gives a connection up, or leaves an unhandled
    failure behind.  Here everything ends in L{LinkOwner.link_lost}, once, with
    a reason.

A reason never has a word of a message in it, nor of the login.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache
from importlib.resources import files
from itertools import count
from typing import Any, Protocol

from twisted.internet.defer import Deferred
from twisted.internet.error import ConnectionClosed
from twisted.internet.interfaces import IReactorTime
from twisted.python.failure import Failure
from txamqp import spec
from txamqp.client import ChannelClosed, Closed, TwistedDelegate
from txamqp.content import Content
from txamqp.message import Message
from txamqp.protocol import AMQClient

from consolebus.carrier import HEARTBEAT
from consolebus.messages import MESSAGE_BYTES

FRAME_BYTES = 128 * 1024
UNCONFIRMED_BYTES = 32 * 1024 * 1024
"""
How much we write that the broker does not confirm.  One that is short of
memory stops reading for as long as that lasts, and keeps the connection up.
"""
PREFETCH = 100
"""How many requests of one topic are under way here; more wait at the broker."""

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


class LinkLost(Exception):
    """The connection is gone, or going."""


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


class Link(AMQClient):  # type: ignore[misc]
    """
    @ivar closed: txAMQP's word for that nothing can be said any more.
    """

    MAX_LENGTH = FRAME_BYTES

    def __init__(self, owner: LinkOwner, login: Login, clock: IReactorTime) -> None:
        super().__init__(
            _Words(), _bytes(login.vhost), _spec(), heartbeat=int(HEARTBEAT), clock=clock
        )
        # txAMQP looks for these when the broker greets.
        self.mechanism = "PLAIN"
        self.response = b"\0" + _bytes(login.user) + b"\0" + _bytes(login.password)
        self.locale = "en_US"
        self._owner = owner
        self._reason = ""
        self._heard = clock.seconds()
        self._consumers: dict[str, Callable[[Delivery], None]] = {}
        self._published = 0
        self._unconfirmed: OrderedDict[int, int] = OrderedDict()
        self._unconfirmed_bytes = 0
        self.channels: dict[int, Any] = {}
        self._spare_channels: list[int] = []
        self._new_channels = count(_CHANNEL + 1)

    # What the bus asks.  Every coroutine here raises LinkLost in the end.

    async def open(self) -> None:
        """
        Log in, and open the channel.
        """
        await self._said(self.start(self.response, self.mechanism, self.locale))
        channel = self._channel(_CHANNEL)
        await self._said(channel.channel_open())
        await self._said(channel.confirm_select())
        await self._said(channel.basic_qos(prefetch_count=PREFETCH))

    async def declare_exchange(self, name: str) -> None:
        channel = self._channel(_CHANNEL)
        await self._said(channel.exchange_declare(exchange=name, type="direct", durable=True))

    async def own_queue(self, name: str) -> None:
        """
        Declare a queue that goes with this connection.

        @raise Locked: another connection has it.
        """
        # A refusal ends the channel, so this takes one of its own.
        number = self._spare_channels.pop() if self._spare_channels else next(self._new_channels)
        channel = self._channel(number)
        try:
            await self._said(channel.channel_open())
            await self._said(channel.queue_declare(queue=name, exclusive=True, auto_delete=True))
            await self._said(channel.channel_close())
        finally:
            self.channels.pop(number, None)
            self._spare_channels.append(number)

    async def new_queue(self) -> str:
        """
        As L{own_queue}, with a name that the broker finds.
        """
        channel = self._channel(_CHANNEL)
        declared = await self._said(channel.queue_declare(exclusive=True, auto_delete=True))
        return str(declared.queue)

    async def bind(self, queue: str, exchange: str, key: str) -> None:
        channel = self._channel(_CHANNEL)
        await self._said(channel.queue_bind(queue=queue, exchange=exchange, routing_key=key))

    async def consume(
        self, queue: str, deliver: Callable[[Delivery], None], acknowledge: bool
    ) -> None:
        """
        @param acknowledge: whether each delivery will be acknowledged; they
            are then limited to L{PREFETCH}.
        """
        self._consumers[queue] = deliver
        channel = self._channel(_CHANNEL)
        await self._said(
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
        @return: what L{LinkOwner.link_confirmed} will call it; 0 where the
            link is lost.
        """
        if self.closed:
            return 0
        properties = {
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
        self._say(
            self._channel(_CHANNEL).basic_publish(
                exchange=exchange,
                routing_key=key,
                mandatory=mandatory,
                content=Content(body, properties=properties),
            )
        )
        if self._unconfirmed_bytes > UNCONFIRMED_BYTES:
            self.drop("the broker takes no messages")
        return self._published

    def acknowledge(self, delivery: Delivery) -> None:
        if not self.closed:
            self._say(self._channel(_CHANNEL).basic_ack(delivery_tag=delivery.number))

    async def farewell(self) -> None:
        """
        Tell the broker that we leave, for which it has a second: then our
        queues are gone when this is.
        """
        self._because("we left")
        if self.closed:
            return
        leaving = self._channel(0).connection_close(reply_code=200, reply_text="leaving")
        leaving.addTimeout(1.0, self.clock)
        await leaving.addErrback(lambda failure: None)

    def drop(self, reason: str) -> None:
        """
        End the connection now.
        """
        self._because(reason)
        if self.transport is not None:
            self.transport.abortConnection()

    # What becomes of what we say.

    def _channel(self, number: int) -> Any:
        if self.closed:
            raise LinkLost(self._reason)
        if number not in self.channels:
            self.channels[number] = self.channelFactory(number, self.outgoing, self)
        return self.channels[number]

    async def _said(self, saying: Deferred[Any]) -> Any:
        """
        Wait for the broker's answer.
        """
        try:
            return await saying
        except ChannelClosed as closed:
            if closed.args[0].reply_code == _RESOURCE_LOCKED:
                raise Locked from None
            self.drop(_sentence(closed))
        except Exception as problem:
            self.drop(_sentence(problem))
        raise LinkLost(self._reason)

    def _say(self, saying: Deferred[Any]) -> None:
        """
        Where no answer comes.
        """
        saying.addErrback(lambda failure: self.drop(_sentence(failure.value)))

    def _because(self, reason: str) -> None:
        """
        The first reason is the true one, the others follow from it.
        """
        self._reason = self._reason or reason

    # What the broker says.

    def heard_start(self, channel: Any) -> None:
        channel.connection_start_ok(
            client_properties=_table(
                product=b"ajaxconsole",
                capabilities=_table(
                    authentication_failure_close=True,
                    consumer_cancel_notify=True,
                    publisher_confirms=True,
                ),
            ),
            mechanism=self.mechanism,
            response=self.response,
            locale=self.locale,
        )

    def heard_tune(self, channel: Any, channel_max: int, frame_max: int) -> None:
        self.MAX_LENGTH = min(frame_max or FRAME_BYTES, FRAME_BYTES)
        channel.connection_tune_ok(channel_max, self.MAX_LENGTH, self.heartbeatInterval)
        self.started.fire()

    def heard_delivery(self, message: Message) -> None:
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

    def heard_return(self, message: Message) -> None:
        properties = message.content.properties
        correlation_id = _bytes(properties.get("correlation-id", b""))
        self._owner.link_returned(_bytes(message.routing_key), correlation_id)

    def heard_ack(self, message: Message) -> None:
        first = message.delivery_tag
        if message.multiple:
            first = next(iter(self._unconfirmed), first)
        for number in range(first, message.delivery_tag + 1):
            size = self._unconfirmed.pop(number, None)
            if size is not None:
                self._unconfirmed_bytes -= size
                self._owner.link_confirmed(number)

    def heard_close(self, channel: Any, message: Message) -> None:
        channel.channel_close_ok()
        channel.do_close(message)
        if channel.id == _CHANNEL:
            self.drop(_sentence(message))

    # What txAMQP does otherwise.

    def do_close(self, reason: object) -> None:
        """
        Nothing may be said from here on, also not by those who are told here
        that the channels are gone.
        """
        self._because(_sentence(reason))
        self.closed = True
        channels: dict[int, Any] = self.channels
        self.channels = {}
        for channel in channels.values():
            channel.close(reason)
        self.started.fail_if_not_fired(LinkLost(self._reason))
        self.transport.loseConnection()

    def send_init_string(self) -> None:
        self.transport.write(b"AMQP\x00\x00\x09\x01")

    def connectionMade(self) -> None:
        self.transport.setTcpNoDelay(True)
        self._heard = self.clock.seconds()
        super().connectionMade()
        self._owner.link_made(self)

    def dataReceived(self, data: bytes) -> None:
        now = self.clock.seconds()
        if now - self._heard > 3 * HEARTBEAT:
            # It was us who slept, and what has come meanwhile is stale.
            self.check_heartbeat()
            return
        self._heard = now
        try:
            super().dataReceived(data)
        except Exception as problem:
            self.drop(f"what the broker sent cannot be read ({type(problem).__name__})")

    def frame_received(self, frame: Any) -> None:
        self._say(self.process_frame(frame))

    def dispatch(self, queue: Any) -> Deferred[None]:
        return Deferred.fromCoroutine(self._dispatch(queue))

    async def _dispatch(self, queue: Any) -> None:
        frame = await queue.get()
        method = frame.payload.method
        content = await _read_content(queue) if method.content else None
        channel = self._channel(frame.channel)
        self.delegate.dispatch(channel, Message(method, frame.payload.args, content))

    def reschedule_send_heartbeat(self) -> None:
        """
        One goes out every 5 seconds, whatever else does; txAMQP would start
        its clock anew with every frame.
        """
        if not self.sendHB.running and not self.closed:
            self.sendHB.start(self.heartbeatInterval, now=False)

    def reschedule_check_heartbeat(self) -> None:
        if self.checkHB.active():
            self.checkHB.reset(3 * HEARTBEAT)

    def check_heartbeat(self) -> None:
        self.drop(f"it was silent for {3 * HEARTBEAT:g} seconds")

    def connectionLost(self, reason: Failure) -> None:
        self._because(_sentence(reason))
        super().connectionLost(reason)
        self._owner.link_lost(self, self._reason)


class _Words(TwistedDelegate):  # type: ignore[misc]
    """
    What txAMQP calls for what the broker says, by the names of the methods.
    """

    client: Link

    def connection_start(self, channel: Any, message: Message) -> None:
        self.client.heard_start(channel)

    def connection_tune(self, channel: Any, message: Message) -> None:
        self.client.heard_tune(channel, message.channel_max, message.frame_max)

    def basic_deliver(self, channel: Any, message: Message) -> None:
        self.client.heard_delivery(message)

    def basic_return_(self, channel: Any, message: Message) -> None:
        self.client.heard_return(message)

    def basic_ack(self, channel: Any, message: Message) -> None:
        self.client.heard_ack(message)

    def basic_nack(self, channel: Any, message: Message) -> None:
        self.client.drop("the broker could not keep a message")

    def basic_cancel(self, channel: Any, message: Message) -> None:
        self.client.drop("somebody deleted our queue")

    def channel_close(self, channel: Any, message: Message) -> None:
        self.client.heard_close(channel, message)


async def _read_content(queue: Any) -> Content:
    """
    Of a body that is too long only so much is kept as shows that it is.
    """
    header = (await queue.get()).payload
    pieces: list[bytes] = []
    length = 0
    while length < header.size:
        piece = _bytes((await queue.get()).payload.content)
        if length <= MESSAGE_BYTES:
            pieces.append(piece)
        length += len(piece)
    return Content(b"".join(pieces), properties=header.properties)


def _bytes(text: str | bytes) -> bytes:
    """
    txAMQP gives text wherever bytes are UTF-8; this takes it back.
    """
    return text.encode("utf-8") if isinstance(text, str) else text


class _Table(bytes):
    """
    A table of AMQP (0-9-1, 4.2.5.5), without its length.
    """


def _table(**fields: bytes | bool) -> _Table:
    return _Table(b"".join(_field(name.encode("ascii"), fields[name]) for name in fields))


def _field(name: bytes, value: bytes | bool) -> bytes:
    start = bytes([len(name)]) + name
    if isinstance(value, bool):
        return start + b"t" + bytes([value])
    kind = b"F" if isinstance(value, _Table) else b"S"
    return start + kind + len(value).to_bytes(4, "big") + value


def _sentence(reason: object) -> str:
    """
    Why something ended: the words of the broker or the network, nobody else's.
    """
    if isinstance(reason, Failure):
        return _sentence(reason.value)
    if isinstance(reason, Message):
        return f"the broker says {reason.reply_text}"
    if isinstance(reason, Closed) and reason.args:
        return _sentence(reason.args[0])
    if isinstance(reason, ConnectionClosed | LinkLost):
        return str(reason)
    return type(reason).__name__


@cache
def _spec() -> Any:
    return spec.load(str(files("consolebus") / "amqp0-9-1.xml"))
