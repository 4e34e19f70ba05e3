"""
Many consoles used for a long time: is each byte right, and does nothing grow?

    .venv/bin/python -m bench.soak [--minutes 30] [--consoles 50] [--seed N] [--every 30]

The whole house (L{bench.household}: agent, fork server, proxy, real socats on real ptys), and at
each console people (L{bench.people}) who come and go, type, let the guest talk much, stall,
lose their connections and go on, poll; grants are revoked, socats killed, consoles ended and
opened anew, by a seed that is printed.  Each byte that anybody sees is compared with what the guest
says at that offset, and each byte that the guest hears with what was typed.

Every 30 s it is noted what the house holds.  In the end a line is fitted to the second half of
that, and what it grows by must be within L{BOUNDS}; then everybody goes, and nothing may be left.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import random
import secrets
import statistics
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Coroutine, Sequence
from itertools import combinations
from pathlib import Path
from typing import Any

from bench.guest import Guests
from bench.houses import HouseProcess
from bench.people import NOBODY, PATIENCE, Inexact, Person, Poller
from bench.processes import by_kind, command

BOUNDS = {
    "house own MB": 2.0,
    "foundry own MB": 2.0,
    "ajaxterm own MB": 0.25,
    "socat own MB": 0.1,
    "delayed calls": 20.0,
    "objects": 4000.0,
}
"""By how much each may grow in the second half: of ajaxterms and socats it is the mean of one.
C{own} is without the pages of files: of those each has the less the more others use the same
files.  Objects, calls and the house depend on how many people happen to be there."""

LEFT = {"delayed calls": 2, "readers": 0, "grants": 0, "consoles": 0, "house fds": 32}
"""How much more than before the first console may be left when all are gone.  The descriptors are
those of the pipes through which the proxy splices: it keeps up to 16."""

Row = dict[str, float]


class House(HouseProcess):
    """
    A house that many ask at the same time.
    """

    async def order(self, **words: object) -> dict[str, Any]:
        reader, writer = await asyncio.open_unix_connection(str(self.door))
        writer.write(json.dumps(words).encode() + b"\n")
        answer: dict[str, Any] = json.loads(await asyncio.wait_for(reader.readline(), PATIENCE))
        writer.close()
        if "failed" in answer:
            raise Inexact(f"{words} failed: {answer['failed']}")
        return answer

    def kind(self, pid: int, parent: int) -> str:
        if pid == self.process.pid:
            return "house"
        if parent != self.process.pid:
            return "ajaxterm"
        return "socat" if "socat" in command(pid) else "foundry"


class Life:
    """
    What happens at one console, one thing after another.

    @ivar said: how much its guest should have said.
    @ivar done: what was done how often, at all consoles.
    """

    def __init__(
        self, house: House, guests: Guests, index: int, seed: int, done: Counter[str]
    ) -> None:
        self._house, self._guests, self._index = house, guests, index
        self._random = random.Random(f"{seed} {index}")
        self.done = done
        self.said = 0
        self.keys = [0, 0, 0, 0]
        self.people: list[Person] = []
        self.console = ""
        self._grants: dict[Person, str] = {}
        self._deeds: list[tuple[int, Callable[[], Coroutine[Any, Any, None]]]] = [
            (30, self.type),
            (15, self.talk),
            (12, self.come),
            (8, self.go),
            (8, self.break_off),
            (3, self.stall),
            (3, self.revoke),
            (2, self.kill_socat),
            (1, self.end),
        ]

    async def live(self, until: float) -> None:
        await self._house.order(do="guest", index=self._index, pty=self._guests.ptys[self._index])
        weights, deeds = zip(*self._deeds, strict=True)
        while time.monotonic() < until:
            if not self.people:
                await self.come()
            deed = self._random.choices(deeds, weights)[0]
            await deed()
            self.done[deed.__name__.replace("_", " ")] += 1
            await self.all_seen()
            await asyncio.sleep(self._random.expovariate(1.0))
        await self.end()

    async def all_seen(self) -> None:
        """Everybody has seen everything, or was told what is gone."""
        for person in self.people:
            await person.until(
                lambda person=person: person.offset == self.said,  # type: ignore[misc]
                "it sees everything",
            )

    # The deeds.

    async def come(self) -> None:
        free = {0, 1, 2, 3} - {person.who for person in self.people}
        if len(self.people) >= 5:
            return
        who = min(free) if free and self._random.random() < 0.7 else NOBODY
        kind = Poller if self._random.random() < 0.2 else Person
        granted = await self._house.order(
            do="open", index=self._index, mode="ro" if who == NOBODY else "rw"
        )
        if granted["console"] != self.console:
            if self.people:
                raise Inexact("there is another console now, and nobody knows why")
            self.console = granted["console"]
        person = kind(self._house.port, who, 0 if who == NOBODY else self.keys[who])
        await person.arrive(granted["token"])
        self.people.append(person)
        self._grants[person] = granted["grant"]

    async def go(self) -> None:
        if self.people:
            person = self._someone()
            self._forget(person)
            await person.leave()

    async def type(self) -> None:
        typists = [person for person in self.people if person.who != NOBODY]
        for person in typists[: self._random.randrange(1, 3)]:
            await self._type(person, self._random.choice((1, 1, 5, 40, 3000)))

    async def _type(self, person: Person, length: int) -> None:
        await person.type(length)
        self.said += length
        self.keys[person.who] += length
        await person.until(lambda: person.counted == person.typed, "what it typed is counted")

    async def talk(self) -> None:
        self._say(self._random.choice((200, 20_000, 300_000, 1_500_000)))

    async def break_off(self) -> None:
        """With output on its way, and perhaps keys."""
        person = self._someone()
        self._say(self._random.choice((2_000, 400_000)))
        if person.who != NOBODY:
            length = self._random.randrange(1, 2000)
            self.said += length
            self.keys[person.who] += length
            await person.type(length)
        await asyncio.sleep(self._random.random() * 0.05)
        await person.break_off()
        if not isinstance(person, Poller):
            await person.attach()
        await person.until(lambda: person.counted == person.typed, "what it typed is counted")

    async def stall(self) -> None:
        person = self._someone()
        person.stall()
        self._say(self._random.randrange(3_000_000, 9_000_000))
        await asyncio.sleep(self._random.random() * 10)
        person.wake()

    async def revoke(self) -> None:
        person = self._someone()
        self._say(100_000)
        await self._house.order(do="revoke", grant=self._grants[person])
        self._forget(person)
        code = await person.until_closed()
        if code not in (4003, 403, 409):
            raise Inexact(f"a revoked one is closed with {code}")

    async def kill_socat(self) -> None:
        """While nothing is on its way, since it takes with it what it holds."""
        await self.all_seen()
        before = await self._socat()
        os.kill(before, 9)
        async with asyncio.timeout(PATIENCE):
            while (await self._socat()) in (None, before):
                await asyncio.sleep(0.05)
        self._say(1000)

    async def _socat(self) -> Any:
        return (await self._house.order(do="socat", console=self.console))["pid"]

    async def end(self) -> None:
        await self.all_seen()
        if not self.console:
            return
        await self._house.order(do="close", console=self.console)
        for person in list(self.people):
            self._forget(person)
            code = await person.until_closed()
            # 502: a poll that came when the terminal was gone, and its grants not yet.
            if code not in (1000, 403, 409, 502):
                raise Inexact(f"at the end it is closed with {code}")
        counts = self._guests.ask("count", self._index)
        if counts != {"said": self.said, "heard": self.keys, "wrong": 0}:
            raise Inexact(f"the guest counts {counts}, but {self.said} and {self.keys} were due")
        self._guests.tell("begin", self._index)
        self.said, self.keys, self.console = 0, [0, 0, 0, 0], ""

    def _say(self, length: int) -> None:
        self.said += length
        self._guests.tell("say", self._index, length)

    def _someone(self) -> Person:
        return self._random.choice(self.people)

    def _forget(self, person: Person) -> None:
        self.people.remove(person)
        del self._grants[person]


async def sample(house: House) -> Row:
    kinds = await asyncio.to_thread(by_kind, house.process.pid, house.kind)
    row: Row = {}
    for name in ("house", "foundry", "ajaxterm", "socat"):
        if name in kinds:
            each = kinds[name].processes if name in ("ajaxterm", "socat") else 1
            row[f"{name} MB"] = kinds[name].pss / max(1, each) / 1e6
            row[f"{name} own MB"] = kinds[name].anonymous / max(1, each) / 1e6
            row[f"{name} fds"] = kinds[name].descriptors / max(1, each)
    row["processes"] = sum(kind.processes for kind in kinds.values())
    return row | await house.order(do="state")


def growth(rows: Sequence[Row], name: str) -> float:
    """
    @return: by how much a line through the second half of the samples rises.  The line is
        Theil's and Sen's, the median of those through any two: a house that forks just when it is
        looked at seems to have half its memory, and least squares would make much of that.
    """
    half = [row for row in rows[len(rows) // 2 :] if name in row]
    if len(half) < 2:
        return 0.0
    times = [row["minute"] for row in half]
    slopes = [
        (later[name] - one[name]) / (later["minute"] - one["minute"])
        for one, later in combinations(half, 2)
    ]
    return statistics.median(slopes) * (times[-1] - times[0])


async def watch(
    house: House, lives: Sequence[Life], every: float, until: float, rows: list[Row]
) -> None:
    began, names = time.monotonic(), None
    while time.monotonic() + every < until:
        await asyncio.sleep(every)
        row = {"minute": (time.monotonic() - began) / 60} | await sample(house)
        row["people"] = sum(len(life.people) for life in lives)
        rows.append(row)
        if names is None:
            names = list(row)
            say("  ".join(names))
        say("  ".join(f"{row.get(name, 0):{len(name)}.{1 + ('MB' in name)}f}" for name in names))


def say(words: str) -> None:
    sys.stdout.write(words + "\n")
    sys.stdout.flush()


async def soak(options: argparse.Namespace, house: House, guests: Guests) -> list[str]:
    """
    @return: what was not as it must be.
    """
    done: Counter[str] = Counter()
    await Life(house, guests, 0, 0, Counter()).live(time.monotonic() + 3)
    await asyncio.sleep(1)
    before = await sample(house)
    lives = [Life(house, guests, i, options.seed, done) for i in range(options.consoles)]
    rows: list[Row] = []
    until = time.monotonic() + options.minutes * 60
    watching = asyncio.create_task(watch(house, lives, options.every, until, rows))
    problems = []
    living = [asyncio.create_task(life.live(until)) for life in lives]
    for index, result in enumerate(await asyncio.gather(*living, return_exceptions=True)):
        if result is not None:
            problems.append(f"console {index}: {result!r}")
    await watching
    say("done: " + ", ".join(f"{name} {count}" for name, count in sorted(done.items())))
    for name, bound in BOUNDS.items():
        grown = growth(rows, name)
        say(f"{name} grew by {grown:.2f} in the second half (may: {bound})")
        if grown > bound and options.minutes >= 10:  # before that it only warms up
            problems.append(f"{name} grew by {grown:.2f}")
    return problems + await leavings(house, before)


async def leavings(house: House, before: Row) -> list[str]:
    """
    What is left when all are gone; kept connections and unused grants have their time.
    """
    deadline = time.monotonic() + 180
    while True:
        after = await sample(house)
        left = [
            f"{name}: {before[name]:.0f} before the first console, {after[name]:.0f} after the last"
            for name, more in LEFT.items()
            if after[name] > before[name] + more
        ]
        if after["processes"] != 2:
            left.append(f"{after['processes']:.0f} processes are left, not house and foundry alone")
        if not left or time.monotonic() > deadline:
            break
        await asyncio.sleep(1)
    say(f"after all are gone: {after}")
    log = house.log.read_text("utf-8", "replace")
    for sign in ("Traceback", "Unhandled"):
        if sign in log:
            left.append(f"the log has a {sign}: {log[log.index(sign) :][:4000]}")
    return left


def main() -> None:
    parser = argparse.ArgumentParser(prog="bench.soak", description=__doc__)
    parser.add_argument("--minutes", type=float, default=30.0)
    parser.add_argument("--consoles", type=int, default=50)
    parser.add_argument("--every", type=float, default=30.0)
    parser.add_argument("--seed", type=int, default=secrets.randbelow(1 << 32))
    options = parser.parse_args()
    say(f"seed {options.seed}, {options.consoles} consoles, {options.minutes} minutes")
    guests = Guests(options.consoles)
    with tempfile.TemporaryDirectory(prefix="bench-soak-") as folder:
        house = House(Path(folder), 20000 + os.getpid() % 10000)
        try:
            problems = asyncio.run(soak(options, house, guests))
        finally:
            house.end()
            guests.close()
    for problem in problems:
        say(f"NOT AS IT MUST BE: {problem}")
    if problems:
        sys.exit(1)
    say("Each byte was right, nothing grew beyond its bound, and nothing is left.")


if __name__ == "__main__":
    main()
