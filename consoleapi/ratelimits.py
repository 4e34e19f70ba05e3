"""
How often one user may ask.

    POST .*/remote-consoles 60/minute        a method, an expression of paths, how many

Each is a bucket per user: full at first, filled evenly.  What is beyond is
answered 429 with the seconds to wait (RFC 6585, 4).
"""

from __future__ import annotations

import math
import re
from collections import OrderedDict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from consoleapi.faults import Fault

DEFAULTS = ("POST .* 600/minute", "DELETE .* 600/minute", "GET .* 6000/minute")

_UNITS = {"second": 1, "minute": 60, "hour": 3600, "day": 86400}
_SETTING = re.compile(r"([A-Z]+) (\S+) ([1-9][0-9]{0,6})/(second|minute|hour|day)")


@dataclass(frozen=True, slots=True)
class Limit:
    """
    @ivar value: how many within C{unit}.
    """

    verb: str
    paths: re.Pattern[str]
    value: int
    unit: str

    @property
    def interval(self) -> float:
        """
        Seconds in which one more is allowed.
        """
        return _UNITS[self.unit] / self.value


def parse_limit(text: str) -> Limit:
    """
    @raise ValueError: with a sentence.
    """
    match = _SETTING.fullmatch(text)
    if match is None:
        raise ValueError("it is written 'POST .*/action 60/minute': method, paths, how many")
    try:
        paths = re.compile(match[2])
    except re.error as error:
        raise ValueError(f"{match[2]!r} is no regular expression: {error}") from None
    return Limit(match[1], paths, int(match[3]), match[4])


class RateLimits:
    """
    @cvar MOST: users and limits remembered; beyond, who asked longest ago
        begins anew.
    """

    MOST = 50_000

    def __init__(
        self,
        seconds: Callable[[], float],
        time: Callable[[], float],
        limits: Iterable[Limit],
    ) -> None:
        self._seconds = seconds
        self._time = time
        self._limits: Sequence[Limit] = tuple(limits)
        self._full: OrderedDict[tuple[int, str], float] = OrderedDict()

    def count(self, user: str, method: str, path: str) -> None:
        """
        @raise Fault: 429, too often.
        """
        now = self._seconds()
        method = "GET" if method == "HEAD" else method
        fitting = [
            (number, limit)
            for number, limit in enumerate(self._limits)
            if limit.verb == method and limit.paths.fullmatch(path)
        ]
        for number, limit in fitting:
            wait = self._wait(number, limit, user, now)
            if wait > 0:
                seconds = str(max(1, math.ceil(wait)))
                raise Fault(
                    429,
                    f"Only {limit.value} {limit.verb} requests can be made to "
                    f"{limit.paths.pattern} every {limit.unit}; try again in {seconds} s.",
                    {"Retry-After": seconds},
                )
        for number, limit in fitting:
            key = number, user
            self._full[key] = max(self._full.get(key, now), now) + limit.interval
            self._full.move_to_end(key)
        while len(self._full) > self.MOST:
            self._full.popitem(last=False)

    def told(self, user: str) -> list[dict[str, Any]]:
        """
        What is left, in nova's words.
        """
        now, listed = self._seconds(), []
        for number, limit in enumerate(self._limits):
            used = max(0.0, self._full.get((number, user), now) - now) / limit.interval
            wait = max(0.0, self._wait(number, limit, user, now))
            moment = datetime.fromtimestamp(self._time() + wait, UTC)
            listed.append(
                {
                    "uri": limit.paths.pattern,
                    "regex": limit.paths.pattern,
                    "limit": [
                        {
                            "verb": limit.verb,
                            "value": limit.value,
                            "remaining": max(0, limit.value - math.ceil(used - 1e-9)),
                            "unit": limit.unit.upper(),
                            "next-available": moment.strftime("%Y-%m-%dT%H:%M:%SZ"),
                        }
                    ],
                }
            )
        return listed

    def _wait(self, number: int, limit: Limit, user: str, now: float) -> float:
        """
        @return: seconds until one more is allowed; not above 0 if it is now.
        """
        full = max(self._full.get((number, user), now), now)
        return full + limit.interval - now - _UNITS[limit.unit] - 1e-9
