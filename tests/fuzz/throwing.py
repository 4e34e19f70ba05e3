"""
How much is thrown, and of what it is made.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

MORE = float(os.environ.get("FUZZ", "0.5"))
"""Of the numbers of examples that the tests name, how many."""


class FuzzTestCase(SynchronousTestCase):
    """
    Sees to it that an example which was logged as a failure is one.
    """

    def throw(
        self, examples: int, check: Callable[..., None], **made: st.SearchStrategy[Any]
    ) -> None:
        """
        @param check: called with each example.
        @param made: what its arguments are made of.
        """

        def checked(**example: Any) -> None:
            check(**example)
            logged = self.flushLoggedErrors()
            assert not logged, f"logged: {[failure.getTraceback() for failure in logged]}"

        chosen = settings(
            max_examples=max(1, int(examples * MORE)),
            deadline=None,
            database=None,
            suppress_health_check=list(HealthCheck),
            print_blob=True,
        )
        chosen(given(**made)(checked))()


def mutated(words: st.SearchStrategy[bytes]) -> st.SearchStrategy[bytes]:
    """
    @return: C{words}, or those with something cut out, put in, or said twice.
    """

    def mutate(word: bytes, at: int, until: int, put: bytes) -> bytes:
        begin, end = sorted((at % (len(word) + 1), until % (len(word) + 1)))
        return word[:begin] + put + word[end:]

    places = st.integers(0, 5000)
    return st.one_of(
        words,
        st.builds(mutate, words, places, places, st.binary(max_size=20)),
        st.builds(lambda word, at: word[: at % (len(word) + 1)], words, places),
        st.builds(lambda word, at: word[at % (len(word) + 1) :] + word, words, places),
    )


def json_like(keys: st.SearchStrategy[str]) -> st.SearchStrategy[Any]:
    """
    Anything that JSON can say, and some that it can't.
    """
    leaves = st.one_of(
        st.none(),
        st.booleans(),
        st.integers(),
        st.sampled_from([0, -1, 1 << 31, 1 << 63, 1 << 64, 10**400]),
        st.floats(),
        st.text(max_size=30),
        st.sampled_from(["", "\x00", "\ud800", "x" * 300, "../..", "𝄞"]),
    )
    return st.recursive(
        leaves,
        lambda inner: st.one_of(
            st.lists(inner, max_size=4), st.dictionaries(st.text(max_size=9) | keys, inner)
        ),
        max_leaves=12,
    )
