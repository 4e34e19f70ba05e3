"""
A line on which nothing comes, which mostly means that the guest has no login there.
"""

from __future__ import annotations

import re

from computeagent.domainxml import SerialDevice


def explanation(device: SerialDevice) -> str:
    """@return: what a guest needs, for people who look at an empty screen."""
    number = re.search("[0-9]+$", device.alias)
    line = f"ttyS{number[0] if number else 0}"
    if device.kind == "console":
        line = "hvc0"
    return (
        "The guest says nothing here. For a login it needs a getty on this line: "
        f"systemctl enable --now serial-getty@{line}.service; for its boot messages, "
        f"console={line} on its kernel's command line."
    )


class Silence:
    """
    What is known of one line.

    @cvar AFTER_OPENING: seconds in which it should have said something at all.
    @cvar AFTER_TYPING: seconds in which it should have answered what was typed; a
        password takes a while.
    """

    AFTER_OPENING = 30.0
    AFTER_TYPING = 15.0

    def __init__(self, now: float) -> None:
        self._since = now
        self._end = 0
        self._typed = 0
        self._unanswered: float | None = None

    def is_silent(self, now: float, end: int, typed: int) -> bool:
        """
        @param end: bytes that the guest has said so far.
        @param typed: bytes that were typed so far.
        """
        if end != self._end:
            self._unanswered = None
        elif typed != self._typed and self._unanswered is None:
            self._unanswered = now
        self._end, self._typed = end, typed
        if not end and now - self._since >= self.AFTER_OPENING:
            return True
        return self._unanswered is not None and now - self._unanswered >= self.AFTER_TYPING
