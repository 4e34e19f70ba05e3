"""
A WebSocket's listener and its peer, which sends what no library would.
"""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase
from wsproto import ConnectionType
from wsproto.connection import Connection

from ajaxterm.frames import WebSocket
from tests.memorysocket import Collector, MemoryReactor

HEAD = b"(head)"


class Listener:
    """
    Whoever uses a socket; keeps what it hears.
    """

    def __init__(self, greeting: bytes = b"") -> None:
        self._greeting = greeting
        self.heard: list[bytes | str] = []
        self.wanted = 0
        self.losses = 0

    def opened(self, socket: WebSocket) -> None:
        self.socket = socket
        if self._greeting:
            socket.send(self._greeting)

    def received(self, message: bytes | str) -> None:
        self.heard.append(message)

    def writable(self) -> None:
        self.wanted += 1

    def lost(self) -> None:
        self.losses += 1


class FramesFixture(SynchronousTestCase):
    """
    A listener, and a peer that sends what it likes.
    """

    def setUp(self) -> None:
        self.clock = MemoryReactor()
        self.listener = Listener()
        self.framing = Connection(ConnectionType.CLIENT)
        self.peer = Collector()

    def connect(self, room: int = 1 << 16) -> None:
        self.clock.connect(WebSocket(self.clock, self.listener, HEAD), self.peer, room)

    def sends(self, *pieces: bytes) -> None:
        for piece in pieces:
            self.peer.transport.write(piece)
            self.clock.flush()

    def heard(self) -> bytes:
        """
        @return: all that the peer got behind the head.
        """
        self.assertEqual(self.peer.heard[: len(HEAD)], HEAD)
        return self.peer.heard[len(HEAD) :]

    def assert_closed(self, code: int) -> None:
        """
        The peer got a close frame with C{code}, and nothing behind it.
        """
        frame = self.heard()
        self.assertEqual(frame[0], 0x88, frame)
        self.assertEqual(int.from_bytes(frame[2:4], "big"), code)
        self.assertEqual(len(frame), 2 + frame[1])


def masked(opcode: int, payload: bytes, final: bool = True, length: int | None = None) -> bytes:
    """
    @param length: what the header says, if that is not the truth.
    @return: a client's frame, masked with zeroes.
    """
    said = len(payload) if length is None else length
    first = bytes([(0x80 if final else 0) | opcode])
    if said < 126:
        return first + bytes([0x80 | said]) + bytes(4) + payload
    if said < 1 << 16:
        return first + b"\xfe" + said.to_bytes(2, "big") + bytes(4) + payload
    return first + b"\xff" + said.to_bytes(8, "big") + bytes(4) + payload
