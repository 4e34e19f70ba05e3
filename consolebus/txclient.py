"""
txAMQP, mended.  This is the one file that knows it.

txAMQP 0.8.2 is of 2018 and does most of the work; what it does wrong is put
right here:

  - It reads the pieces of a message as text where it can, and counts their
    characters as bytes, so that a body outside of ASCII never ends.
  - It keeps a body of any length.
  - It cannot read every kind of header (C{amqp0-9-1.xml} avoids that).
  - It takes a broker's "no limit" for frames as a limit of 0.
  - It tells its channels that they are gone while it may still be asked for
    new ones, which nobody would close.
  - It says nothing when it gives a connection up, or leaves an unhandled
    failure behind.  Here everything ends in C{connectionLost}, with C{reason}
    saying why.

One thing is left to who uses it: it measures strings before it encodes them,
so what may be outside of ASCII must be given as bytes.

No reason has a word of a message in it, nor of the login.
"""

from __future__ import annotations

import sys
from functools import cache
from importlib.resources import files
from typing import Any, TypeGuard

from twisted.internet.defer import Deferred
from twisted.internet.error import ConnectionClosed
from twisted.internet.interfaces import IReactorTime
from twisted.python.failure import Failure
from txamqp import spec
from txamqp.client import ChannelClosed, Closed, TwistedDelegate
from txamqp.content import Content
from txamqp.message import Message
from txamqp.protocol import AMQClient

from consolebus.carrier import HEARTBEAT, CarrierLost
from consolebus.messages import MESSAGE_BYTES

FRAME_BYTES = 128 * 1024
"""Also what RabbitMQ proposes."""


class ChannelRefused(Exception):
    """
    The broker ended the channel because of what was asked.

    @ivar code: why (AMQP 0-9-1, 1.2).
    """

    def __init__(self, code: int, sentence: str) -> None:
        super().__init__(sentence)
        self.code = code


class Client(AMQClient):  # type: ignore[misc]
    """
    @ivar closed: txAMQP's word for that nothing can be said any more.
    @ivar reason: why it ended; empty as long as it did not.
    """

    MAX_LENGTH = FRAME_BYTES

    def __init__(self, user: bytes, password: bytes, vhost: bytes, clock: IReactorTime) -> None:
        super().__init__(_Words(), vhost, _spec(), heartbeat=int(HEARTBEAT), clock=clock)
        # txAMQP looks for these when the broker greets.
        self.mechanism = "PLAIN"
        self.response = b"\0" + user + b"\0" + password
        self.locale = "en_US"
        self.reason = ""
        self.channels: dict[int, Any] = {}
        self._heard = clock.seconds()

    async def login(self) -> None:
        await self.said(self.start(self.response, self.mechanism, self.locale))

    def numbered(self, channel: int) -> Any:
        """
        @return: txAMQP's channel, new if need be; C{class_method()} on it says
            that method.
        """
        if self.closed:
            raise CarrierLost(self.reason)
        if channel not in self.channels:
            self.channels[channel] = self.channelFactory(channel, self.outgoing, self)
        return self.channels[channel]

    async def said(self, saying: Deferred[Any]) -> Any:
        """
        Wait for the broker's answer.

        @raise ChannelRefused: it ended the channel.
        @raise CarrierLost: anything else went wrong.
        """
        try:
            return await saying
        except ChannelClosed as closed:
            raise ChannelRefused(closed.args[0].reply_code, _sentence(closed)) from None
        except Exception as problem:
            self.drop(_sentence(problem))
        raise CarrierLost(self.reason)

    def say(self, saying: Deferred[Any]) -> None:
        """
        Where no answer comes.
        """
        saying.addErrback(lambda failure: self.drop(_sentence(failure.value)))

    def say_publish(self, channel: Any, body: bytes, properties: Any, **fields: Any) -> None:
        self.say(channel.basic_publish(content=Content(body, properties=properties), **fields))

    def drop(self, reason: str) -> None:
        """
        End the connection now.
        """
        self.because(reason)
        if self.transport is not None:
            self.transport.abortConnection()

    def because(self, reason: str) -> None:
        """
        The first reason is the true one, the others follow from it.
        """
        self.reason = self.reason or reason

    # What the broker says.

    def heard_deliver(self, message: Any) -> None:
        """
        C{message} has the fields of C{basic.deliver} and C{content}, with
        C{body} and C{properties}.
        """

    def heard_return(self, message: Any) -> None:
        """
        As L{heard_deliver}, of C{basic.return}.
        """

    def heard_ack(self, number: int, multiple: bool) -> None:
        """
        The broker has what was published as the C{number}th on the channel.
        """

    def heard_channel_close(self, channel: Any, reason: str) -> None:
        """
        Told after whoever waits for an answer on it.
        """

    # What txAMQP does otherwise.

    def send_init_string(self) -> None:
        self.transport.write(b"AMQP\x00\x00\x09\x01")

    def connectionMade(self) -> None:
        self.transport.setTcpNoDelay(True)
        self._heard = self.clock.seconds()
        super().connectionMade()

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
        self.say(self.process_frame(frame))

    def dispatch(self, queue: Any) -> Deferred[None]:
        return Deferred.fromCoroutine(self._dispatch(queue))

    async def _dispatch(self, queue: Any) -> None:
        frame = await queue.get()
        method = frame.payload.method
        content = await _read_content(queue) if method.content else None
        channel = self.numbered(frame.channel)
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

    def do_close(self, reason: object) -> None:
        self.because(_sentence(reason))
        self.closed = True
        channels, self.channels = self.channels, {}
        for channel in channels.values():
            channel.close(reason)
        self.started.fail_if_not_fired(CarrierLost(self.reason))
        self.transport.loseConnection()

    def connectionLost(self, reason: Failure) -> None:
        self.because(_sentence(reason))
        super().connectionLost(reason)


