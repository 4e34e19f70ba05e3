"""
The WebSocket frames that nearly all traffic is made of, without the library: whole short
messages, each in one frame.  A key and its echo cost 20 µs less so, and a
console that sees nothing else never runs the library's code, of which it would need
a copy in its memory.

Whatever is not as simple as that goes to wsproto: parts of messages, longer ones, close,
ping, and everything that is wrong.  L{Boundary} tells when frames may be looked at here again.
"""

from __future__ import annotations

TEXT = 0x1
BINARY = 0x2
PING = 0x9
PONG = 0xA

SHORT = 1 << 14
"""Bytes of a payload that is unmasked here."""

_FINAL = 0x80
_MASKED = 0x80
_QUICK = frozenset(_FINAL | kind for kind in (TEXT, BINARY, PONG))


def frame(kind: int, payload: bytes) -> bytes:
    """
    @return: a server's frame with a whole message (RFC 6455, 5.2: not masked).
    """
    length = len(payload)
    if length < 126:
        return bytes((_FINAL | kind, length)) + payload
    if length < 1 << 16:
        return bytes((_FINAL | kind, 126)) + length.to_bytes(2, "big") + payload
    return bytes((_FINAL | kind, 127)) + length.to_bytes(8, "big") + payload


def whole(data: bytes) -> tuple[int, bytes] | None:
    """
    @param data: begins where a frame begins.
    @return: kind and payload, if it is exactly one frame of a client's with a whole short
        message, or a pong; C{None} for anything else.
    """
    if len(data) < 6 or data[0] not in _QUICK or not data[1] & _MASKED:
        return None
    length, begin = data[1] & 0x7F, 6
    if length == 126:
        # Only if it could not be said shorter; who says so errs.
        length, begin = int.from_bytes(data[2:4], "big"), 8
        if not 126 <= length <= SHORT or data[0] == _FINAL | PONG:
            return None
    if begin + length != len(data):
        return None  # so 127 is none, either
    mask = data[begin - 4 : begin] * (length // 4 + 1)
    unmasked = int.from_bytes(data[begin:], "little") ^ int.from_bytes(mask[:length], "little")
    return data[0] & 0xF, unmasked.to_bytes(length, "little")


class Boundary:
    """
    Follows what goes to the library.

    @ivar between: whether what comes next begins a message.
    """

    def __init__(self) -> None:
        self.between = True
        self._head = b""
        self._left = 0
        self._in_message = False

    def follow(self, data: bytes) -> None:
        at = 0
        while at < len(data):
            if self._left:
                step = min(self._left, len(data) - at)
                self._left -= step
                at += step
            else:
                self._head += data[at : at + 1]
                at += 1
                self._look()
        self.between = not (self._left or self._head or self._in_message)

    def _look(self) -> None:
        head = self._head
        if len(head) < 2:
            return
        extended = {126: 2, 127: 8}.get(head[1] & 0x7F, 0)
        if len(head) < 2 + extended + (4 if head[1] & _MASKED else 0):
            return
        self._left = int.from_bytes(head[2 : 2 + extended], "big") if extended else head[1] & 0x7F
        if not head[0] & 0x8:  # a control frame may come between the parts of a message
            self._in_message = not head[0] & _FINAL
        self._head = b""
