"""
What grants cost a proxy: a thousand, and a million.

    .venv/bin/python -m bench.grants

Each is added, found by its name, touched (somebody attaches under it, and leaves), and
all expire at the same moment, while the reactor's turns are measured.  Told are
medians of batches, in time of the thread, and the memory of the process for each.
A thousand and a million take turns in one run.
"""

from __future__ import annotations

import gc
import os
import random
import sys
import time
from collections.abc import Callable
from statistics import median

from twisted.internet.task import Clock

from consoleproxy.grants import Grant, Grants, digest_of

FEW, MANY = 1_000, 1_000_000
BATCH = 1_000
ROUNDS = 100
LIFETIME = 600.0


class AheadClock(Clock):
    """Real time, and what it was advanced by."""

    def seconds(self) -> float:
        return time.monotonic() + super().seconds()


def name_of(number: int) -> str:
    return f"g{number:016x}"


def token_of(number: int) -> str:
    return f"{number:043}"


def grant(number: int) -> Grant:
    return Grant(
        name_of(number),
        f"c{number % 50_000:015x}",
        digest_of(token_of(number)),
        f"10.0.{number % 250}.7",
        10_000 + number % 2_000,
        f"{number:043}",
        f"user{number % 5_000}",
        LIFETIME,
    )


def resident() -> int:
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def batches(count: int, prepare: Callable[[int], object], do: Callable[[object], None]) -> float:
    """@return: microseconds for one, the median of batches."""
    took = []
    for _ in range(ROUNDS):
        prepared = [prepare(random.randrange(count)) for _ in range(BATCH)]
        began = time.thread_time()
        for each in prepared:
            do(each)
        took.append((time.thread_time() - began) / BATCH * 1e6)
    return median(took)


class Measured:
    def __init__(self, count: int) -> None:
        gc.collect()
        clock = AheadClock()
        grants = Grants(clock)
        before, added, worst = resident(), [], 0.0
        for start in range(0, count, BATCH):
            new = [grant(number) for number in range(start, start + BATCH)]
            began = time.thread_time()
            for each in new:
                at = time.thread_time()
                grants.authorize(each)
                worst = max(worst, time.thread_time() - at)
            added.append((time.thread_time() - began) / BATCH * 1e6)
        del new, each
        self.bytes = (resident() - before) / count
        self.adding = median(added)
        self.longest_adding = worst * 1e3
        self.finding = batches(count, name_of, grants.find)  # type: ignore[arg-type]
        self.by_token = batches(count, token_of, lambda t: self._ask(grants, str(t)))
        self.touching = batches(count, name_of, lambda n: self._touch(grants, str(n)))
        clock.advance(LIFETIME + 1)
        turns = []
        while len(grants):
            at = time.thread_time()
            grants.sweep()
            turns.append(time.thread_time() - at)
        self.expiring = sum(turns) / count * 1e6
        self.longest_expiring = max(turns) * 1e3

    @staticmethod
    def _touch(grants: Grants, name: str) -> None:
        held = grants.attach(name)
        assert held is not None
        grants.left(held)

    @staticmethod
    def _ask(grants: Grants, token: str) -> None:
        try:
            grants.by_token(token).send(None)
        except StopIteration as found:
            assert found.value is not None


ROWS = (
    ("adding", "adding", "µs"),
    ("finding by name", "finding", "µs"),
    ("finding by token", "by_token", "µs"),
    ("touching", "touching", "µs"),
    ("expiring", "expiring", "µs"),
    ("longest turn while adding", "longest_adding", "ms"),
    ("longest turn while all expire", "longest_expiring", "ms"),
    ("memory of each", "bytes", "bytes"),
)


def main() -> None:
    Measured(FEW)
    few, many = [], []
    for _ in range(3):
        few += [Measured(FEW) for _ in range(10)]
        many.append(Measured(MANY))
    sys.stdout.write(f"{'':32}{FEW:>12,}{MANY:>12,}{'ratio':>8}\n")
    for title, name, unit in ROWS:
        small = median(getattr(one, name) for one in few)
        large = median(getattr(one, name) for one in many)
        # Of what a thousand take, much is found in memory that is there already.
        ratio = f"{large / small:8.2f}" if unit == "µs" else ""
        sys.stdout.write(f"{title + ', ' + unit:32}{small:12.2f}{large:12.2f}{ratio}\n")


if __name__ == "__main__":
    main()
