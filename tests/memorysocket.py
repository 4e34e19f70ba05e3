"""
TCP in memory: Twisted's own connections, with only the socket false.

C{twisted.test.iosim} pretends to be a transport, and pretends little: nothing is ever
paused there, and nothing waits.  Here the transport is the one of C{twisted.internet.tcp},
with its buffers, its producers and its ways to end; below it, two L{MemorySocket}s stand
for the kernel's, with a kernel's finite room.
"""

from __future__ import annotations

import socket
from errno import ECONNRESET, EPIPE, EWOULDBLOCK
from typing import Any

from twisted.internet.address import IPv4Address
from twisted.internet.interfaces import IReactorFDSet
from twisted.internet.main import CONNECTION_DONE
from twisted.internet.protocol import Protocol
from twisted.internet.task import Clock
from twisted.internet.tcp import Connection
from twisted.python.failure import Failure
from zope.interface import implementer


class MemorySocket:
    """
    One end of a connection.

    @ivar room: bytes that may wait here to be received.
    @ivar peer: the other end.
    """

    peer: MemorySocket

    def __init__(self, room: int) -> None:
        self.room = room
        self._waiting = bytearray()
        self._ended = False
        self._reset = False
        self._closed = False
        self._orderly = True

    @classmethod
    def pair(cls, room: int) -> tuple[MemorySocket, MemorySocket]:
        one, other = cls(room), cls(room)
        one.peer, other.peer = other, one
        return one, other

    @property
    def readable(self) -> bool:
        return bool(self._waiting) or self._ended or self._reset

    @property
    def writable(self) -> bool:
        return self.peer._closed or len(self.peer._waiting) < self.peer.room

    # What Twisted asks of a socket.

    def fileno(self) -> int:
        return -1 if self._closed else 1

    def setblocking(self, blocking: bool) -> None:
        assert not blocking

    def setsockopt(self, level: int, option: int, value: object) -> None:
        if option == socket.SO_LINGER:
            self._orderly = False

    def recv(self, most: int) -> bytes:
        if self._reset:
            raise ConnectionResetError(ECONNRESET, "the peer has cut the connection")
        if not self._waiting and not self._ended:
            raise BlockingIOError(EWOULDBLOCK, "nothing is here")
        received = bytes(self._waiting[:most])
        del self._waiting[:most]
        return received

    def send(self, sent: memoryview) -> int:
        if self.peer._closed:
            raise BrokenPipeError(EPIPE, "nobody is there")
        length = min(len(sent), self.peer.room - len(self.peer._waiting))
        if length <= 0:
            raise BlockingIOError(EWOULDBLOCK, "there is no room")
        self.peer._waiting += sent[:length]
        return length

    def shutdown(self, how: int) -> None:
        self.peer._ended = True

    def close(self) -> None:
        self._closed = True
        if self._orderly:
            self.peer._ended = True
        else:
            self.peer._reset = True


class MemoryConnection(Connection):
    """
    Twisted's TCP connection on a L{MemorySocket}.
    """

    def __init__(self, end: MemorySocket, protocol: Any, reactor: MemoryReactor) -> None:
        super().__init__(end, protocol, reactor)  # type: ignore[arg-type]
        self.end = end
        self.connected = 1
        self.startReading()

    @property
    def queued(self) -> int:
        """Bytes which were written and have not left."""
        return len(self.dataBuffer) - self.offset + self._tempDataLen

    def getPeer(self) -> IPv4Address:
        return IPv4Address("TCP", "192.0.2.1", 50000)

    def getHost(self) -> IPv4Address:
        return IPv4Address("TCP", "192.0.2.2", 80)


@implementer(IReactorFDSet)
class MemoryReactor(Clock):
    """
    Moves bytes when told, and lets time pass when told.  An exception out of a protocol
    reaches the test.
    """

    def __init__(self) -> None:
        super().__init__()
        self._readers: dict[MemoryConnection, None] = {}
        self._writers: dict[MemoryConnection, None] = {}

    def connect(self, server: Any, client: Any, room: int = 1 << 16) -> None:
        """
        Join two protocols.

        @param room: bytes that wait on either side, beside what the transports keep.
        """
        here, there = MemorySocket.pair(room)
        server.makeConnection(MemoryConnection(here, server, self))
        client.makeConnection(MemoryConnection(there, client, self))
        self.flush()

    def flush(self) -> None:
        """
        Move bytes, and call what is due, until nothing moves any more.
        """
        for _ in range(100_000):
            if not self._turn():
                return
        raise AssertionError("this never comes to rest")

    def pass_time(self, seconds: float, step: float = 1.0) -> None:
        """
        Let time pass, and bytes move meanwhile.
        """
        left = seconds
        while left > 0:
            self.advance(min(step, left))
            left -= step
            self.flush()

    def _turn(self) -> bool:
        moved = any(call.getTime() <= self.seconds() for call in self.getDelayedCalls())
        self.advance(0)
        for connection in list(self._writers):
            if connection in self._writers and connection.end.writable:
                moved = True
                self._ended(connection, connection.doWrite())
        for connection in list(self._readers):
            if connection in self._readers and connection.end.readable:
                moved = True
                self._ended(connection, connection.doRead())
        return moved

    def _ended(self, connection: MemoryConnection, why: Any) -> None:
        if why is None:
            return
        self.removeReader(connection)
        self.removeWriter(connection)
        if why is CONNECTION_DONE:
            connection.readConnectionLost(Failure(why))
        else:
            connection.connectionLost(Failure(why))

    # What a connection asks of a reactor.

    def addReader(self, reader: Any) -> None:
        self._readers[reader] = None

    def addWriter(self, writer: Any) -> None:
        self._writers[writer] = None

    def removeReader(self, reader: Any) -> None:
        self._readers.pop(reader, None)

    def removeWriter(self, writer: Any) -> None:
        self._writers.pop(writer, None)

    def removeAll(self) -> list[Any]:
        raise NotImplementedError()

    def getReaders(self) -> list[Any]:
        return list(self._readers)

    def getWriters(self) -> list[Any]:
        return list(self._writers)


class Collector(Protocol):
    """
    A peer that keeps what it hears.
    """

    transport: Any

    def __init__(self, reads: bool = True) -> None:
        """
        @param reads: whether it reads from the beginning.
        """
        self._reads = reads
        self.heard = b""
        self.lost = False

    def connectionMade(self) -> None:
        if not self._reads:
            self.transport.pauseProducing()

    def dataReceived(self, data: bytes) -> None:
        self.heard += data

    def connectionLost(self, reason: Failure = Failure(CONNECTION_DONE)) -> None:  # noqa: B008
        self.lost = True
