"""
Tests for L{ajaxterm.quickframes}: that it tells what the library would.
"""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase
from wsproto.connection import Connection, ConnectionType
from wsproto.events import BytesMessage, TextMessage
from wsproto.frame_protocol import FrameProtocol, Opcode

from ajaxterm.quickframes import BINARY, PING, PONG, SHORT, TEXT, Boundary, frame, whole

LENGTHS = (0, 1, 125, 126, 127, 1000, SHORT, SHORT + 1, 65535, 65536)


def of_client(kind: Opcode, payload: bytes, fin: bool = True) -> bytes:
    framing = FrameProtocol(client=True, extensions=[])
    return bytes(framing._serialize_frame(kind, payload, fin=fin))


class FrameTests(SynchronousTestCase):
    def test_server_frames(self) -> None:
        """
        What we frame is read by the library, at every form of the length.
        """
        for length in LENGTHS:
            client = Connection(ConnectionType.CLIENT)
            client.receive_data(frame(BINARY, b"x" * length) + frame(TEXT, b"y" * length))
            data: list[bytes | str] = [b"", ""]
            for event in client.events():
                assert isinstance(event, (BytesMessage, TextMessage))
                data[isinstance(event, TextMessage)] += event.data  # type: ignore[operator]
            self.assertEqual(data, [b"x" * length, "y" * length])

    def test_ping(self) -> None:
        """
        A control frame is two bytes.
        """
        self.assertEqual(frame(PING, b""), b"\x89\x00")

    def test_whole(self) -> None:
        """
        Whole short messages are unmasked here.
        """
        for length in (length for length in LENGTHS if length <= SHORT):
            payload = bytes(n % 251 for n in range(length))
            self.assertEqual(whole(of_client(Opcode.BINARY, payload)), (BINARY, payload))
            self.assertEqual(whole(of_client(Opcode.TEXT, payload)), (TEXT, payload))
        self.assertEqual(whole(of_client(Opcode.PONG, b"so")), (PONG, b"so"))

    def test_left_to_the_library(self) -> None:
        """
        All else is none of ours: longer, in parts, more than one, not all of one, control
        frames, reserved bits, no mask, a length that could be said shorter.
        """
        key = of_client(Opcode.BINARY, b"k")
        for data in (
            of_client(Opcode.BINARY, b"x" * (SHORT + 1)),
            of_client(Opcode.BINARY, b"x" * 65536),
            of_client(Opcode.BINARY, b"k", fin=False),
            of_client(Opcode.CONTINUATION, b"k"),
            of_client(Opcode.PING, b"k"),
            of_client(Opcode.CLOSE, b"\x03\xe8"),
            key + key,
            key[:-1],
            key[:3],
            b"",
            bytes([key[0] | 0x40]) + key[1:],
            frame(BINARY, b"12345678"),
            b"\x82\xfe\x00\x01" + key[2:],
            b"\x82\xff" + (1).to_bytes(8, "big") + key[2:],
            b"\x8a\xfe\x00\x7e" + bytes(4 + 126),
        ):
            self.assertIsNone(whole(data), data[:20])


class BoundaryTests(SynchronousTestCase):
    @given(
        st.lists(
            st.tuples(
                st.sampled_from(["text", "parts", "ping", "long"]),
                st.integers(0, 300),
                st.booleans(),
            ),
            max_size=8,
        ),
        st.randoms(use_true_random=False),
    )
    def test_between(self, messages: list[tuple[str, int, bool]], random: object) -> None:
        """
        However the bytes are cut, it is between messages exactly where one has ended.
        """
        data, ends = b"", {0}
        for kind, length, with_ping in messages:
            payload = b"p" * length
            if kind == "parts":
                data += of_client(Opcode.TEXT, payload, fin=False)
                if with_ping:
                    data += of_client(Opcode.PING, b"?")
                data += of_client(Opcode.CONTINUATION, payload)
            elif kind == "ping":
                data += of_client(Opcode.PING, payload[:125])
            else:
                data += of_client(Opcode.TEXT, payload * (300 if kind == "long" else 1))
            ends.add(len(data))
        boundary, at = Boundary(), 0
        while at < len(data):
            step = random.randint(1, 400)  # type: ignore[attr-defined]
            boundary.follow(data[at : at + step])
            at = min(at + step, len(data))
            self.assertEqual(boundary.between, at in ends, (at, ends))
