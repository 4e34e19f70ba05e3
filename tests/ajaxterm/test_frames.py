"""
Tests for L{ajaxterm.frames}: messages, limits, pings and goodbyes, over TCP in memory.
"""

from __future__ import annotations

import tracemalloc

from twisted.trial.unittest import SynchronousTestCase
from wsproto import ConnectionType
from wsproto.connection import Connection
from wsproto.events import BytesMessage, TextMessage

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


class MessageTests(FramesFixture):
    def test_whole_messages_pass(self) -> None:
        """
        Text and binary messages come as they were sent.
        """
        self.connect()

        self.sends(
            self.framing.send(TextMessage(data="grüße")),
            self.framing.send(BytesMessage(data=b"\x00\xff")),
            self.framing.send(BytesMessage(data=b"")),
        )

        self.assertEqual(self.listener.heard, ["grüße", b"\x00\xff", b""])

    def test_fragments_are_joined(self) -> None:
        """
        A message in many frames, a ping among them and a character cut in two, is one
        message.
        """
        self.connect()

        self.sends(
            masked(1, b"gr\xc3", final=False),
            masked(9, b"still there?"),
            masked(0, b"\xbc", final=False),
            masked(0, b"\xc3\x9fe"),
        )

        self.assertEqual(self.listener.heard, ["grüße"])
        self.assertEqual(self.heard(), b"\x8a\x0cstill there?")

    def test_frames_byte_by_byte(self) -> None:
        """
        It does not matter how the network cuts what is sent.
        """
        self.connect()

        for byte in masked(2, b"x" * 200) + masked(1, b"y"):
            self.sends(bytes([byte]))

        self.assertEqual(self.listener.heard, [b"x" * 200, "y"])

    def test_longest_message_passes(self) -> None:
        """
        1 MiB is not too long.
        """
        self.connect()

        self.sends(masked(2, b"x" * WebSocket.LONGEST))

        self.assertEqual(self.listener.heard, [b"x" * WebSocket.LONGEST])

    def test_longer_message_is_refused(self) -> None:
        """
        One byte more is answered with 1009, in one frame or in many.
        """
        for pieces in (
            [masked(2, b"x" * (WebSocket.LONGEST + 1))],
            [masked(2, b"x" * WebSocket.LONGEST, final=False), masked(0, b"x")],
        ):
            self.setUp()
            self.connect()

            self.sends(*pieces)

            self.assertEqual(self.listener.heard, [])
            self.assert_closed(1009)
            self.assertTrue(self.peer.lost)

    def test_text_is_measured_in_bytes(self) -> None:
        """
        300,000 characters of four bytes are longer than 1 MiB.
        """
        self.connect()

        self.sends(masked(1, "\N{GRINNING FACE}".encode() * 300_000))

        self.assertFalse(self.listener.heard)
        self.assert_closed(1009)

    def test_huge_frame_is_refused_before_it_is_there(self) -> None:
        """
        A frame that says it is 1 GiB long is refused when 1 MiB of it has come.
        """
        self.connect()

        self.sends(masked(2, b"x" * (WebSocket.LONGEST + 1), length=1 << 30))

        self.assert_closed(1009)

    def test_empty_fragments_cost_nothing(self) -> None:
        """
        A message of endless empty pieces does not fill the memory.
        """
        self.connect()
        tracemalloc.start()
        self.addCleanup(tracemalloc.stop)
        self.sends(masked(2, b"", final=False))
        before, _ = tracemalloc.get_traced_memory()

        self.sends(masked(0, b"", final=False) * 20_000)

        after, _ = tracemalloc.get_traced_memory()
        self.assertLess(after - before, 20_000)


class ProtocolErrorTests(FramesFixture):
    def test_broken_frames_are_answered(self) -> None:
        """
        A client that breaks the protocol is told so by the close code (RFC 6455, 7.4.1).
        """
        for why, frame, code in [
            ("not masked", b"\x81\x01x", 1002),
            ("a reserved bit", b"\xc1" + masked(1, b"x")[1:], 1002),
            ("a reserved opcode", masked(3, b"x"), 1002),
            ("a continuation of nothing", masked(0, b"x"), 1002),
            ("a message within a message", masked(1, b"x", final=False) + masked(2, b"y"), 1002),
            ("a fragmented ping", masked(9, b"x", final=False), 1002),
            ("a long ping", masked(9, b"x" * 126), 1002),
            ("a close code that nobody may send", masked(8, b"\x03\xed"), 1002),
            ("text that is not UTF-8", masked(1, b"\xff"), 1007),
            ("text that ends inside a character", masked(1, b"\xc3"), 1007),
        ]:
            self.setUp()
            self.connect()

            self.sends(frame)

            self.assert_closed(code)
            self.assertTrue(self.peer.lost, why)
            self.assertEqual(self.listener.losses, 1, why)

    def test_nothing_counts_after_an_error(self) -> None:
        """
        What comes behind a broken frame is not typed.
        """
        self.connect()

        self.sends(masked(1, b"\xff") + masked(2, b"rm -rf /\r"))

        self.assertEqual(self.listener.heard, [])


