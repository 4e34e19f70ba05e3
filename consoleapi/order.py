"""
Guests in the order in which they are listed: by name, then host, then UUID.

They are kept in blocks, so that one who comes or goes costs what a block has; a
block's names are searched as one text, made anew only where they changed.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right, insort
from collections.abc import Sequence

from consoleapi.names import Names

Key = tuple[str, str, str]
"""Name, host and UUID."""


class _Block:
    __slots__ = ("keys", "names")

    def __init__(self, keys: list[Key]) -> None:
        self.keys = keys
        self.names: Names | None = None


class Order:
    """
    @cvar MOST: keys in a block; a fuller one becomes two.
    @cvar BLOCKS: looked through by one search at the most; 3 ms where nothing is
        ready yet (measured).
    """

    MOST = 2000
    BLOCKS = 4

    def __init__(self) -> None:
        self._blocks = [_Block([])]
        self._firsts: list[Key] = [("", "", "")]

    def add(self, key: Key) -> None:
        at = self._block_of(key)
        block = self._blocks[at]
        insort(block.keys, key)
        block.names = None
        if len(block.keys) > self.MOST:
            half = len(block.keys) // 2
            later = _Block(block.keys[half:])
            del block.keys[half:]
            self._blocks.insert(at + 1, later)
            self._firsts.insert(at + 1, later.keys[0])

    def remove(self, key: Key) -> None:
        """
        @param key: one that is there.
        """
        at = self._block_of(key)
        block = self._blocks[at]
        del block.keys[bisect_left(block.keys, key)]
        block.names = None
        if not block.keys and at:
            del self._blocks[at], self._firsts[at]

    def scan(
        self, after: Key | None, most: int, text: str = ""
    ) -> tuple[Sequence[Key], Key | None]:
        """
        @param after: where to go on; C{None} at the beginning.
        @param text: what the names contain; the empty text is in all.
        @return: up to C{most} keys, and where to go on; C{None} at the end.
        """
        at = self._block_of(after) if after is not None else 0
        found: list[Key] = []
        for block in self._blocks[at : at + self.BLOCKS]:
            first = bisect_right(block.keys, after) if after is not None else 0
            wanted = most - len(found)
            if text:
                block.names = block.names or Names([name for name, _, _ in block.keys])
                found += [block.keys[n] for n in block.names.containing(text, first, wanted)]
            else:
                found += block.keys[first : first + wanted]
            if len(found) == most:
                return found, found[-1]
        at += self.BLOCKS
        if at >= len(self._blocks):
            return found, None
        return found, self._blocks[at - 1].keys[-1]

    def _block_of(self, key: Key) -> int:
        return bisect_right(self._firsts, key) - 1
