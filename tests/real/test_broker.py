"""
The bus when its broker is locked, killed, hung, or somebody else.
"""

from __future__ import annotations

import tempfile
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from twisted.internet.defer import Deferred, gatherResults
from twisted.internet.endpoints import SSL4ServerEndpoint
from twisted.internet.ssl import PrivateCertificate
from twisted.internet.task import deferLater
from twisted.internet.threads import deferToThread
from twisted.protocols.portforward import ProxyFactory
from twisted.trial.unittest import TestCase

from consolebus.ibus import BusAway, DeadlineExceeded, NobodyThere
from tests.consolebus.contract import Mailbox
from tests.rabbit import Rabbit, shared_rabbit
from tests.real.amqp import Fixture, Log


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
        await second.start()
        self.assertTrue(second.connected)
        self.assertEqual(await first.call("compute.two", "who", {}), "second")

        topic = await refused

        self.assertEqual(topic, "compute.one")
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
        self.failureResultOf(bus.call("compute.one", "take", {}), BusAway)
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
        await self.raises(DeadlineExceeded, bus.call("compute.one", "take", {"n": 1}, timeout=0.5))
        bus.cast("compute.one", "take", {"n": 2})
        waiting = bus.call("compute.one", "take", {"n": 3}, timeout=60)
        await leaver.stop()
        self.assertNoResult(waiting)
        await self.raises(BusAway, waiting)
        await self.raises(BusAway, bus.call("compute.one", "take", {}))
        self.rabbit.resume()
        await self.until(lambda: bus.connected)
        await self.until(lambda: {"n": 2} in mailbox.received)

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