class _Words(TwistedDelegate):  # type: ignore[misc]
    """
    What txAMQP calls for what the broker says, by the names of the methods.
    """

    client: Client

    def connection_start(self, channel: Any, message: Message) -> None:
        channel.connection_start_ok(
            client_properties=_table(
                product=b"ajaxconsole",
                capabilities=_table(
                    authentication_failure_close=True,
                    consumer_cancel_notify=True,
                    publisher_confirms=True,
                ),
            ),
            mechanism=self.client.mechanism,
            response=self.client.response,
            locale=self.client.locale,
        )

    def connection_tune(self, channel: Any, message: Message) -> None:
        client = self.client
        client.MAX_LENGTH = min(message.frame_max or FRAME_BYTES, FRAME_BYTES)
        channel.connection_tune_ok(message.channel_max, client.MAX_LENGTH, client.heartbeatInterval)
        client.started.fire()

    def channel_close(self, channel: Any, message: Message) -> None:
        channel.channel_close_ok()
        channel.do_close(message)
        self.client.heard_channel_close(channel, _sentence(message))

    def basic_deliver(self, channel: Any, message: Message) -> None:
        self.client.heard_deliver(message)

    def basic_return_(self, channel: Any, message: Message) -> None:
        self.client.heard_return(message)

    def basic_ack(self, channel: Any, message: Message) -> None:
        self.client.heard_ack(message.delivery_tag, message.multiple)

    def basic_nack(self, channel: Any, message: Message) -> None:
        self.client.drop("it could not keep a message")

    def basic_cancel(self, channel: Any, message: Message) -> None:
        self.client.drop("somebody deleted a queue of ours")


async def _read_content(queue: Any) -> Content:
    """
    Of a body that is too long only so much is kept as shows that it is.
    """
    header = (await queue.get()).payload
    pieces: list[bytes] = []
    length = 0
    while length < header.size:
        piece = (await queue.get()).payload.content
        if isinstance(piece, str):
            piece = piece.encode("utf-8")
        if length <= MESSAGE_BYTES:
            pieces.append(piece)
        length += len(piece)
    return Content(b"".join(pieces), properties=header.properties)


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
        return str(reason.reply_text)
    if isinstance(reason, Closed) and reason.args:
        return _sentence(reason.args[0])
    if isinstance(reason, ConnectionClosed | CarrierLost | ChannelRefused):
        return str(reason)
    if _is_tls_error(reason) and reason.args and isinstance(reason.args[0], list):
        # OpenSSL's own: (library, function, what is wrong), the innermost first.
        return "TLS: " + "; ".join(str(wrong[-1]) for wrong in reason.args[0])
    return type(reason).__name__


def _is_tls_error(reason: object) -> TypeGuard[Exception]:
    # Whoever has one has loaded this; who speaks no TLS has not.
    tls: Any = sys.modules.get("OpenSSL.SSL")
    return tls is not None and isinstance(reason, tls.Error)


@cache
def _spec() -> Any:
    return spec.load(str(files("consolebus") / "amqp0-9-1.xml"))
