"""
The bus over a real RabbitMQ.
"""

from __future__ import annotations

import json
import logging
import tempfile
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from twisted.internet.defer import Deferred, gatherResults
from twisted.internet.endpoints import SSL4ServerEndpoint, TCP4ClientEndpoint, connectProtocol
from twisted.internet.ssl import PrivateCertificate
from twisted.internet.task import deferLater
from twisted.internet.threads import deferToThread
from twisted.logger import ILogObserver, LogEvent, eventAsText, globalLogPublisher
from twisted.protocols.portforward import ProxyFactory
from twisted.trial.unittest import TestCase
from zope.interface import implementer

from consolebus.amqp import DEFAULT_EXCHANGE, EXCHANGE
from consolebus.carrier import HEARTBEAT
from consolebus.connect import bus_from_url
from consolebus.ibus import BusAway, DeadlineExceeded, IConsoleBus, NobodyThere
from consolebus.link import Delivery, Link, Login
from consolebus.messages import MESSAGE_BYTES
from tests.consolebus.contract import BusContract, Mailbox
from tests.rabbit import MISSING, Rabbit, shared_rabbit

STARTING = 150
"""Seconds that a test may take that may have to start the shared broker."""


class Fixture:
    """
    What the tests here have in common.
    """

    skip = MISSING
    timeout = STARTING
    rabbit: Rabbit
    reactor: Any
    addCleanup: Any

    def bus_at(self, url: str, on_refused: Any = None) -> IConsoleBus:
        bus = bus_from_url(url, self.reactor, on_refused)
        self.addCleanup(bus.stop)
        return bus

    async def until(self, condition: Callable[[], object]) -> None:
        while not condition():
            await deferLater(self.reactor, 0.02)

    async def raises(self, kind: type[Exception], calling: Any) -> Any:
        try:
            result = await calling
        except kind as problem:
            return problem
        raise AssertionError(f"{result!r} instead of {kind.__name__}")


@implementer(ILogObserver)
class Log:
    """
    Everything that is logged, at whatever level, as it would be written.
    """

    def __init__(self, case: Any) -> None:
        self.lines: list[str] = []
        globalLogPublisher.addObserver(self)
        case.addCleanup(globalLogPublisher.removeObserver, self)
        root = logging.getLogger()
        root.addHandler(handler := _Into(self.lines))
        case.addCleanup(root.removeHandler, handler)

    def __call__(self, event: LogEvent) -> None:
        self.lines.append(eventAsText(event, includeTraceback=True) + repr(event))

    def __contains__(self, words: str) -> bool:
        return any(words in line for line in self.lines)


class _Into(logging.Handler):
    def __init__(self, lines: list[str]) -> None:
        super().__init__()
        self._lines = lines

    def emit(self, record: logging.LogRecord) -> None:
        self._lines.append(record.getMessage())


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
        text = "x" + "grüße \u2603 \U0001f600" * 20_000
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


class SecondServerTests(Fixture, TestCase):
    """
    A topic has one server.
    """

    async def setUp(self) -> None:
        from twisted.internet import reactor

        self.reactor = reactor
        self.rabbit = await deferToThread(shared_rabbit)

    async def test_second_is_refused(self) -> None:
        """
        After three heartbeats it is told; everything else works for it.
        """
        refused: Deferred[str] = Deferred()
        first = self.bus_at(self.rabbit.url)
        second = self.bus_at(self.rabbit.url, refused.callback)
        first.serve("compute.one", {"who": lambda context: "first"})
        second.serve("compute.one", {"who": lambda context: "second"})
        second.serve("compute.two", {"who": lambda context: "second"})
        await first.start()
        begun = self.reactor.seconds()
        await second.start()
        self.assertTrue(second.connected)
        self.assertEqual(await first.call("compute.two", "who", {}), "second")

        topic = await refused

        self.assertEqual(topic, "compute.one")
        self.assertTrue(3 * HEARTBEAT <= self.reactor.seconds() - begun < 3 * HEARTBEAT + 4)
        self.assertEqual(await second.call("compute.one", "who", {}), "first")

    async def test_ghost_is_waited_for(self) -> None:
        """
        When the first one leaves in that time, the second takes over.
        """
        refused: list[str] = []
        first = self.bus_at(self.rabbit.url)
        second = self.bus_at(self.rabbit.url, refused.append)
        first.serve("compute.one", {"who": lambda context: "first"})
        second.serve("compute.one", {"who": lambda context: "second"})
        await first.start()
        await second.start()
        await deferLater(self.reactor, 1.5)
        await first.stop()

        while True:
            try:
                who = await second.call("compute.one", "who", {})
                break
            except NobodyThere:
                await deferLater(self.reactor, 0.05)

        self.assertEqual((who, refused), ("second", []))


