"""
Tests for L{ajaxterm.scrollback}.
"""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from ajaxterm.scrollback import Scrollback


class ScrollbackTests(SynchronousTestCase):
    def test_empty(self) -> None:
        """
        Before anything was said there is nothing, at offset 0.
        """
        scrollback = Scrollback(10)

        self.assertEqual((scrollback.start, scrollback.end), (0, 0))
        self.assertEqual(scrollback.read(0, 100), b"")

    def test_no_size(self) -> None:
        """
        A scrollback that keeps nothing makes no sense.
        """
        self.assertRaises(ValueError, Scrollback, 0)

    def test_outside(self) -> None:
        """
        What is gone or not there yet is not invented.
        """
        scrollback = Scrollback(4)
        scrollback.append(b"012345")

        for offset in (-1, 1, 7):
            self.assertRaises(IndexError, scrollback.read, offset, 1)

    @settings(max_examples=300, derandomize=True, deadline=None, database=None)
    @given(
        size=st.integers(1, 20),
        pieces=st.lists(st.binary(max_size=45), max_size=12),
        most=st.integers(0, 30),
    )
    def test_is_the_end_of_all_that_was_said(
        self, size: int, pieces: list[bytes], most: int
    ) -> None:
        """
        However output comes, from every offset that is there one reads what was said there.
        """
        scrollback, said = Scrollback(size), b""

        for piece in pieces:
            scrollback.append(piece)
            said += piece

            self.assertEqual(scrollback.end, len(said))
            self.assertEqual(scrollback.start, max(0, len(said) - size))
            for offset in range(scrollback.start, scrollback.end + 1):
                self.assertEqual(scrollback.read(offset, most), said[offset : offset + most])
