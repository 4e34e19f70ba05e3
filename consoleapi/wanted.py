"""
What guests are looked for.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from consoleapi.directory import Guest
from consoleapi.order import Block


@dataclass(frozen=True, slots=True)
class Wanted:
    """
    First by words, which costs next to nothing for each guest, so that there
    are few left to look at closely.

    @ivar words: in lower case; each is somewhere in what the directory writes
        of a guest.
    @ivar fits: what is said of each that has the words; C{None} fits all.
    """

    words: Sequence[str] = ()
    fits: Callable[[Guest], bool] | None = None

    def with_words(self, block: Block[Guest], positions: Sequence[int]) -> Sequence[int]:
        """
        @return: those of C{positions} with all words.
        """
        # Few guests have the longest one.
        for word in sorted(self.words, key=len, reverse=True):
            if not positions:
                break
            positions = block.containing(word, positions)
        return positions

    def that_fit(self, block: Block[Guest], positions: Sequence[int]) -> Sequence[int]:
        """
        @return: those of C{positions} that fit, when looked at closely.
        """
        fits = self.fits
        return positions if fits is None else [at for at in positions if fits(block.items[at])]


EVERYTHING = Wanted()
"""What every guest is."""

NOTHING = Wanted(("\n",), lambda guest: False)
"""What no guest is."""
