"""
Tests for L{ajaxterm.frames}: messages, their limits, and what breaks the protocol.
"""

from __future__ import annotations

import tracemalloc

from wsproto.events import BytesMessage, TextMessage

from ajaxterm.frames import WebSocket
from tests.ajaxterm.peers import FramesFixture, Listener, masked


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
