"""
What a guest said, as text that does nothing.

A guest's output may hold anything, sequences among it that make a terminal
answer or change its title (CWE-150).  Here colours and the like are taken away,
and whatever else is no character.
"""

from __future__ import annotations

import re

# ECMA-48: control strings (OSC, DCS, ...), CSI sequences, and two-byte escapes.
_SEQUENCE = re.compile(
    "\x1b[PX^_\\]][^\x07\x1b\x9c]{0,4096}(?:\x07|\x1b\\\\|\x9c)?"
    "|(?:\x1b\\[|\x9b)[0-?]{0,64}[ -/]{0,16}[@-~]?"
    "|\x1b[ -/]{0,4}[0-~]?"
)
_CONTROL = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f]")


def as_text(output: bytes) -> str:
    text = _SEQUENCE.sub("", output.decode("utf-8", "replace"))
    return _CONTROL.sub("", text)


def last_lines(text: str, count: int) -> str:
    """
    @return: the last C{count} lines, as C{tail -n} counts them.
    """
    if count <= 0:
        return ""
    lines = text.split("\n")
    whole = lines[-1] == ""
    kept = lines[-count - 1 :] if whole else lines[-count:]
    return "\n".join(kept)
