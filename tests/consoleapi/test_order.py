"""
Tests for L{consoleapi.order}.
"""

from __future__ import annotations

from collections.abc import Sequence

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from consoleapi.order import Key, Order

_NAMES = st.text("ab", min_size=1, max_size=3)
_KEYS = st.tuples(_NAMES, _NAMES, _NAMES)


class Small(Order):
    """
    With blocks that are soon full, and few of them to a search.
    """

    MOST = 4
    BLOCKS = 2


def everything(order: Order, most: int, text: str) -> Sequence[Key]:
    """
    @return: all that is found, however many searches it takes.
    """
    found: list[Key] = []
    after: Key | None = None
    for _ in range(1000):
        keys, after = order.scan(after, most, text)
        assert len(keys) <= most
        found += keys
        if after is None:
            return found
    raise AssertionError("it never ends")


class OrderTests(SynchronousTestCase):
    """
    Whoever comes and goes, everybody is listed once, in order.
    """

    @settings(derandomize=True, max_examples=200, deadline=None)
    @given(
        st.lists(st.tuples(st.booleans(), _KEYS), max_size=60),
        st.integers(1, 5),
        st.sampled_from(["", "a", "ab", "bb"]),
    )
    def test_like_a_sorted_list(
        self, changes: list[tuple[bool, Key]], most: int, text: str
    ) -> None:
        order, model = Small(), set()
        for comes, key in changes:
            if comes and key not in model:
                order.add(key)
                model.add(key)
            elif not comes and key in model:
                order.remove(key)
                model.remove(key)

        found = everything(order, most, text)

        self.assertEqual(found, sorted(key for key in model if text in key[0]))

    def test_a_search_is_bounded(self) -> None:
        """
        One that finds nothing stops after some blocks, and says where to go on.
        """
        order = Small()
        for n in range(100):
            order.add((f"web{n:02}", "h1", str(n)))

        keys, after = order.scan(None, 10, "db")

        self.assertEqual(keys, [])
        assert after is not None
        self.assertLess(after[0], "web10")
