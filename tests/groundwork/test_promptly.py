"""
Tests for L{groundwork.promptly}.
"""

from __future__ import annotations

from typing import Any

from twisted.internet.testing import StringTransport
from twisted.trial.unittest import SynchronousTestCase

from groundwork.promptly import write_promptly
from tests.memorysocket import Collector, MemoryReactor


class WritePromptlyTests(SynchronousTestCase):
    """
    What is written to a connection arrives whole and in order, and at once if it can.
    """

    def setUp(self) -> None:
        self.reactor = MemoryReactor()
        self.here, self.there = Collector(), Collector()
        self.reactor.connect(self.here, self.there, room=10)
        self.transport: Any = self.here.transport

    def test_leaves_at_once(self) -> None:
        """
        No turn of the reactor is waited for.
        """
        has_left = write_promptly(self.transport, b"0123456789")

        self.assertTrue(has_left)
        self.assertEqual(self.reactor.getWriters(), [])
        self.reactor.flush()
        self.assertEqual(self.there.heard, b"0123456789")

    def test_rest_follows(self) -> None:
        """
        What the kernel does not take waits, and what comes later stays behind it.
        """
        self.assertFalse(write_promptly(self.transport, b"0123456789abc"))
        self.assertFalse(write_promptly(self.transport, b"def"))

        self.reactor.flush()

        self.assertEqual(self.there.heard, b"0123456789abcdef")

    def test_behind_a_usual_write(self) -> None:
        self.transport.write(b"first")
        self.assertFalse(write_promptly(self.transport, b"second"))

        self.reactor.flush()

        self.assertEqual(self.there.heard, b"firstsecond")

    def test_nobody_there(self) -> None:
        """
        A connection that has broken is told of in the reactor's turn, not to the writer.
        """
        self.there.transport.end.close()

        self.assertFalse(write_promptly(self.transport, b"lost"))
        self.assertFalse(self.here.lost)
        self.reactor.flush()
        self.assertTrue(self.here.lost)

    def test_after_the_end(self) -> None:
        self.transport.loseConnection()
        self.reactor.flush()

        self.assertFalse(write_promptly(self.transport, b"late"))

    def test_other_transports(self) -> None:
        """
        What is no plain descriptor, such as TLS, is written to in the usual way.
        """
        transport = StringTransport()

        self.assertFalse(write_promptly(transport, b"usual"))

        self.assertEqual(transport.value(), b"usual")