class GoodbyeTests(FramesFixture):
    def test_we_close(self) -> None:
        """
        A goodbye bears code and reason; the connection ends when the peer agrees.
        """
        self.connect()

        self.listener.socket.close(4003, "revoked")
        self.clock.flush()
        self.assertFalse(self.peer.lost)
        self.sends(masked(8, b"\x0f\xa3"))

        self.assertEqual(self.heard(), b"\x88\x09\x0f\xa3revoked")
        self.assertTrue(self.peer.lost)
        self.assertEqual(self.listener.losses, 1)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_peer_that_does_not_agree_is_cut(self) -> None:
        """
        Nobody can hold a connection open by not answering a goodbye.
        """
        self.connect()

        self.listener.socket.close(1000)
        self.clock.pass_time(WebSocket.GOODBYE)

        self.assertTrue(self.peer.lost)

    def test_long_reason_is_cut_between_characters(self) -> None:
        """
        A reason has 123 bytes (RFC 6455, 5.5).
        """
        self.connect()

        self.listener.socket.close(1000, "ü" * 100)
        self.clock.flush()

        self.assert_closed(1000)

    def test_nothing_is_sent_or_heard_after_our_close(self) -> None:
        """
        After the goodbye, neither side can slip anything in.
        """
        self.connect()

        self.listener.socket.close(1000)
        self.listener.socket.close(1001)
        self.listener.socket.send(b"more")
        self.listener.socket.hold_input(True)
        self.sends(masked(2, b"typed late"), masked(9, b"ping"))

        self.assert_closed(1000)
        self.assertEqual(self.listener.heard, [])

    def test_peer_closes(self) -> None:
        """
        A closed tab's goodbye is answered in kind.
        """
        self.connect()

        self.sends(masked(8, b"\x03\xe9"))

        self.assert_closed(1001)
        self.assertTrue(self.peer.lost)
        self.assertEqual(self.listener.losses, 1)

    def test_peer_that_closes_and_never_reads_is_cut(self) -> None:
        """
        A goodbye in front of a full queue does not leave the connection open for ever.
        """
        self.connect(room=100)
        self.peer.transport.pauseProducing()
        self.listener.socket.send(b"x" * 10_000)

        self.sends(masked(8, b"\x03\xe8"))
        self.clock.pass_time(WebSocket.GOODBYE)

        self.assertEqual(self.clock.getWriters(), [])
        self.assertEqual(self.listener.losses, 1)

    def test_peer_vanishes(self) -> None:
        """
        A connection that is cut is a viewer gone, and leaves no timer.
        """
        self.connect()

        self.peer.transport.abortConnection()
        self.clock.flush()

        self.assertEqual(self.listener.losses, 1)
        self.assertEqual(self.clock.getDelayedCalls(), [])


class PingTests(FramesFixture):
    PING = b"\x89\x00"

    def test_silent_peer_is_pinged(self) -> None:
        """
        Every 15 s there is a ping.
        """
        self.connect()

        self.clock.pass_time(WebSocket.PING_EVERY)

        self.assertEqual(self.heard(), self.PING)

    def test_peer_that_answers_stays(self) -> None:
        """
        Answered pings keep a silent viewer for as long as it likes.
        """
        self.connect()

        for _ in range(20):
            self.clock.pass_time(WebSocket.PING_EVERY)
            self.sends(masked(10, b""))

        self.assertFalse(self.peer.lost)

    def test_peer_that_does_not_answer_is_gone(self) -> None:
        """
        Two pings unanswered: gone.
        """
        self.connect()

        self.clock.pass_time(3 * WebSocket.PING_EVERY)

        self.assertEqual(self.heard(), 2 * self.PING)
        self.assertTrue(self.peer.lost)
        self.assertEqual(self.listener.losses, 1)

    def test_peer_with_a_full_queue_is_not_pinged(self) -> None:
        """
        A slow viewer's pings would wait behind its output; that alone never cuts it.
        """
        self.connect(room=100)
        self.peer.transport.pauseProducing()
        self.listener.socket.send(b"x" * 10_000)

        self.clock.pass_time(10 * WebSocket.PING_EVERY)

        self.assertFalse(self.peer.lost)
        self.assertEqual(self.listener.losses, 0)

    def test_held_peer_is_not_taken_for_dead(self) -> None:
        """
        While the guest takes no input we do not read the viewer's answers either; it is
        still there afterwards, and so is what it typed.
        """
        self.connect()
        self.listener.socket.hold_input(True)
        self.sends(masked(2, b"typed"))

        for _ in range(10):
            self.clock.pass_time(WebSocket.PING_EVERY)
            self.sends(masked(10, b""))
        self.assertEqual(self.listener.heard, [])
        self.listener.socket.hold_input(False)
        self.clock.flush()

        self.assertEqual(self.listener.losses, 0)
        self.assertEqual(self.listener.heard, [b"typed"])

    def test_held_peer_that_vanishes_is_noticed(self) -> None:
        """
        A tab that is closed while its input is held is gone at the next pings.
        """
        self.connect()
        self.listener.socket.hold_input(True)

        self.peer.transport.abortConnection()
        self.clock.pass_time(2 * WebSocket.PING_EVERY)

        self.assertEqual(self.listener.losses, 1)


class PullTests(FramesFixture):
    def test_listener_is_asked_when_everything_has_left(self) -> None:
        """
        More output is asked for when the last has left, not before.
        """
        self.connect(room=1000)
        self.peer.transport.pauseProducing()
        self.listener.socket.send(b"x" * 5000)
        self.clock.flush()
        before = self.listener.wanted

        self.clock.flush()
        self.assertEqual(self.listener.wanted, before)
        self.peer.transport.resumeProducing()
        self.clock.flush()

        self.assertEqual(self.listener.wanted, before + 1)

    def test_head_comes_first(self) -> None:
        """
        What is sent at once comes behind the answer to the handshake.
        """
        self.listener = Listener(b"hello")

        self.connect()

        self.assertEqual(self.heard(), b"\x82\x05hello")
