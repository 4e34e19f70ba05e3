"""
Tests for L{consolebus.txclient}: why a connection ended, in words.
"""

from __future__ import annotations

from OpenSSL import SSL
from twisted.internet.error import ConnectionDone
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from consolebus.txclient import Client


class Wire(StringTransport):
    def setTcpNoDelay(self, enabled: bool) -> None:
        pass


class ReasonTests(SynchronousTestCase):
    def reason(self, failure: Exception) -> str:
        client = Client(b"guest", b"canary", b"/", Clock())
        client.makeConnection(Wire())

        client.connectionLost(Failure(failure))

        return client.reason

    def test_tls(self) -> None:
        """
        A certificate that nobody trusts is named; once it said "Error".
        """
        wrong = SSL.Error([("SSL routines", "", "certificate verify failed")])

        self.assertEqual(self.reason(wrong), "TLS: certificate verify failed")
        self.assertEqual(self.reason(SSL.Error()), "Error")

    def test_others(self) -> None:
        """
        Of what may repeat a message only the kind is told.
        """
        self.assertEqual(self.reason(ConnectionDone()), "Connection was closed cleanly.")
        self.assertEqual(self.reason(ValueError("canary")), "ValueError")
