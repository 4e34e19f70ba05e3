"""
What the command line's programs end with.
"""

from __future__ import annotations

DONE = 0
FAILED = 1
"""The server, or the guest, can't do it now."""
USAGE = 2
"""The command, or a file of settings, is wrong."""
NOT_FOUND = 3
"""There is no such guest or console; or several."""
FORBIDDEN = 4
"""Not logged in, or not allowed."""
UNREACHABLE = 5
"""No answer."""


class Problem(Exception):
    """
    The end of a command.

    @ivar status: one of the above.
    """

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status
