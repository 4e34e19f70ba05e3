"""
Tests for L{ajaxterm.handed}: accepting on a unix socket that somebody else bound.
"""

from __future__ import annotations

import errno
import os
import select
import socket
import struct
from tempfile import TemporaryDirectory
from typing import Any

from twisted.internet.protocol import Factory, Protocol
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from ajaxterm.handed import HandedPort
from tests.ajaxterm.fakereactor import FakeReactor


class Counting(Factory):
    """
    @ivar made: the protocols of what was accepted.
    """

    def __init__(self) -> None:
        self.made: list[Protocol] = []

    def buildProtocol(self, addr: object) -> Protocol:
        self.made.append(Protocol())
        return self.made[-1]


class HandedTests(SynchronousTestCase):
    def setUp(self) -> None:
        # Not self.mktemp(), which is too long for a unix socket.
        folder = TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.path = os.path.join(folder.name, "sock")
        self.listening = socket.socket(socket.AF_UNIX)
        self.addCleanup(self.listening.close)
        self.listening.bind(self.path)
        self.listening.listen(64)
        self.listening.setblocking(False)
        self.reactor = FakeReactor()
        self.factory = Counting()
        self.port = HandedPort(self.reactor, self.listening, self.factory)

    def join(self) -> None:
        joining = socket.socket(socket.AF_UNIX)
        self.addCleanup(joining.close)
        joining.connect(self.path)

    def accepted(self) -> int:
        return len(self.factory.made)

    def test_peer_that_has_left(self) -> None:
        """
        Who connects by TCP, asks, and resets the connection at once is known all the same.
        """
        listening = socket.create_server(("127.0.0.1", 0))
        self.addCleanup(listening.close)
        listening.setblocking(False)
        port = HandedPort(self.reactor, listening, self.factory)
        left = socket.create_connection(listening.getsockname())
        name = left.getsockname()
        left.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        while not select.select([listening], [], [], 5.0)[0]:
            pass

        port.doRead()
        left.close()
        transport: Any = self.factory.made[0].transport

        self.assertEqual((transport.getPeer().host, transport.getPeer().port), name)

    def test_peer_that_vanishes(self) -> None:
        """
        Who connects by TCP is asked now and then whether it is still there.
        """
        listening = socket.create_server(("127.0.0.1", 0))
        self.addCleanup(listening.close)
        listening.setblocking(False)
        port = HandedPort(self.reactor, listening, self.factory)
        self.addCleanup(socket.create_connection(listening.getsockname()).close)
        while not select.select([listening], [], [], 5.0)[0]:
            pass

        port.doRead()

        transport: Any = self.factory.made[0].transport
        accepted = transport.getHandle()
        self.assertTrue(accepted.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE))
        names = (socket.TCP_KEEPIDLE, socket.TCP_KEEPINTVL, socket.TCP_KEEPCNT)
        values = tuple(accepted.getsockopt(socket.IPPROTO_TCP, name) for name in names)
        self.assertEqual(values, HandedPort.KEEPALIVE)

    def test_connections_are_accepted(self) -> None:
        """
        Who waits is let in, a few in each turn.
        """
        for _ in range(HandedPort.TURN + 1):
            self.join()

        self.port.doRead()
        self.assertEqual(self.accepted(), HandedPort.TURN)
        self.port.doRead()
        self.port.doRead()

        self.assertEqual(self.accepted(), HandedPort.TURN + 1)

    def test_path_is_left_alone(self) -> None:
        """
        Neither who may open it changes, nor is it removed at the end: it is the agent's.
        """
        os.chmod(self.path, 0o600)

        self.port.stopListening()

        self.assertEqual(os.stat(self.path).st_mode & 0o777, 0o600)

    def test_stopped(self) -> None:
        """
        Stopped is stopped, once, whoever says so.
        """
        self.port.stopListening()
        self.port.connectionLost(Failure(Exception("shutdown")))

        self.assertEqual(self.reactor.getReaders(), [])
        self.assertEqual(self.factory.numPorts, 0)
        self.assertEqual(self.port.fileno(), -1)

    def test_no_descriptor_left(self) -> None:
        """
        When a connection can't be accepted, that is said once a second, not in every turn of
        the reactor.
        """

        class Exhausted:
            family = socket.AF_UNIX

            def accept(self) -> None:
                raise OSError(errno.EMFILE, "Too many open files")

            def fileno(self) -> int:
                return 99

            def close(self) -> None:
                pass

        port = HandedPort(self.reactor, Exhausted(), self.factory)  # type: ignore[arg-type]
        self.assertEqual(port.logPrefix(), "HandedPort")

        port.doRead()

        self.assertNotIn(port, self.reactor.getReaders())
        self.reactor.advance(HandedPort.REST)
        self.assertIn(port, self.reactor.getReaders())
