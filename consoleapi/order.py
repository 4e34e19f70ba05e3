"""
What is listed, in the order of its keys, and found by what is written of it.

It is kept in blocks, so that what comes or goes costs what a block has.  Of each
item there is a line of text in lower case.  All 50,000 are searched for a word in
1 ms if it is in few of them, in 4 if it is in all (measured); for the same word
again only blocks that have changed are.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Hashable, Sequence
from itertools import compress, repeat
from operator import contains
from typing import Generic, TypeVar

Key = tuple[str, str, str]
"""Name, host and UUID."""

T = TypeVar("T")


class Block(Generic[T]):
    """
    @ivar items: in order; to be read only.
    @cvar MOST_VIEWS: viewers for whom it is remembered what they see.
    @cvar MOST_WORDS: words for which it is remembered where they are; a page asks for
        the same again and again.
    @cvar FEW: with so many items for each place at which a word is, one goes from
        place to place, else from item to item (measured).
    @cvar SAMPLE: the part of a text in which these places are counted.
    """

    __slots__ = ("_found", "_lines", "_text", "_views", "items")

    MOST_VIEWS = 32
    MOST_WORDS = 4
    FEW = 8
    SAMPLE = 8

    def __init__(self, items: list[T], lines: list[str]) -> None:
        self.items = items
        # One or the other: one text, and no more than that, is quick to search.
        self._lines: list[str] | None = lines
        self._text = ""
        self._views: dict[Hashable, list[int]] = {}
        self._found: dict[str, list[int]] = {}

    def is_known_to(self, viewer: Hashable) -> bool:
        return viewer in self._views

    def seen(self, viewer: Hashable, sees: Callable[[T], bool]) -> Sequence[int]:
        """
        The positions of what C{viewer} sees, which is found out once.
        """
        view = self._views.get(viewer)
        if view is None:
            view = [at for at, item in enumerate(self.items) if sees(item)]
            if len(self._views) >= self.MOST_VIEWS:
                del self._views[next(iter(self._views))]
            self._views[viewer] = view
        return view

    def containing(self, word: str, positions: Sequence[int]) -> Sequence[int]:
        """
        @param word: in lower case.  A line's end is in none.
        @param positions: in order.
        @return: those of them whose lines contain it.
        """
        found = self._found.get(word)
        if found is None:
            found = self._search(word)
            if len(self._found) >= self.MOST_WORDS:
                del self._found[next(iter(self._found))]
            self._found[word] = found
        if len(positions) == len(self.items):
            return found
        return sorted(set(positions).intersection(found))

    def _search(self, word: str) -> list[int]:
        if self._lines is not None:
            self._text, self._lines = "\n".join(self._lines), None
        if "\n" in word:
            return []
        text, length = self._text, len(self._text)
        places = self.SAMPLE * text.count(word, 0, length // self.SAMPLE)
        if places * self.FEW > len(self.items):
            held = map(contains, text.split("\n"), repeat(word))
            return list(compress(range(len(self.items)), held))
        found: list[int] = []
        line, begin, place = 0, 0, text.find(word)
        while place >= 0:
            line += text.count("\n", begin, place)
            found.append(line)
            # Once in a line will do.
            begin = text.find("\n", place)
            place = text.find(word, begin) if begin >= 0 else -1
        return found

    def replace(self, at: int, item: T, line: str) -> None:
        """
        @param item: who saw the one that was there sees this one.
        """
        self._written()[at] = line
        self.items[at] = item

    def insert(self, at: int, item: T, line: str) -> None:
        self._written().insert(at, line)
        self.items.insert(at, item)
        self._views.clear()

    def remove(self, at: int) -> None:
        del self._written()[at], self.items[at]
        self._views.clear()

    def halve(self) -> Block[T]:
        """
        @return: the second half, which is no longer here.
        """
        half, lines = len(self.items) // 2, self._written()
        later = Block(self.items[half:], lines[half:])
        del self.items[half:], lines[half:]
        self._views.clear()
        return later

    def _written(self) -> list[str]:
        """
        @return: what is written of the items, to be changed along with them.
        """
        self._found.clear()
        if self._lines is None:
            self._text, self._lines = "", self._text.split("\n") if self.items else []
        return self._lines


class Order(Generic[T]):
    """
    @cvar MOST: items in a block; a fuller one becomes two.
    """

    MOST = 500

    def __init__(self, key: Callable[[T], Key]) -> None:
        self._key = key
        self._blocks: list[Block[T]] = [Block([], [])]
        self._firsts: list[Key] = [("", "", "")]

    def put(self, item: T, line: str) -> None:
        """
        Add C{item}, or take it in place of what has its key; whoever saw that
        one sees this one, so where that is not so, remove it first.
        """
        key = self._key(item)
        number = self._block_of(key)
        block = self._blocks[number]
        at = bisect_left(block.items, key, key=self._key)
        if at < len(block.items) and self._key(block.items[at]) == key:
            block.replace(at, item, line)
            return
        block.insert(at, item, line)
        if len(block.items) > self.MOST:
            later = block.halve()
            self._blocks.insert(number + 1, later)
            self._firsts.insert(number + 1, self._key(later.items[0]))

    def remove(self, key: Key) -> None:
        """
        @param key: one that is there.
        """
        number = self._block_of(key)
        block = self._blocks[number]
        block.remove(bisect_left(block.items, key, key=self._key))
        if not block.items and number:
            del self._blocks[number], self._firsts[number]

    def after(self, key: Key | None) -> tuple[Sequence[Block[T]], int]:
        """
        @return: the blocks in which something follows C{key}, which may be nobody's,
            or all; and the position at which it begins in the first of them.
        """
        if key is None:
            return tuple(self._blocks), 0
        number = self._block_of(key)
        at = bisect_right(self._blocks[number].items, key, key=self._key)
        if at == len(self._blocks[number].items):
            number, at = number + 1, 0
        return self._blocks[number:], at

    def _block_of(self, key: Key) -> int:
        return bisect_right(self._firsts, key) - 1
