"""
What a bus promises, whoever carries the bytes: calls with deadlines, casts
that are kept while the connection is away, topics claimed and claimed again.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from twisted.internet.defer import CancelledError, Deferred, fail
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import deferLater
from twisted.logger import Logger
from twisted.python.failure import Failure
from zope.interface import implementer

from consolebus.answering import Methods
from consolebus.calls import Calls
from consolebus.carrier import HEARTBEAT, CarrierLost, ICarrier, Parcel
from consolebus.ibus import (
    BadArguments,
    BusAway,
    Context,
    IConsoleBus,
    Method,
    NobodyThere,
    Unavailable,
)
from consolebus.messages import Reply, Request, format_reply, format_request, parse_reply
from consolebus.outbox import Outbox

_NOBODY = Context()

OnRefused = Callable[[str], None]
"""Called with a topic that another process serves already."""

TOPIC_CHARACTERS = 200


@implementer(IConsoleBus)
class Station:
    """
    One daemon's end of the bus.

    @cvar CALLS: how many calls may wait for their answers at once.
    @cvar CLAIM_DELAY: seconds between two attempts to claim a locked topic.
    @cvar CLAIM_LIFETIME: seconds after which a locked topic is another's.
    @cvar FAREWELL: seconds for which L{stop} waits for what is under way.
    """

    CALLS = 1000
    CLAIM_DELAY = 1.0
    CLAIM_LIFETIME = 3 * HEARTBEAT
    FAREWELL = 5.0

    _log = Logger()

    def __init__(
        self, clock: IReactorTime, carrier: ICarrier, on_refused: OnRefused | None = None
    ) -> None:
        self.connected = False
        self._clock = clock
        self._carrier = carrier
        self._on_refused = on_refused
        self._calls = Calls(clock)
        self._outbox = Outbox(clock)
        self._served: dict[str, Methods] = {}
        self._heard: dict[str, Methods] = {}
        self._declared: list[tuple[str, bool]] = []
        self._claiming: set[Deferred[None]] = set()
        self._greeters: list[Callable[[], None]] = []
        self._running = 0
        self._started: Deferred[None] | None = None
        self._stopping = False
        self._leaving: Deferred[None] | None = None
        self._idle: Deferred[None] | None = None

    # What a daemon asks of its bus.

    def start(self) -> Deferred[None]:
        started: Deferred[None] = Deferred()
        self._started = started
        self._carrier.start(self)
        return started

    def stop(self) -> Deferred[None]:
        stopped: Deferred[None] = Deferred()
        if self._leaving is None:
            self._leaving = Deferred.fromCoroutine(self._stop())
            self._leaving.addErrback(lambda failure: self._log.failure("while leaving", failure))
        self._leaving.addCallback(lambda _: stopped.callback(None))
        return stopped

    def serve(self, topic: str, methods: Mapping[str, Method]) -> None:
        _check_topic(topic)
        if topic in self._served:
            raise ValueError(f"{topic} is served already")
        self._served[topic] = Methods(topic, methods)
        self._declare(topic, fanout=False)

    def listen(self, topic: str, methods: Mapping[str, Method]) -> None:
        _check_topic(topic)
        if topic in self._heard:
            raise ValueError(f"{topic} is listened to already")
        self._heard[topic] = Methods(topic, methods)
        self._declare(topic, fanout=True)

    def call(
        self,
        topic: str,
        method: str,
        args: Mapping[str, Any],
        context: Context = _NOBODY,
        timeout: float = 10.0,
    ) -> Deferred[Any]:
        try:
            _check_topic(topic)
            body = format_request(Request(method, args, context))
        except BadArguments as failure:
            return fail(failure)
        if not self.connected or self._stopping:
            return fail(_away())
        if len(self._calls) >= self.CALLS:
            return fail(Unavailable(f"{self.CALLS} calls wait for their answers already."))
        call_id, answer = self._calls.begin(topic, timeout)
        self._carrier.send(Parcel(topic, body, call_id=call_id), timeout)
        return answer

    def cast(
        self, topic: str, method: str, args: Mapping[str, Any], context: Context = _NOBODY
    ) -> None:
        self._put(topic, Request(method, args, context), fanout=False)

    def fanout(
        self, topic: str, method: str, args: Mapping[str, Any], context: Context = _NOBODY
    ) -> None:
        self._put(topic, Request(method, args, context), fanout=True)

    def when_connected(self, callback: Callable[[], None]) -> None:
        self._greeters.append(callback)
        if self.connected:
            self._greet(callback)

    # What the carrier tells.

    def opened(self) -> Deferred[None]:
        return Deferred.fromCoroutine(self._open())

    def failed(self) -> None:
        self._begun()

    def lost(self) -> None:
        self.connected = False
        self._begun()
        for claiming in list(self._claiming):
            claiming.cancel()
        self._outbox.lost()
        self._calls.all_failed(
            lambda: BusAway(
                "The connection to the message broker was lost;"
                " whether what was asked was done is not known."
            )
        )
        self._rest()

    def request_came(
        self, topic: str, fanout: bool, body: bytes, reply: Callable[[bytes], None]
    ) -> None:
        methods = (self._heard if fanout else self._served)[topic]
        if self._stopping:
            reply(format_reply(Reply(failure=Unavailable(f"{topic} is stopping."))))
            return
        self._running += 1
        methods.answer(body).addCallback(reply).addBoth(self._ended)

    def reply_came(self, call_id: str, body: bytes) -> None:
        self._calls.answered(call_id, parse_reply(body))

    def returned(self, topic: str, call_id: str) -> None:
        if call_id:
            self._calls.failed(call_id, NobodyThere(f"Nobody serves {topic}."))
        else:
            self._log.warn("A cast to {topic} found nobody who serves it", topic=topic)

    def confirmed(self, parcel: Parcel) -> None:
        self._outbox.confirmed(parcel)
        self._rest()

    # Connecting.

    async def _open(self) -> None:
        # The list may grow while we wait; iterating over it sees that.
        for topic, fanout in self._declared:
            if fanout:
                await self._carrier.hear(topic)
            elif not await self._carrier.claim(topic):
                self._in_background(self._claim(topic, delay=self.CLAIM_DELAY))
        self.connected = True
        self._flush()
        for callback in list(self._greeters):
            self._greet(callback)
        self._begun()

    def _declare(self, topic: str, fanout: bool) -> None:
        self._declared.append((topic, fanout))
        if self.connected:
            self._in_background(self._hear(topic) if fanout else self._claim(topic))

    async def _hear(self, topic: str) -> None:
        await self._carrier.hear(topic)

    async def _claim(self, topic: str, delay: float = 0.0) -> None:
        """
        Claim C{topic} until it is ours, or has been another's for too long to
        be held by a ghost of our own.
        """
        patience = self._clock.seconds() + self.CLAIM_LIFETIME - delay
        while True:
            if delay:
                await deferLater(self._clock, delay)
            if await self._carrier.claim(topic):
                return
            if self._clock.seconds() >= patience:
                break
            delay = self.CLAIM_DELAY
        self._log.error(
            "{topic} is served by another process already; this one gets nothing"
            " that is addressed to it.  End one of the two.",
            topic=topic,
        )
        if self._on_refused is not None:
            with self._log.failuresHandled("while telling that a topic is refused"):
                self._on_refused(topic)

    def _in_background(self, coroutine: Any) -> None:
        """
        Run something that ends, at the latest, with the connection.
        """
        running: Deferred[None] = Deferred.fromCoroutine(coroutine)
        self._claiming.add(running)

        def ended(result: object) -> None:
            self._claiming.discard(running)
            if isinstance(result, Failure) and not result.check(CarrierLost, CancelledError):
                self._log.failure("A topic could not be declared", result)

        running.addBoth(ended)

    def _greet(self, callback: Callable[[], None]) -> None:
        with self._log.failuresHandled("while telling that the bus is connected"):
            callback()

    def _begun(self) -> None:
        started, self._started = self._started, None
        if started is not None:
            started.callback(None)

    # Casts.

    def _put(self, topic: str, request: Request, fanout: bool) -> None:
        _check_topic(topic)
        self._outbox.put(Parcel(topic, format_request(request), fanout))
        if self.connected:
            self._flush()

    def _flush(self) -> None:
        for parcel, lifetime in self._outbox.take():
            self._carrier.send(parcel, lifetime)

    # Leaving.

    def _ended(self, result: object) -> None:
        self._running -= 1
        self._rest()

    async def _stop(self) -> None:
        self._stopping = True
        self._begun()
        self._calls.all_failed(lambda: BusAway("This daemon is stopping."))
        self._idle = Deferred()
        alarm = self._clock.callLater(self.FAREWELL, self._rest, at_once=True)
        self._rest()
        if self._idle is not None:
            await self._idle
        if alarm.active():
            alarm.cancel()
        self.connected = False
        await self._carrier.stop()
        for claiming in list(self._claiming):
            claiming.cancel()

    def _rest(self, at_once: bool = False) -> None:
        """
        Let L{stop} go on, once nothing is under way any more.
        """
        quiet = self._running == 0 and (len(self._outbox) == 0 or not self.connected)
        if self._idle is not None and (quiet or at_once):
            idle, self._idle = self._idle, None
            idle.callback(None)


def _check_topic(topic: str) -> None:
    if not 0 < len(topic) <= TOPIC_CHARACTERS or not topic.isascii() or not topic.isprintable():
        raise BadArguments("A topic is a dotted name of 1 to 200 ASCII characters.")


def _away() -> BusAway:
    return BusAway("There is no connection to the message broker now.")
