"""
Wrong passwords take longer and longer.

After three wrong ones for a user from an address, that user waits there: one
second, then two, four, and so on, up to a minute.  After thirty from one
address, for whomever, so does the address.  Elsewhere, the user is not kept
out: nobody can lock anybody else out by guessing.
"""

from __future__ import annotations

import math
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass

from consoleapi.faults import Fault


@dataclass(slots=True)
class _Failures:
    count: int = 0
    since: float = 0.0


class Slowing:
    """
    @cvar FREE: wrong ones of a user at an address that cost nothing.
    @cvar FREE_ADDRESS: wrong ones of an address.
    @cvar FORGOTTEN: seconds after which they are.
    @cvar MOST: remembered at a time.
    """

    FREE = 3
    FREE_ADDRESS = 30
    LONGEST = 60.0
    FORGOTTEN = 900.0
    MOST = 20_000

    def __init__(self, seconds: Callable[[], float]) -> None:
        self._seconds = seconds
        self._failures: OrderedDict[tuple[str, str], _Failures] = OrderedDict()

    def check(self, user: str, address: str) -> None:
        """
        @raise Fault: 429, it is too early to try again.
        """
        wait = max(
            self._wait((user, address), self.FREE), self._wait(("", address), self.FREE_ADDRESS)
        )
        if wait > 0:
            seconds = str(math.ceil(wait))
            raise Fault(
                429,
                f"There were too many wrong passwords; try again in {seconds} s.",
                {"Retry-After": seconds},
            )

    def wrong(self, user: str, address: str) -> None:
        now = self._seconds()
        for key in ((user, address), ("", address)):
            known = self._failures.get(key)
            if known is None or now - known.since > self.FORGOTTEN:
                known = self._failures[key] = _Failures()
            known.count += 1
            known.since = now
            self._failures.move_to_end(key)
        while len(self._failures) > self.MOST:
            self._failures.popitem(last=False)

    def right(self, user: str, address: str) -> None:
        self._failures.pop((user, address), None)

    def _wait(self, key: tuple[str, str], free: int) -> float:
        known = self._failures.get(key)
        if known is None or known.count < free:
            return 0.0
        delay = min(self.LONGEST, 2.0 ** min(known.count - free, 10))
        return known.since + delay - self._seconds()
