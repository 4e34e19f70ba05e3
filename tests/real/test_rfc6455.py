"""
What RFC 6455 says of frames, tried through the proxy on an ajaxterm whose guest says what it
hears; and WebSocket clients of other people.

Each row of the tables below is a connection of its own.  Compared are the bytes that come back,
the bytes that the guest has heard, and the close code.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
import struct
import subprocess
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from unittest import skipUnless

from tests.real.processes import PATIENCE
from tests.real.proxied import ProxiedFixture

MiB = 1 << 20
TEXT, BINARY, CLOSE, PING, PONG = 1, 2, 8, 9, 10
MASK = b"\x11\x22\x33\x44"
NODE = Path(__file__).parent / "node"

HANDSHAKE = (
    "GET {target} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nUpgrade: websocket\r\n"
    "Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
)


def frame(
    opcode: int, payload: bytes = b"", fin: bool = True, rsv: int = 0, mask: bytes = MASK
) -> bytes:
    """
    @param rsv: the three reserved bits.
    @param mask: empty for a frame that is not masked.
    """
    length = len(payload)
    masked = 0x80 if mask else 0
    first = (0x80 if fin else 0) | rsv << 4 | opcode
    if length < 126:
        head = bytes((first, masked | length))
    elif length < 65536:
        head = struct.pack("!BBH", first, masked | 126, length)
    else:
        head = struct.pack("!BBQ", first, masked | 127, length)
    if mask:
        pad = (mask * (length // 4 + 1))[:length]
        payload = (int.from_bytes(payload, "big") ^ int.from_bytes(pad, "big")).to_bytes(
            length, "big"
        )
    return head + mask + payload


def text(words: str) -> bytes:
    return frame(TEXT, words.encode())


def close(code: int, reason: bytes = b"") -> bytes:
    return frame(CLOSE, struct.pack("!H", code) + reason)


def some(length: int) -> bytes:
    return bytes(range(256)) * (length // 256) + bytes(length % 256)


@dataclass
class Row:
    """
    @ivar sent: what the client says after the handshake.
    @ivar typed: what of that the guest hears, and says again.
    @ivar pongs: the payloads of the pongs that come.
    @ivar at_a_time: bytes that are sent together.
    """

    sent: bytes
    typed: bytes = b""
    pongs: Sequence[bytes] = ()
    at_a_time: int = 1 << 30


GOOD = {
    "binary": Row(frame(BINARY, b"\x00\xff\r\n"), b"\x00\xff\r\n"),
    "text": Row(text("größe 𝄞"), "größe 𝄞".encode()),
    "nothing": Row(frame(BINARY) + frame(TEXT) + text("x"), b"x"),
    "125 bytes": Row(frame(BINARY, some(125)), some(125)),
    "126 bytes": Row(frame(BINARY, some(126)), some(126)),
    "127 bytes": Row(frame(BINARY, some(127)), some(127)),
    "65535 bytes": Row(frame(BINARY, some(65535)), some(65535)),
    "65536 bytes": Row(frame(BINARY, some(65536)), some(65536)),
    "the longest": Row(frame(BINARY, some(MiB)), some(MiB)),
    "the longest, in fragments": Row(
        frame(BINARY, some(MiB - 1), fin=False) + frame(0, b"x"), some(MiB - 1) + b"x"
    ),
    "mask of zeros": Row(frame(BINARY, b"plain", mask=bytes(4)), b"plain"),
    "two at once": Row(text("one") + frame(BINARY, b"two"), b"onetwo"),
    "byte by byte": Row(text("one") + frame(BINARY, some(300)), b"one" + some(300), (), 1),
    "three fragments": Row(
        frame(TEXT, b"a", fin=False) + frame(0, b"b", fin=False) + frame(0, b"c"), b"abc"
    ),
    "empty fragments": Row(
        frame(BINARY, fin=False) + frame(0, b"b", fin=False) + frame(0, fin=True), b"b"
    ),
    "a character over fragments": Row(
        frame(TEXT, b"\xf0\x9d", fin=False) + frame(0, b"\x84\x9e"), "𝄞".encode()
    ),
    "ping": Row(frame(PING, b"here?") + text("x"), b"x", (b"here?",)),
    "empty ping": Row(frame(PING) + text("x"), b"x", (b"",)),
    "ping of 125 bytes": Row(frame(PING, some(125)) + text("x"), b"x", (some(125),)),
    "two pings": Row(frame(PING, b"1") + frame(PING, b"2") + text("x"), b"x", (b"1", b"2")),
    "pong that nobody asked for": Row(frame(PONG, b"so") + text("x"), b"x"),
    "ping between fragments": Row(
        frame(TEXT, b"a", fin=False) + frame(PING, b"now") + frame(0, b"b"), b"ab", (b"now",)
    ),
    "pong in a character": Row(
        frame(TEXT, b"\xc3", fin=False) + frame(PONG, b"z") + frame(0, b"\xb6"), "ö".encode()
    ),
}
"""After these the connection is open, and closes with the code that the client says."""


@dataclass
class BadRow:
    """
    @ivar sent: follows a good message, C{"before"}, which is typed.
    @ivar code: that the server closes with; C{None} for a close without one.
    """

    sent: bytes
    code: int | None
    typed: bytes = field(default=b"")


UNFINISHED = frame(TEXT, b"a", fin=False)
BAD_TEXTS = {
    "no UTF-8": b"\xff",
    "a character cut": "ö".encode()[:1],
    "a surrogate": b"\xed\xa0\x80",
    "an overlong slash": b"\xc0\xaf",
    "beyond Unicode": b"\xf4\x90\x80\x80",
}
BAD = {
    "reserved bit 1": BadRow(frame(TEXT, b"x", rsv=4), 1002),
    "reserved bit 2": BadRow(frame(TEXT, b"x", rsv=2), 1002),
    "reserved bit 3": BadRow(frame(BINARY, b"x", rsv=1), 1002),
    "reserved bit in a ping": BadRow(frame(PING, b"x", rsv=4), 1002),
    **{f"opcode {n}": BadRow(frame(n, b"x"), 1002) for n in (3, 4, 5, 6, 7, 11, 12, 13, 14, 15)},
    "not masked": BadRow(frame(TEXT, b"x", mask=b""), 1002),
    "ping not masked": BadRow(frame(PING, b"x", mask=b""), 1002),
    "ping of 126 bytes": BadRow(frame(PING, some(126)), 1002),
    "close of 126 bytes": BadRow(close(1000, b"x" * 124), 1002),
    "ping in fragments": BadRow(frame(PING, b"x", fin=False), 1002),
    "close in fragments": BadRow(frame(CLOSE, fin=False), 1002),
    "goes on with nothing": BadRow(frame(0, b"x"), 1002),
    "goes on after the end": BadRow(text("y") + frame(0, b"x"), 1002, b"y"),
    "text within a message": BadRow(UNFINISHED + text("x"), 1002),
    "binary within a message": BadRow(UNFINISHED + frame(BINARY, b"x"), 1002),
    "length in more bytes than needed": BadRow(b"\x82\xfe\x00\x05" + MASK + b"xxxxx", 1002),
    "length in far more": BadRow(b"\x82\xff" + struct.pack("!Q", 5) + MASK + b"xxxxx", 1002),
    "length of 64 bits": BadRow(b"\x82\xff" + b"\xff" * 8 + MASK, 1002),
    "a byte too long": BadRow(frame(BINARY, some(MiB + 1)), 1009),
    "a byte too long, in fragments": BadRow(
        frame(BINARY, some(MiB), fin=False) + frame(0, b"x"), 1009
    ),
    "says that it is of a TiB": BadRow(
        b"\x82\xff" + struct.pack("!Q", 1 << 40) + MASK + some(MiB + MiB // 2), 1009
    ),
    "fragments for ever": BadRow(
        frame(BINARY, fin=False) + frame(0, some(65536), fin=False) * 17, 1009
    ),
    **{name: BadRow(frame(TEXT, b"x" + bad), 1007) for name, bad in BAD_TEXTS.items()},
    "no UTF-8 in a later fragment": BadRow(UNFINISHED + frame(0, b"\xff"), 1007),
    "no UTF-8 in the reason": BadRow(close(1000, b"\xff"), 1007),
    "close": BadRow(close(1000), 1000),
    "close with a reason": BadRow(close(1000, "schön".encode()), 1000),
    "close, going away": BadRow(close(1001), 1001),
    "close without a code": BadRow(frame(CLOSE), None),
    "close with a library's code": BadRow(close(3000), 3000),
    "close with a private code": BadRow(close(4999), 4999),
    "close with half a code": BadRow(frame(CLOSE, b"\x03"), 1002),
    **{
        f"close with code {code}": BadRow(close(code), 1002)
        for code in (0, 999, 1004, 1005, 1006, 1015, 1016, 1100, 2000, 2999, 5000, 65535)
    },
    "typed after the close": BadRow(close(1000) + text("late"), 1000),
}
"""After these the server closes."""


class Client:
    """
    A socket that says what no library would.

    @ivar output: what came in binary messages.
    @ivar code: of the close that came; C{-1} while none has.
    """

    def __init__(self, port: int, target: str) -> None:
        self._socket = socket.create_connection(("127.0.0.1", port), timeout=PATIENCE)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._socket.sendall(HANDSHAKE.format(port=port, target=target).encode())
        self._heard = b""
        while b"\r\n\r\n" not in self._heard:
            self._more()
        head, _, self._heard = self._heard.partition(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 101 "), head
        self.output = b""
        self.pongs: list[bytes] = []
        self.code: int | None = -1
        self.is_over = False

    def say(self, words: bytes, at_a_time: int = 1 << 30) -> None:
        try:
            for at in range(0, len(words), at_a_time):
                self._socket.sendall(words[at : at + at_a_time])
        except ConnectionError:
            pass  # it has seen enough

    def until_output(self, length: int) -> None:
        while len(self.output) < length and not self.is_over:
            self._take()

    def until_over(self) -> None:
        while not self.is_over:
            self._take()
        self._socket.close()

    def _take(self) -> None:
        opcode, payload = self._frame()
        if opcode == BINARY:
            self.output += payload
        elif opcode == PONG:
            self.pongs.append(payload)
        elif opcode == CLOSE:
            self.code = int.from_bytes(payload[:2], "big") if payload else None
            payload[2:].decode()
        else:
            assert self.is_over, opcode

    def _frame(self) -> tuple[int, bytes]:
        self._want(2)
        if self.is_over:
            return -1, b""
        head, length = 2, self._heard[1]  # a server's are not masked, so that is all of the byte
        if length > 125:
            head += 2 if length == 126 else 8
            self._want(head)
            length = int.from_bytes(self._heard[2:head], "big")
        self._want(head + length)
        first, payload = self._heard[0], self._heard[head : head + length]
        self._heard = self._heard[head + length :]
        assert self.is_over or first & 0xF0 == 0x80, first
        return first & 15, payload

    def _want(self, length: int) -> None:
        while len(self._heard) < length and not self.is_over:
            self._more()

    def _more(self) -> None:
        try:
            more = self._socket.recv(1 << 18)
        except ConnectionResetError:
            more = b""
        self._heard += more
        self.is_over = not more


class FrameTests(ProxiedFixture):
    def test_good(self) -> None:
        """
        Whatever the standard allows arrives whole and in order, and is answered as it says.
        """
        for name, row in GOOD.items():
            before = len(self.cat.heard)
            client = Client(self.proxy, self.target)

            client.say(row.sent, row.at_a_time)
            client.until_output(len(row.typed))
            client.say(close(1000))
            client.until_over()

            self.assertEqual(client.output, row.typed, name)
            self.assertEqual(self.cat.heard[before:], row.typed, name)
            self.assertEqual(client.pongs, list(row.pongs), name)
            self.assertEqual(client.code, 1000, name)

    def test_bad(self) -> None:
        """
        Whatever it forbids ends the connection with the code that it names; what was sent
        before is typed, and nothing after.
        """
        for name, row in BAD.items():
            before = len(self.cat.heard)
            client = Client(self.proxy, self.target)

            client.say(text("before"))
            client.until_output(6)
            client.say(row.sent)
            client.until_over()

            self.assertEqual(client.code, row.code, name)
            deadline = time.monotonic() + PATIENCE
            typed = b"before" + row.typed
            while len(self.cat.heard) - before < len(typed) and time.monotonic() < deadline:
                time.sleep(0.01)
            self.assertEqual(self.cat.heard[before:], typed, name)


class ClientTests(ProxiedFixture):
    """
    Clients as they come from PyPI and npm attach by the URL with the token.
    """

    @property
    def url(self) -> str:
        return f"ws://127.0.0.1:{self.proxy}{self.target}"

    def node(self, *argv: str) -> subprocess.Popen[bytes]:
        process = subprocess.Popen(
            ["node", *argv],
            cwd=NODE,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env={"PATH": os.environ["PATH"]},
        )
        self.addCleanup(process.communicate)
        self.addCleanup(process.kill)
        return process

    def test_websockify(self) -> None:
        """
        websockify's own client, whose server is beneath nova-serialproxy.
        """
        from websockify.websocket import (  # type: ignore[import-untyped]
            WebSocket,
            WebSocketWantReadError,
        )

        class Client(WebSocket):  # type: ignore[misc]
            def send_request(client, type: str, path: str) -> None:
                # It drops what follows the path.
                super().send_request(type, self.target)

        client = Client()
        client.connect(self.url, protocols=["binary"])
        typed, seen = some(100_000), b""

        client.sendmsg(typed)
        while len(seen) < len(typed):
            with contextlib.suppress(WebSocketWantReadError):  # so far it has part of a frame
                seen += client.recvmsg()
        client.close(1000, "enough")

        self.assertEqual(seen, typed)
        self.assertEqual(self.cat.heard, typed)

    @skipUnless(shutil.which("node") and (NODE / "node_modules").exists(), "make install")
    def test_novnc(self) -> None:
        """
        noVNC's Websock, which sends and takes bytes in a queue of its own.
        """
        typed = some(20_000)

        seen, said = self.node("novnc.js", self.url).communicate(typed, PATIENCE)

        self.assertEqual(seen, typed, said)
        self.assertEqual(self.cat.heard, typed)
        self.assertEqual(said, b"closed 1005\n")  # it says none

    @skipUnless(shutil.which("node") and (NODE / "node_modules").exists(), "make install")
    def test_wscat(self) -> None:
        """
        wscat types in text frames, and shows what the guest says.
        """
        wscat = "node_modules/wscat/bin/wscat"

        process = self.node(wscat, "-c", self.url, "-x", "größe", "-w", "1", "--no-color")
        process.wait(PATIENCE)  # its standard input stays open: at its end it leaves
        seen, said = process.communicate()

        self.assertEqual(self.cat.heard, "größe".encode(), said)
        self.assertIn("größe".encode(), seen)
