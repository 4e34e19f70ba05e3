"""
Consoles, ours beside others', on the same work in one run.

    .venv/bin/python -m bench.consoles [--peers raw,ttyd+nginx,ours] [--metrics echo,bulk]
                                       [--rounds 3] [--base ttyd+nginx] [--json FILE]

bench/README.md says what is measured, and whom it is compared with (L{bench.peers}).  Machines
differ, and have other things to do: what counts is the ratio between two in the same run.
"""

from __future__ import annotations

import argparse
import contextlib
import gc
import json
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from bench.guest import Guests, text_at
from bench.peers import PEERS, Peer
from bench.processes import cost, cpu, family
from bench.wire import Closed, Tcp

MB = 1e6
FIRST = 7
"""How much each guest says before anybody is there."""

Result = dict[str, float]


class NotExact(Exception):
    """What came is not what the guest said."""


@dataclass(slots=True)
class Seat:
    """
    A client at a console, which checks what it gets.

    @ivar offset: of the next byte.
    @ivar missed: bytes that it was told are gone.
    """

    client: Tcp
    offset: int = 0
    missed: int = 0

    def read(self) -> int:
        """
        @return: how much came.
        """
        before = self.offset
        for piece in self.client.recv():
            if isinstance(piece, bytes):
                if piece != text_at(self.offset, len(piece)):
                    raise NotExact(f"{len(piece)} bytes at {self.offset}")
                self.offset += len(piece)
            elif (event := json.loads(piece))["event"] == "gap":
                self.missed += event["missed"]
                self.offset = event["offset"]
        return self.offset - before

    def read_until(self, offset: int) -> None:
        while self.offset < offset:
            self.read()


@contextlib.contextmanager
def serving(name: str, count: int) -> Iterator[tuple[Peer, Guests]]:
    """
    C{count} guests, each of which has said a little, and who serves them.
    """
    guests = Guests(count)
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        peer = PEERS[name](Path(folder), guests.ptys)
        try:
            peer.start()
            for index in range(count):
                guests.tell("say", index, FIRST)
            yield peer, guests
        finally:
            peer.stop()
            guests.close()


def seat(peer: Peer, index: int = 0, as_page: bool = False) -> Seat:
    """Open a console, and see what its guest has said already."""
    peer.open(index)
    taken = Seat(peer.until_connected(index, as_page))
    taken.read_until(FIRST)
    return taken


def percentile(times: Sequence[float], part: float) -> float:
    return sorted(times)[min(len(times) - 1, int(len(times) * part))]


# What is measured: each takes the names of peers, and gives the results of one round.


