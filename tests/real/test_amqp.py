"""
The bus over a real RabbitMQ, and strangers on it.
"""

from __future__ import annotations

import json
from typing import Any

from twisted.internet.defer import Deferred, gatherResults
from twisted.internet.endpoints import TCP4ClientEndpoint, connectProtocol
from twisted.internet.task import deferLater
from twisted.internet.threads import deferToThread
from twisted.trial.unittest import TestCase

from consolebus.amqp import DEFAULT_EXCHANGE, EXCHANGE
from consolebus.connect import bus_from_url
from consolebus.ibus import DeadlineExceeded, IConsoleBus
from consolebus.link import Delivery, Link, Login
from consolebus.messages import MESSAGE_BYTES
from tests.consolebus.contract import BusContract, Mailbox
from tests.rabbit import MISSING, Rabbit, shared_rabbit
from tests.real.amqp import STARTING, Fixture, Log


class AmqpContractTests(BusContract, TestCase):
    """
    The bus over RabbitMQ keeps the contract.
    """

    skip = MISSING
    timeout = STARTING

    async def setUp(self) -> None:
        from twisted.internet import reactor

        self.reactor: Any = reactor
        self.rabbit = await deferToThread(shared_rabbit)

    def make_bus(self, on_refused: Any = None) -> IConsoleBus:
        return bus_from_url(self.rabbit.url, self.reactor, on_refused)


class Stranger:
    """
    Somebody else at the broker, who says what they like.
    """

    def __init__(self) -> None:
        self.ready: Deferred[None] = Deferred()
        self.lost: Deferred[str] = Deferred()
        self.answers: list[dict[str, Any]] = []
        self.answered: Deferred[None] = Deferred()
        self.link: Link | None = None

    @classmethod
    async def at(cls, rabbit: Rabbit, case: Any) -> Stranger:
        stranger = cls()
        link = Link(stranger, Login("guest", "guest"), case.reactor)
        stranger.link = link
        endpoint = TCP4ClientEndpoint(case.reactor, "127.0.0.1", rabbit.port)
        await connectProtocol(endpoint, link)
        await link.open()
        stranger.queue = await link.new_queue()
        await link.consume(stranger.queue, stranger.take, acknowledge=False)
        case.addCleanup(stranger.leave)
        return stranger

    def leave(self) -> Deferred[str]:
        assert self.link is not None
        self.link.drop("the test is over")
        return self.lost

    def take(self, delivery: Delivery) -> None:
        self.answers.append(json.loads(delivery.body))
        answered, self.answered = self.answered, Deferred()
        answered.callback(None)

    def say(self, topic: str, body: bytes, **properties: Any) -> None:
        """
        Put C{body} into the queue of C{topic}.
        """
        assert self.link is not None
        self.link.say_publish(
            self.link.numbered(1),
            body,
            properties,
            exchange=DEFAULT_EXCHANGE,
            routing_key=f"ajaxconsole.{topic}",
        )

    async def ask(self, topic: str, body: bytes, **properties: Any) -> dict[str, Any]:
        answered = self.answered
        properties["reply-to"] = self.queue
        self.say(topic, body, **properties)
        await answered
        return self.answers[-1]

    def link_made(self, link: Link) -> None:
        pass

    def link_lost(self, link: Link, reason: str) -> None:
        self.lost.callback(reason)

    def link_returned(self, routing_key: bytes, correlation_id: bytes) -> None:
        pass

    def link_confirmed(self, number: int) -> None:
        pass