class BrokerFailureTests(Fixture, TestCase):
    """
    A broker of its own for each test, to be killed.
    """

    async def setUp(self) -> None:
        from twisted.internet import reactor

        self.reactor = reactor
        self.log = Log(self)
        self.rabbit = Rabbit()
        self.addCleanup(deferToThread, self.rabbit.stop)

    async def test_killed_and_started_again(self) -> None:
        """
        While it is away, calls fail at once and casts are kept; afterwards
        everything is as it was.
        """
        bus, mailbox, greetings = self.bus_at(self.rabbit.url), Mailbox(), []
        bus.serve("compute.one", {"take": mailbox.take, "never": lambda context: Deferred()})
        bus.listen("compute", {"take": mailbox.take})
        bus.when_connected(lambda: greetings.append(True))
        await bus.start()
        self.assertFalse(bus.connected)
        await self.raises(BusAway, bus.call("compute.one", "take", {}))
        bus.cast("compute.one", "take", {"n": 1})

        await deferToThread(self.rabbit.start)
        self.assertEqual(await mailbox.until(1), [{"n": 1}])

        waiting = bus.call("compute.one", "never", {})
        await deferToThread(self.rabbit.kill)
        await self.raises(BusAway, waiting)
        begun = self.reactor.seconds()
        await self.raises(BusAway, bus.call("compute.one", "take", {}))
        self.assertTrue(self.reactor.seconds() - begun < 0.1)
        for n in (2, 3, 4):
            bus.cast("compute.one", "take", {"n": n})
            bus.fanout("compute", "take", {"n": n + 10})

        await deferToThread(self.rabbit.start)
        received = await mailbox.until(7)

        self.assertEqual([r["n"] for r in received if r["n"] < 10], [1, 2, 3, 4])
        self.assertEqual([r["n"] for r in received if r["n"] > 10], [12, 13, 14])
        self.assertEqual(greetings, [True, True])
        self.assertIsNone(await bus.call("compute.one", "take", {}))
        self.assertNotIn("guest:guest", self.log)

    async def test_hung(self) -> None:
        """
        A broker that hangs: calls end by their deadline, then the connection
        is given up, and is back when the broker is.
        """
        await deferToThread(self.rabbit.start)
        bus, leaver, mailbox = self.bus_at(self.rabbit.url), self.bus_at(self.rabbit.url), Mailbox()
        bus.serve("compute.one", {"take": mailbox.take})
        await gatherResults([bus.start(), leaver.start()])

        self.rabbit.pause()
        begun = self.reactor.seconds()
        await self.raises(DeadlineExceeded, bus.call("compute.one", "take", {"n": 1}, timeout=0.5))
        bus.cast("compute.one", "take", {"n": 2})
        waiting = bus.call("compute.one", "take", {"n": 3}, timeout=60)
        await leaver.stop()
        self.assertTrue(self.reactor.seconds() - begun < 8)
        await self.raises(BusAway, waiting)
        noticed = self.reactor.seconds() - begun
        await self.raises(BusAway, bus.call("compute.one", "take", {}))
        self.rabbit.resume()
        await self.until(lambda: bus.connected)
        await self.until(lambda: {"n": 2} in mailbox.received)

        self.assertTrue(noticed <= 3 * HEARTBEAT + 0.5, noticed)
        self.assertNotIn({"n": 1}, mailbox.received)
        self.assertIsNone(await bus.call("compute.one", "take", {"n": 4}))

    async def test_wrong_password(self) -> None:
        """
        The bus says once why it is not connected, without the password.
        """
        await deferToThread(self.rabbit.start)
        bus = self.bus_at(self.rabbit.url.replace("guest:guest", "guest:secret-4"))

        await bus.start()
        await self.raises(BusAway, bus.call("compute.one", "take", {}))

        self.assertFalse(bus.connected)
        self.assertIn("ACCESS_REFUSED", self.log)
        self.assertNotIn("secret-4", self.log)

    async def test_no_such_vhost(self) -> None:
        """
        As for a password.
        """
        await deferToThread(self.rabbit.start)
        bus = self.bus_at(self.rabbit.url + "gr%C3%BC%C3%9Fe")

        await bus.start()

        self.assertFalse(bus.connected)
        self.assertIn("vhost grüße not found", self.log)

    async def test_tls(self) -> None:
        """
        C{amqps} with the right authority works, with another one it does not.
        """
        await deferToThread(self.rabbit.start)
        ours, pem = _certificate()
        other, _ = _certificate()
        folder = Path(tempfile.mkdtemp(dir=self.mktemp_folder()))
        (folder / "ours.pem").write_bytes(ours)
        (folder / "other.pem").write_bytes(other)
        endpoint = SSL4ServerEndpoint(
            self.reactor, 0, PrivateCertificate.loadPEM(pem).options(), interface="127.0.0.1"
        )
        port = await endpoint.listen(ProxyFactory("127.0.0.1", self.rabbit.port))
        self.addCleanup(port.stopListening)
        url = f"amqps://guest:guest@localhost:{port.getHost().port}/?ca={folder}"
        right = self.bus_at(f"{url}/ours.pem")
        wrong = self.bus_at(f"{url}/other.pem")
        right.serve("compute.one", {"echo": lambda context, text: text})
        await gatherResults([right.start(), wrong.start()])

        text = "x" * 900_000
        self.assertEqual(await right.call("compute.one", "echo", {"text": text}), text)
        self.assertFalse(wrong.connected)

    def mktemp_folder(self) -> str:
        folder = Path(self.mktemp())
        folder.mkdir(parents=True)
        return str(folder.absolute())


def _certificate() -> tuple[bytes, bytes]:
    """
    @return: a certificate of C{localhost}, signed by itself, and with its key.
    """
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "localhost")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(hours=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
        .public_bytes(serialization.Encoding.PEM)
    )
    secret = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    return certificate, certificate + secret
