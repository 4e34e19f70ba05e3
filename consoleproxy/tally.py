"""
What is counted while the proxy works, for whoever watches over it.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter


class Durations:
    """
    How long something took, by classes.

    @cvar BOUNDS: seconds, of each class the most; a last one has all above.
    @ivar counts: of each class.
    @ivar total: seconds of all together.
    """

    BOUNDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)

    def __init__(self) -> None:
        self.counts = [0] * (len(self.BOUNDS) + 1)
        self.total = 0.0

    def add(self, seconds: float) -> None:
        self.counts[bisect_left(self.BOUNDS, seconds)] += 1
        self.total += seconds


class Tally:
    """
    @ivar refused: requests that were answered by a sentence of ours, by what it was.
    @ivar attaching: from a WebSocket's request to its answer.
    @ivar lateness: of the reactor: how much later than wanted it came to something.
    """

    def __init__(self) -> None:
        self.refused: Counter[str] = Counter()
        self.attaching = Durations()
        self.lateness = Durations()