class StrangerTests(Fixture, TestCase):
    """
    What others put into our queues harms nobody.
    """

    async def setUp(self) -> None:
        from twisted.internet import reactor

        self.reactor = reactor
        self.rabbit = await deferToThread(shared_rabbit)
        self.log = Log(self)
        self.mailbox = Mailbox()
        self.server = self.bus_at(self.rabbit.url)
        self.server.serve("compute.one", {"take": self.mailbox.take})
        await self.server.start()
        self.stranger = await Stranger.at(self.rabbit, self)

    async def still_served(self) -> None:
        """
        The consumer lives, over the same connection, and takes what is right.
        """
        number = len(self.mailbox.received) + 1
        greetings: list[bool] = []
        self.server.when_connected(lambda: greetings.append(True))
        answer = await self.stranger.ask(
            "compute.one",
            json.dumps({"method": "take", "args": {"n": number}, "version": 1}).encode(),
        )

        self.assertEqual(answer, {"result": None})
        self.assertEqual(greetings, [True])

    async def test_not_json(self) -> None:
        """
        Refused, answered, counted in the log, without the words.
        """
        for body in (b"secret-1", b"\xff\xfesecret-2", b"[]", b"{", b"", b'{"version":1}'):
            answer = await self.stranger.ask("compute.one", body)
            self.assertEqual(answer["failure"]["code"], "bad-arguments")
            self.stranger.say("compute.one", body)

        await self.still_served()
        self.assertEqual(len(self.mailbox.received), 1)
        self.assertIn("was refused (12 so far)", self.log)
        self.assertNotIn("secret", self.log)

    async def test_other_version(self) -> None:
        """
        Refused, since it may mean something else.
        """
        body = json.dumps({"method": "take", "args": {}, "version": 2}).encode()

        answer = await self.stranger.ask("compute.one", body)

        self.assertEqual(answer["failure"]["code"], "bad-arguments")
        self.assertEqual(self.mailbox.received, [])
        await self.still_served()

    async def test_too_long(self) -> None:
        """
        One byte too many, and a hundred times too many.
        """
        for length in (MESSAGE_BYTES + 1, 100 * MESSAGE_BYTES):
            answer = await self.stranger.ask("compute.one", b" " * length)
            self.assertIn("longer than", answer["failure"]["message"])

        await self.still_served()

    async def test_outside_of_ascii(self) -> None:
        """
        UTF-8 over several frames, in which characters are cut through.
        """
        text = "x" + "grüße \u2603 \U0001f600" * 30_000
        body = json.dumps(
            {"method": "take", "args": {"text": text}, "version": 1}, ensure_ascii=False
        ).encode()
        self.assertTrue(len(body) > 3 * 128 * 1024)

        answer = await self.stranger.ask("compute.one", body)

        self.assertEqual(answer, {"result": None})
        self.assertEqual(self.mailbox.received, [{"text": text}])

    async def test_headers_of_any_kind(self) -> None:
        """
        Headers and properties that txAMQP cannot read are not read.
        """
        properties = {
            "headers": b"\x01al\x00\x00\x00\x00\x00\x00\x00\x07\x01bA\x00\x00\x00\x02t\x01\x01cV",
            "timestamp": 2**40,
            "priority": 9,
            "message-id": "grüße".encode(),
        }

        answer = await self.stranger.ask("compute.one", b"?", **properties)

        self.assertEqual(answer["failure"]["code"], "bad-arguments")
        await self.still_served()

    async def test_answer_to_nowhere(self) -> None:
        """
        An answer that no queue takes, to a name outside of ASCII.
        """
        self.stranger.say("compute.one", b"?", **{"reply-to": ("ß" * 100).encode()})

        await self.still_served()

    async def test_fanouts_are_not_answered(self) -> None:
        """
        Whoever fans out gets no answers from all over the fleet.
        """
        self.server.listen("compute", {"take": self.mailbox.take})
        body = json.dumps({"method": "take", "args": {"n": 0}, "version": 1}).encode()
        assert self.stranger.link is not None
        while not self.mailbox.received:
            self.stranger.link.publish(EXCHANGE, b"compute", body, 1, b"1", b"nobody")
            await deferLater(self.reactor, 0.05)

        await self.still_served()
        self.assertEqual(len(self.stranger.answers), 1)

    async def test_stale_calls_are_not_carried_out(self) -> None:
        """
        What nobody took in time is gone when somebody comes.
        """
        client = self.bus_at(self.rabbit.url)
        await client.start()
        link = self.stranger.link
        assert link is not None
        await link.own_queue("ajaxconsole.compute.slow")
        arrived: list[bytes] = []
        marked: Deferred[None] = Deferred()

        def deliver(delivery: Delivery) -> None:
            arrived.append(delivery.body)
            marked.callback(None)

        await self.raises(
            DeadlineExceeded, client.call("compute.slow", "get_console", {}, timeout=0.2)
        )
        self.stranger.say("compute.slow", b"mark")
        await link.consume("ajaxconsole.compute.slow", deliver, acknowledge=False)
        await marked

        self.assertEqual(arrived, [b"mark"])

    async def test_refused_channel_is_opened_again(self) -> None:
        """
        When the broker ends our channel, we connect anew, and serve again.
        """
        link: Any = self.server._carrier._link  # type: ignore[attr-defined]
        reconnected: Deferred[None] = Deferred()
        calls: list[int] = []

        def greet() -> None:
            calls.append(1)
            if len(calls) == 2:
                reconnected.callback(None)

        self.server.when_connected(greet)
        link.publish("no-such-exchange", b"x", b"secret-3", 1)
        await reconnected

        answer = await self.stranger.ask(
            "compute.one", json.dumps({"method": "take", "version": 1}).encode()
        )
        self.assertEqual(answer, {"result": None})
        self.assertIn("NOT_FOUND - no exchange", self.log)
        self.assertNotIn("secret", self.log)

    async def test_many_at_once(self) -> None:
        """
        More requests than may be under way at once are all answered.
        """
        gate: Deferred[None] = Deferred()
        under_way: list[int] = []

        async def wait(context: Any, n: int) -> int:
            under_way.append(n)
            if len(under_way) == 100:
                self.reactor.callLater(0.1, gate.callback, None)
            mine: Deferred[None] = Deferred()
            gate.chainDeferred(mine) if not gate.called else mine.callback(None)
            most.append(len(under_way))
            await mine
            under_way.remove(n)
            return n

        most: list[int] = []
        client = self.bus_at(self.rabbit.url)
        server = self.bus_at(self.rabbit.url)
        server.serve("compute.two", {"wait": wait})
        await gatherResults([client.start(), server.start()])

        results = await gatherResults(
            [client.call("compute.two", "wait", {"n": n}) for n in range(900)]
        )

        self.assertEqual(results, list(range(900)))
        self.assertEqual(max(most), 100)