def echo(names: Sequence[str], keys: int = 2000, turns: int = 10) -> dict[str, Result]:
    """All of them at once, in turns, so that what disturbs one disturbs all."""
    times: dict[str, list[float]] = {name: [] for name in names}
    with contextlib.ExitStack() as stack:
        seats = {}
        for name in names:
            peer, _ = stack.enter_context(serving(name, 1))
            seats[name] = seat(peer)
        gc.disable()
        for turn in range(turns + 1):
            for name in [*names[turn % len(names) :], *names[: turn % len(names)]]:
                for _ in range(keys // turns):
                    began = time.perf_counter()
                    seats[name].client.send(b"k")
                    while not seats[name].read():
                        pass
                    if turn:  # the first is to warm up
                        times[name].append((time.perf_counter() - began) * 1e6)
        gc.enable()
    return {
        name: {"p50 µs": percentile(each, 0.5), "p99 µs": percentile(each, 0.99)}
        for name, each in times.items()
    }


def bulk(name: str, length: int = 64 << 20) -> Result:
    """Text, as fast as it comes."""
    with serving(name, 1) as (peer, guests):
        taken = seat(peer)
        used, began = cpu(peer.roots()), time.perf_counter()
        guests.tell("say", 0, length)
        taken.read_until(FIRST + length)
        spent = time.perf_counter() - began
        return {
            "MB/s": length / spent / MB,
            "CPU s/GB": (cpu(peer.roots()) - used) / length * 1e9,
        }


def memory(name: str, count: int = 50) -> Result:
    """Of consoles at each of which somebody is."""
    with serving(name, count) as (peer, _):
        seats = [seat(peer, index) for index in range(count)]
        time.sleep(2)
        held = cost(family(peer.roots()))
        assert len(seats) == count
        return {"PSS MB": held.pss / count / MB, "processes": held.processes / count}


def opening(name: str, count: int = 20) -> Result:
    """From asking for a console to its first output."""
    times = []
    with serving(name, count) as (peer, _):
        for index in range(count):
            began = time.perf_counter()
            seat(peer, index).client.close()
            times.append((time.perf_counter() - began) * 1000)
    return {"median ms": statistics.median(times), "longest ms": max(times)}


def stall(name: str, seconds: float = 10.0, length: int = 256 << 20) -> Result:
    """The client reads nothing for a while, and then reads on."""
    with serving(name, 1) as (peer, guests):
        taken = seat(peer, as_page=True)
        time.sleep(0.5)
        before = highest = cost(family(peer.roots())).pss
        guests.tell("say", 0, length)
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            time.sleep(0.25)
            highest = max(highest, cost(family(peer.roots())).pss)
        said = guests.ask("stop", 0)["said"]
        cut = 0.0
        try:
            taken.read_until(said)
        except (Closed, NotExact):
            cut = 1.0
        return {
            "grown MB": (highest - before) / MB,
            "said MB": said / MB,
            "seen MB": (taken.offset - taken.missed) / MB,
            "told gone MB": taken.missed / MB,
            "cut off": cut,
        }


def _one_by_one(measure: Callable[[str], Result]) -> Callable[[Sequence[str]], dict[str, Result]]:
    return lambda names: {name: measure(name) for name in names}


METRICS: Mapping[str, Callable[[Sequence[str]], dict[str, Result]]] = {
    "echo": echo,
    "bulk": _one_by_one(bulk),
    "memory": _one_by_one(memory),
    "open": _one_by_one(opening),
    "stall": _one_by_one(stall),
}

Rounds = dict[str, dict[str, list[Result]]]
"""By metric, by peer."""


def table(rounds: Rounds, base: str) -> str:
    lines = []
    for metric, by_peer in rounds.items():
        units = list(next(iter(by_peer.values()))[0])
        lines += ["", f"| {metric} | " + " | ".join(f"{unit} | x" for unit in units) + " |"]
        lines.append("|" + "---|" * (1 + 2 * len(units)))
        medians = {
            name: {unit: statistics.median(r[unit] for r in results) for unit in units}
            for name, results in by_peer.items()
        }
        for name, median in medians.items():
            cells = [name]
            for unit in units:
                value, other = median[unit], medians.get(base, {}).get(unit)
                cells.append(f"{value:.1f}" if value < 100 else f"{value:.0f}")
                cells.append(f"{value / other:.2f}" if other else "")
            lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines[1:]) + "\n"


def main() -> None:
    parser = argparse.ArgumentParser(prog="bench.consoles", description=__doc__)
    parser.add_argument("--peers", default="raw,ttyd+nginx,ours", help=", ".join(PEERS))
    parser.add_argument("--metrics", default="echo,bulk,memory,open", help=", ".join(METRICS))
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--base", default="ttyd+nginx", help="to which the ratios are")
    parser.add_argument("--json", type=Path, help="where all numbers go")
    options = parser.parse_args()
    peers, metrics = options.peers.split(","), options.metrics.split(",")
    for unknown in {*peers} - {*PEERS} | {*metrics} - {*METRICS}:
        parser.error(f"there is no {unknown}")
    rounds: Rounds = {metric: {name: [] for name in peers} for metric in metrics}
    for number in range(options.rounds):
        for metric in metrics:
            for name, result in METRICS[metric](peers).items():
                rounds[metric][name].append(result)
                sys.stderr.write(f"round {number + 1}: {metric} of {name}: {result}\n")
    if options.json:
        options.json.write_text(json.dumps(rounds, indent=1))
    sys.stdout.write(table(rounds, options.base))


if __name__ == "__main__":
    main()
