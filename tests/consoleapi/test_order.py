"""
Tests for L{consoleapi.order}.
"""

from __future__ import annotations

from collections.abc import Sequence

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from consoleapi.order import Block, Key, Order

_NAMES = st.text("ab", min_size=1, max_size=3)
_KEYS = st.tuples(_NAMES, _NAMES, _NAMES)


class Small(Order[Key]):
    """
    With blocks that are soon full.
    """

    MOST = 4

    def __init__(self) -> None:
        super().__init__(lambda key: key)


def found(order: Order[Key], word: str, after: Key | None = None) -> Sequence[Key]:
    """
    @return: in order, all that C{word} is written of, a block at a time.
    """
    keys: list[Key] = []
    for _ in range(100):
        blocks, first = order.after(after)
        if not blocks or not blocks[0].items:
            return keys
        block = blocks[0]
        positions = block.containing(word, range(len(block.items))[first:])
        keys += [block.items[at] for at in positions]
        after = block.items[-1]
    raise AssertionError("it never ends")


class OrderTests(SynchronousTestCase):
    """
    Whoever comes and goes, everybody is listed once, in order.
    """

    @settings(derandomize=True, max_examples=300, deadline=None)
    @given(
        st.lists(st.tuples(st.sampled_from(("put", "remove", "look")), _KEYS), max_size=60),
        st.sampled_from(["", "a", "ab", "bb", "b x"]),
        st.none() | _KEYS,
    )
    def test_like_a_sorted_list(
        self, changes: list[tuple[str, Key]], word: str, after: Key | None
    ) -> None:
        """
        Also when it is searched between two changes.
        """
        order, model = Small(), set()
        for what, key in changes:
            if what == "put":
                order.put(key, f"{key[0]} x")
                model.add(key)
            elif what == "remove" and key in model:
                order.remove(key)
                model.remove(key)
            elif what == "look":
                found(order, "a")

        keys = found(order, word, after)

        expected = [key for key in model if word in f"{key[0]} x"]
        self.assertEqual(keys, sorted(k for k in expected if after is None or k > after))

    def test_what_is_written_can_change(self) -> None:
        order = Small()
        key = ("web", "h1", "1")
        order.put(key, "web running")

        order.put(key, "web paused")

        self.assertEqual((found(order, "running"), found(order, "paused")), ([], [key]))


class BlockTests(SynchronousTestCase):
    """
    One block, in which a word is rare or frequent.
    """

    LINES = [f"web{n} {'rare' if n % 97 == 3 else 'often often'}" for n in range(300)]

    def setUp(self) -> None:
        self.block = Block(list(range(300)), self.LINES.copy())

    def test_each_once(self) -> None:
        for positions in (range(300), range(50, 120), [2, 3, 4, 100, 299], []):
            for word in ("rare", "often", "web", "web1", "e", "none", "\n", "web1\n"):
                expected = [at for at in positions if word in self.LINES[at]]

                self.assertEqual(self.block.containing(word, positions), expected, word)

    def test_where_words_are_is_remembered_until_something_changes(self) -> None:
        for _ in range(2):
            self.assertEqual(len(self.block.containing("rare", range(300))), 4)

        self.block.replace(7, 7, "rare now")
        self.assertEqual(self.block.containing("rare", range(10)), [3, 7])

        self.block.remove(3)
        self.assertEqual(self.block.containing("rare", range(10)), [6])

    def test_what_somebody_sees_is_found_out_once(self) -> None:
        asked: list[int] = []

        def sees(item: int) -> bool:
            asked.append(item)
            return item % 100 == 0

        for _ in range(2):
            self.assertEqual(self.block.seen("ann", sees), [0, 100, 200])

        self.assertEqual(len(asked), 300)

    def test_and_again_when_somebody_comes_or_goes(self) -> None:
        self.block.seen("ann", lambda item: item == 3)

        self.block.insert(0, 300, "new")
        self.assertEqual(self.block.seen("ann", lambda item: item == 3), [4])
        self.block.remove(0)
        self.assertEqual(self.block.seen("ann", lambda item: item == 3), [3])

    def test_it_can_be_empty(self) -> None:
        block = Block(["web"], ["web"])
        block.containing("w", [0])

        block.remove(0)
        empty = block.containing("w", [])
        block.insert(0, "db", "db")

        self.assertEqual((empty, block.containing("b", [0]), block.items), ([], [0], ["db"]))

    def test_it_is_remembered_for_some(self) -> None:
        for viewer in range(100):
            self.block.seen(viewer, lambda item: True)

        known = [viewer for viewer in range(100) if self.block.is_known_to(viewer)]
        self.assertEqual(known, list(range(68, 100)))
