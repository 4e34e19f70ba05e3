"""
Where a run of UTF-8 may be cut.
"""

from __future__ import annotations


def unfinished(output: bytes) -> int:
    """
    How many bytes at the end are the valid beginning of a character that is
    not complete yet: 0 to 3.  Bytes which can't become valid UTF-8 are not
    counted, so they are never held back (Unicode 15, table 3-7).
    """
    for back in range(1, min(3, len(output)) + 1):
        byte = output[-back]
        if 0x80 <= byte <= 0xBF:
            continue
        if 0xC2 <= byte <= 0xDF:
            length = 2
        elif 0xE0 <= byte <= 0xEF:
            length = 3
        elif 0xF0 <= byte <= 0xF4:
            length = 4
        else:
            return 0
        if back >= length:
            return 0
        return back if back == 1 or _may_follow(byte, output[-back + 1]) else 0
    return 0


def _may_follow(first: int, second: int) -> bool:
    low, high = {
        0xE0: (0xA0, 0xBF),
        0xED: (0x80, 0x9F),
        0xF0: (0x90, 0xBF),
        0xF4: (0x80, 0x8F),
    }.get(first, (0x80, 0xBF))
    return low <= second <= high
