"""
The last bytes that a line has sent, each at its number.
"""

from __future__ import annotations


class Scrollback:
    """
    A ring of bytes with absolute offsets: the first byte ever has the number
    0, and a number is never used again.

    It grows as bytes come and then stays at its size, so a silent console
    costs nothing.

    @ivar size: bytes that are kept at the most.
    @ivar end: the offset of the next byte to come.
    """

    def __init__(self, size: int = 1 << 20) -> None:
        if size < 1:
            raise ValueError("a scrollback keeps at least one byte")
        self.size = size
        self.end = 0
        self._ring = bytearray()

    @property
    def start(self) -> int:
        """The offset of the oldest byte that is still there."""
        return self.end - len(self._ring)

    def append(self, output: bytes) -> None:
        """
        Add C{output}; as much of the oldest as no longer fits is forgotten.
        """
        room = self.size - len(self._ring)
        self.end += len(output)
        if room:
            # Not yet wrapped: the ring begins at its first byte.
            self._ring += output[:room]
            output = output[room:]
        if len(output) > self.size:
            output = output[-self.size :]
        if output:
            # The byte with offset n lives at n % size from here on.
            at = (self.end - len(output)) % self.size
            first = self.size - at
            self._ring[at : at + len(output)] = output[:first]
            if len(output) > first:
                self._ring[: len(output) - first] = output[first:]

    def read(self, offset: int, most: int) -> bytes:
        """
        @param offset: from L{start} to L{end}.
        @param most: bytes.
        @raise IndexError: C{offset} is not there, any more or yet.
        """
        if not self.start <= offset <= self.end:
            raise IndexError(f"offset {offset} is not within {self.start} to {self.end}")
        length = min(most, self.end - offset)
        at = offset % self.size
        with memoryview(self._ring) as ring:
            head = bytes(ring[at : at + length])
            if len(head) == length:
                return head
            return head + bytes(ring[: length - len(head)])
