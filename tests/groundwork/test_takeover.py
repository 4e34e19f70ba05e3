"""
Tests for L{groundwork.takeover}: a connection changes hands, plain and under TLS.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID
from twisted.internet.protocol import Factory, Protocol
from twisted.internet.ssl import CertificateOptions, PrivateCertificate
from twisted.protocols.tls import TLSMemoryBIOFactory
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase
from twisted.web.resource import Resource
from twisted.web.server import NOT_DONE_YET, Request

from groundwork.site import BoundedSite
from groundwork.takeover import take_over
from tests.memorysocket import Collector, MemoryReactor

REQUEST = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"


class Echo(Protocol):
    """
    Says what it hears, when it is not paused.
    """

    def __init__(self, paused: bool = False) -> None:
        self._paused = paused
        self.lost = False

    def connectionMade(self) -> None:
        transport: Any = self.transport
        transport.write(b"mine now. ")
        if self._paused:
            transport.pauseProducing()

    def dataReceived(self, data: bytes) -> None:
        assert self.transport is not None
        self.transport.write(data.upper())

    def connectionLost(self, reason: Failure) -> None:  # type: ignore[override]
        self.lost = True


class Taken(Resource):
    isLeaf = True

    def __init__(self, echo: Echo) -> None:
        super().__init__()
        self._echo = echo

    def render_GET(self, request: Request) -> int:
        take_over(request, self._echo)
        return NOT_DONE_YET


def certificate() -> PrivateCertificate:
    """
    @return: one that signs itself, for an hour.
    """
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    now = datetime.now()
    made = x509.CertificateBuilder(name, name, key.public_key(), 1, now - timedelta(days=1))
    signed = made.not_valid_after(now + timedelta(days=1)).sign(key, SHA256())
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    return PrivateCertificate.loadPEM(signed.public_bytes(Encoding.PEM) + pem)


class TakeOverTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock = MemoryReactor()
        self.client = Collector()

    def connect(self, echo: Echo) -> None:
        site = BoundedSite(Taken(echo), self.clock, timeout=60)
        self.clock.connect(site.buildProtocol(None), self.client)

    def connect_by_tls(self, echo: Echo) -> None:
        site = BoundedSite(Taken(echo), self.clock, timeout=60)
        server = TLSMemoryBIOFactory(certificate().options(), False, site, self.clock)
        clients = Factory.forProtocol(lambda: self.client)
        client = TLSMemoryBIOFactory(CertificateOptions(), True, clients, self.clock)
        self.clock.connect(server.buildProtocol(None), client.buildProtocol(None))

    def says(self, words: bytes) -> None:
        self.client.transport.write(words)
        self.clock.flush()

    def test_bytes_go_to_the_new_owner(self) -> None:
        """
        From the request on, the connection is the new owner's, for as long as it likes.
        """
        for connect in (self.connect, self.connect_by_tls):
            self.setUp()
            echo = Echo()
            connect(echo)

            self.says(REQUEST)
            self.clock.pass_time(120)
            self.says(b"hello")

            self.assertEqual(self.client.heard, b"mine now. HELLO")
            self.assertFalse(self.client.lost)

    def test_end_is_told_to_the_new_owner(self) -> None:
        """
        Either side can end it.
        """
        for connect in (self.connect, self.connect_by_tls):
            self.setUp()
            echo = Echo()
            connect(echo)
            self.says(REQUEST)

            self.client.transport.loseConnection()
            self.clock.flush()

            self.assertTrue(echo.lost)

    def test_new_owner_may_pause_at_once(self) -> None:
        """
        An owner who does not want to hear yet does not.
        """
        echo = Echo(paused=True)
        self.connect(echo)
        self.says(REQUEST)

        self.says(b"hello")
        self.assertEqual(self.client.heard, b"mine now. ")
        transport: Any = echo.transport
        transport.resumeProducing()
        self.clock.flush()

        self.assertEqual(self.client.heard, b"mine now. HELLO")
