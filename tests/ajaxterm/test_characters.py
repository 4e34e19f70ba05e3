"""
Tests for L{ajaxterm.characters}.
"""

from __future__ import annotations

from hypothesis import example, given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from ajaxterm.characters import unfinished

# Bytes from which characters, and things that look like them, are made.
_TELLING = st.sampled_from(
    [0x41, 0x80, 0x8F, 0x90, 0x9F, 0xA0, 0xBF, 0xC0, 0xC2, 0xDF, 0xE0, 0xE2, 0xED, 0xEF]
    + [0xF0, 0xF1, 0xF4, 0xF5, 0xFF]
)


# Of all characters: the last byte, in which 64 neighbours differ, is never part of one.
# (Python's decoder can't say: it waits for more even behind C{ED A0}, a surrogate.)
_BEGINNINGS = {
    chr(code).encode()[:length]
    for code in range(0x80, 0x110000, 64)
    if not 0xD800 <= code < 0xE000
    for length in range(1, len(chr(code).encode()))
}


class UnfinishedTests(SynchronousTestCase):
    def test_whole_characters_are_finished(self) -> None:
        """
        Nothing of whole text is held back.
        """
        for text in ("", "a", "ü", "€", "\N{GRINNING FACE}", "añ€\N{GRINNING FACE}"):
            self.assertEqual(unfinished(text.encode()), 0)

    def test_every_beginning_is_unfinished(self) -> None:
        """
        A character that is cut is held back, all that is there of it.
        """
        for character in ("ü", "€", "\N{GRINNING FACE}", "\U0010ffff", "\ud7ff", "\u0800"):
            whole = character.encode()
            for length in range(1, len(whole)):
                self.assertEqual(unfinished(b"text" + whole[:length]), length)

    @settings(max_examples=1000, derandomize=True, deadline=None, database=None)
    @given(st.lists(_TELLING, max_size=6).map(bytes))
    @example(b"\xe0\x80")
    @example(b"\xed\xa0")
    @example(b"\xf4\x90\x80")
    def test_only_beginnings_of_characters_are_held(self, output: bytes) -> None:
        """
        What is held back is the beginning of some character, as long as there is one; what
        is invalid already passes.
        """
        held = max((n for n in range(1, len(output) + 1) if output[-n:] in _BEGINNINGS), default=0)

        self.assertEqual(unfinished(output), held)
