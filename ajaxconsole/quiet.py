"""
Output without what makes a terminal answer.

What a guest once asked its terminal (where is the cursor? what are you?) must
not be answered again when it is shown later, or by a second terminal: the
answer would be typed into the guest.
"""

from __future__ import annotations

import re

# ENQ, DECID, CSI ... c n t x, CSI ... $ p, and control strings: OSC, DCS, APC, PM.
_QUERY = re.compile(
    rb"\x05|\x1bZ|\x1b\[(?:[0-?]{0,32}(?:[cntx]|\$p)|>[0-9;]{0,8}q)"
    rb"|\x1b[\]PX^_][^\x07\x1b]{0,4096}(?:\x07|\x1b\\)"
)
_CUT = re.compile(rb"\x1b(?:\[[0-?]{0,32}\$?|[\]PX^_][^\x07\x1b]{0,4096}\x1b?)?\Z")


class Quiet:
    """
    A filter over pieces: a sequence that is cut is held until its end comes.
    """

    def __init__(self) -> None:
        self._held = b""

    def filter(self, piece: bytes) -> bytes:
        text = _QUERY.sub(b"", self._held + piece)
        cut = _CUT.search(text)
        self._held = cut[0] if cut else b""
        return text[: len(text) - len(self._held)]

    def rest(self) -> bytes:
        """
        What was held, where no more is filtered.
        """
        held, self._held = self._held, b""
        return held
