"""
What the benchmarks type with: blocking clients that cost as little as can be.

Each has C{send(keys)}; C{recv()}, which waits and gives what came: C{bytes} of the terminal's
output, and C{str} for a message in text; and C{close()}.
"""

from __future__ import annotations

import base64
import hashlib
import socket
import struct
from collections.abc import Mapping
from dataclasses import dataclass

Piece = bytes | str

_GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
_KEY = base64.b64encode(b"0123456789abcdef")
_ROOM = 1 << 20


class Refused(Exception):
    """It does not listen, or turns the handshake down."""


class Closed(Exception):
    """It closed the connection."""


class Tcp:
    """
    No protocol at all.
    """

    def __init__(self, port: int, patience: float = 20.0) -> None:
        self.socket = socket.socket()
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        # The kernel's time-out, so that a recv() is one system call.
        seconds = struct.pack("ll", int(patience), 0)
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, seconds)
        try:
            self.socket.connect(("127.0.0.1", port))
        except OSError as error:
            self.socket.close()
            raise Refused(str(error)) from None

    def send(self, keys: bytes) -> None:
        self.socket.sendall(keys)

    def recv(self) -> list[Piece]:
        return [self._more()]

    def close(self) -> None:
        self.socket.close()

    def _more(self) -> bytes:
        try:
            came = self.socket.recv(_ROOM)
        except BlockingIOError:
            raise Closed("nothing came for the whole of its patience") from None
        except ConnectionError as error:
            raise Closed(str(error)) from None
        if not came:
            raise Closed("closed")
        return came


@dataclass(frozen=True, slots=True)
class Codec:
    """
    How keys and output are put into messages.

    @ivar keys: goes before each message with keys.
    @ivar output: messages with output begin with it (one byte at most); others are left out.
    @ivar hello: is sent first, in a binary message.
    @ivar attach: is sent first, in a text message.
    """

    keys: bytes = b""
    output: bytes = b""
    hello: bytes = b""
    attach: bytes = b""


PLAIN = Codec()
TTYD = Codec(b"0", b"0", hello=b'{"AuthToken":"","columns":80,"rows":24}')
PAGE = Codec(attach=b'{"do":"attach","resume":null,"offset":null}')


class WebSocket(Tcp):
    """
    RFC 6455, the client's side.  What a frame holds is handed on as it comes.
    """

    def __init__(
        self,
        port: int,
        path: str,
        subprotocol: str,
        codec: Codec = PLAIN,
        headers: Mapping[str, str] | None = None,
        patience: float = 20.0,
    ) -> None:
        super().__init__(port, patience)
        self._codec = codec
        self._rest = b""
        self._left = 0
        self._opcode = self._message = 0
        self._is_output = True
        self._whole = bytearray()
        try:
            self._shake_hands(port, path, subprotocol, headers or {})
        except Closed as closed:
            self.close()
            raise Refused(str(closed)) from None
        except BaseException:
            self.close()
            raise
        if codec.hello:
            self._send(2, codec.hello)
        if codec.attach:
            self._send(1, codec.attach)

    def _shake_hands(
        self, port: int, path: str, subprotocol: str, headers: Mapping[str, str]
    ) -> None:
        said = {
            "Host": f"127.0.0.1:{port}",
            "Upgrade": "websocket",
            "Connection": "Upgrade",
            "Origin": f"http://127.0.0.1:{port}",
            "Sec-WebSocket-Version": "13",
            "Sec-WebSocket-Key": _KEY.decode(),
            "Sec-WebSocket-Protocol": subprotocol,
            **headers,
        }
        lines = [f"GET {path} HTTP/1.1", *(f"{k}: {v}" for k, v in said.items()), "", ""]
        self.socket.sendall("\r\n".join(lines).encode())
        heard = b""
        while b"\r\n\r\n" not in heard:
            heard += self._more()
        head, _, self._rest = heard.partition(b"\r\n\r\n")
        accept = base64.b64encode(hashlib.sha1(_KEY + _GUID).digest())
        if b" 101 " not in head.partition(b"\r\n")[0] or accept not in head:
            raise Refused(head.partition(b"\r\n")[0].decode("latin-1"))

    def send(self, keys: bytes) -> None:
        self._send(2, self._codec.keys + keys)

    def _send(self, opcode: int, payload: bytes) -> None:
        length = len(payload)
        if length < 126:
            head = bytes((0x80 | opcode, 0x80 | length))
        elif length < 65536:
            head = struct.pack("!BBH", 0x80 | opcode, 0xFE, length)
        else:
            head = struct.pack("!BBQ", 0x80 | opcode, 0xFF, length)
        # Masked with zeros: legal, and nothing has to be done to the payload.
        self.socket.sendall(head + b"\0\0\0\0" + payload)

    def recv(self) -> list[Piece]:
        return self._parse(b"") or self._parse(self._more())

    def _parse(self, more: bytes) -> list[Piece]:
        came, self._rest = self._rest + more, b""
        pieces: list[Piece] = []
        at, end = 0, len(came)
        while at < end:
            if not self._left:
                size = self._head(came, at)
                if not size:
                    self._rest = came[at:]
                    break
                at += size
                if self._left:
                    continue
            take = min(self._left, end - at)
            self._left -= take
            if self._opcode == 2 or (self._opcode == 1 and self._codec.output):
                if self._is_output and take:
                    pieces.append(came[at : at + take])
            else:
                self._whole += came[at : at + take]
                if not self._left:
                    self._take_whole(pieces)
            at += take
        return pieces

    def _head(self, came: bytes, at: int) -> int:
        """
        @return: the length of the frame's head, with the codec's byte; 0 if it is not all there.
        """
        size = 2
        if len(came) - at < size:
            return 0
        opcode, length = came[at] & 15, came[at + 1] & 127
        size += {126: 2, 127: 8}.get(length, 0)
        mark = self._codec.output if opcode in (1, 2) and length else b""
        if len(came) - at < size + len(mark):
            return 0
        if length > 125:
            length = int.from_bytes(came[at + 2 : at + size], "big")
        if opcode in (1, 2):
            self._message = opcode
            self._is_output = came[at + size : at + size + len(mark)] == mark
        self._opcode = opcode or self._message
        self._left = length - len(mark)
        return size + len(mark)

    def _take_whole(self, pieces: list[Piece]) -> None:
        whole, self._whole = bytes(self._whole), bytearray()
        if self._opcode == 1:
            pieces.append(whole.decode())
        elif self._opcode == 9:
            self._send(10, whole)
        elif self._opcode == 8:
            raise Closed(f"close {int.from_bytes(whole[:2], 'big')} {whole[2:].decode()}")
