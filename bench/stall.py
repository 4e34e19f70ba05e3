"""
What a viewer that stalls costs the others, and what it loses.

    .venv/bin/python -m bench.stall [--seconds 10] [--rounds 3] [--rate 4]

A guest pours out text (so many MB a second), and somebody types a key every 10 ms and waits for
its echo: for a while alone, and then beside a second viewer that reads nothing.  That in turns,
in one run, over the whole house (L{bench.household}).  In the end of each turn the stalled one
reads on: what it gets, and what it is told is gone, must together be what the guest has said, to
the byte.
"""

from __future__ import annotations

import argparse
import gc
import json
import os
import random
import select
import sys
import tempfile
import threading
import time
import tty
from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from bench.guest import TEXT, text_at
from bench.houses import HouseProcess
from bench.processes import cost, family
from bench.wire import PAGE, WebSocket

WARMING = 10.0
"""Seconds of the turns that are not counted."""


class TalkingGuest(threading.Thread):
    """
    Pours, and answers each key at once by that key with the upper bit set, which the text
    has nowhere.

    @ivar echoes: the offsets of the answers.
    @ivar said: bytes.
    @ivar pours: whether it does.
    """

    TURN = 2
    """Milliseconds."""

    def __init__(self, rate: float) -> None:
        super().__init__(daemon=True)
        self._master, slave = os.openpty()
        tty.setraw(slave)
        os.set_blocking(self._master, False)
        self.path = os.ttyname(slave)
        self.echoes: list[int] = []
        self.said = 0
        self.pours = False
        self._rate = rate

    def run(self) -> None:
        owed, last = 0.0, time.monotonic()
        poll = select.poll()
        poll.register(self._master, select.POLLIN)
        while True:
            heard = os.read(self._master, 4096) if poll.poll(self.TURN) else b""
            for key in heard:
                self._say(bytes([key | 0x80]))
                self.echoes.append(self.said - 1)
            now = time.monotonic()
            owed = min(owed + (now - last) * self._rate, self._rate) if self.pours else 0.0
            last = now
            if owed >= 1:
                text = text_at(self.said - len(self.echoes), min(int(owed), 16384))
                owed -= self._say(text, wait=False)

    def _say(self, words: bytes, wait: bool = True) -> int:
        while True:
            try:
                wrote = os.write(self._master, words)
                self.said += wrote
                return wrote
            except BlockingIOError:
                if not wait:
                    return 0
                time.sleep(0.0002)

    def expected(self, offset: int, length: int) -> bytes:
        """
        @return: what it has said there.
        """
        parts = []
        while length:
            before = bisect_left(self.echoes, offset)
            until = self.echoes[before] if before < len(self.echoes) else 1 << 62
            if until == offset:
                parts.append(b"\xff")
                offset, length = offset + 1, length - 1
                continue
            part = text_at(offset - before, min(length, until - offset, len(TEXT)))
            parts.append(part)
            offset, length = offset + len(part), length - len(part)
        return b"".join(parts)


ANY_ECHO = bytes(byte if byte < 0x80 else 0xFF for byte in range(256))


class Viewer:
    """
    @ivar offset: the next byte; C{first}: the first one.
    @ivar seen: bytes, C{missed}: told to be gone.
    """

    def __init__(self, house: HouseProcess, guest: TalkingGuest) -> None:
        self._guest = guest
        token = house.ask(do="open", index=0, mode="rw")["token"]
        self._socket = WebSocket(house.port, f"/?token={token}", "ajaxterm.v1", PAGE, patience=30)
        self.first = self.offset = -1
        self.seen = self.missed = 0
        while self.offset < 0:
            self.read()

    def read(self) -> bytes:
        """
        @return: the echoes among what came.
        """
        echoes = b""
        for piece in self._socket.recv():
            if isinstance(piece, str):
                event = json.loads(piece)
                if event["event"] == "hello":
                    self.first = self.offset = event["offset"]
                elif event["event"] == "gap":
                    assert event["offset"] == self.offset + event["missed"], event
                    self.missed += event["missed"]
                    self.offset = event["offset"]
                continue
            same = piece.translate(ANY_ECHO)
            # The guest notes an echo a moment after it has said it.
            for _ in range(100):
                if same == self._guest.expected(self.offset, len(piece)):
                    break
                time.sleep(0.001)
            else:
                due = self._guest.expected(self.offset, len(piece))
                raise AssertionError(
                    f"{len(piece)} bytes at {self.offset} are not the guest's: {piece[:40]!r} are "
                    f"seen, and {due[:40]!r} was said"
                )
            self.offset += len(piece)
            self.seen += len(piece)
            echoes += piece.translate(None, bytes(range(0x80)))
        return echoes

    def type(self, key: bytes) -> float:
        """
        @return: the seconds until its echo is seen.
        """
        began = time.perf_counter()
        self._socket.send(key)
        while bytes([key[0] | 0x80]) not in self.read():
            pass
        return time.perf_counter() - began

    def close(self) -> None:
        self._socket.close()


@dataclass(slots=True)
class Turn:
    """
    @ivar times: of the keys, in seconds.
    @ivar grown: bytes that all of the servers have more, at the most.
    """

    times: list[float]
    grown: int = 0
    seen: int = 0
    missed: int = 0


def memory(house: HouseProcess) -> int:
    return cost(family([house.process.pid])).anonymous


def turn(house: HouseProcess, guest: TalkingGuest, typist: Viewer, stalls: bool, s: float) -> Turn:
    """
    @param stalls: whether another viewer does.
    @param s: seconds.
    """
    stalled = Viewer(house, guest) if stalls else None
    before = memory(house)
    result = Turn([])
    measuring = threading.Event()

    def measure() -> None:
        while not measuring.wait(2.0):
            result.grown = max(result.grown, memory(house) - before)

    measurer = threading.Thread(target=measure, daemon=True)
    guest.pours = True
    measurer.start()
    gc.disable()
    end = time.monotonic() + s
    while time.monotonic() < end:
        result.times.append(typist.type(random.choice((b"k", b"l", b"m"))))
        pause = time.monotonic() + 0.01
        while time.monotonic() < pause:
            typist.read()
    gc.enable()
    guest.pours = False
    measuring.set()
    measurer.join()
    time.sleep(0.1)
    while typist.offset < guest.said:
        typist.read()
    if stalled is not None:
        while stalled.offset < guest.said:
            stalled.read()
        assert stalled.first + stalled.seen + stalled.missed == guest.said
        result.seen, result.missed = stalled.seen, stalled.missed
        stalled.close()
    return result


def percentile(times: Sequence[float], part: float) -> float:
    return sorted(times)[min(len(times) - 1, int(len(times) * part))]


def table(alone: Turn, beside: Turn) -> None:
    write = sys.stdout.write
    write(f"| | alone | beside one that stalls |\n|---|---|---|\n| keys | {len(alone.times)}")
    write(f" | {len(beside.times)} |\n")
    for name, part in (("p50", 0.5), ("p99", 0.99)):
        one, other = (percentile(turn.times, part) * 1000 for turn in (alone, beside))
        write(f"| echo {name} | {one:.2f} ms | {other:.2f} ms |\n")
    write(f"| servers grew by | {alone.grown / 1e6:.2f} MB | {beside.grown / 1e6:.2f} MB |\n")
    write(f"| seen when it read on | | {beside.seen:,} bytes |\n")
    write(f"| told to be gone | | {beside.missed:,} bytes |\n")


def main() -> None:
    parser = argparse.ArgumentParser(prog="bench.stall", description=__doc__)
    parser.add_argument("--seconds", type=float, default=10.0, help="that it stalls")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--rate", type=float, default=4.0, help="MB/s that the guest pours")
    options = parser.parse_args()
    guest = TalkingGuest(options.rate * 1e6)
    guest.start()
    with tempfile.TemporaryDirectory(prefix="bench-stall-") as folder:
        house = HouseProcess(Path(folder), 20000 + os.getpid() % 10000)
        try:
            house.ask(do="guest", index=0, pty=guest.path)
            typist = Viewer(house, guest)
            # What fills now, the ring first of all, is not the stalled one's.
            for stalls in (False, True):
                turn(house, guest, typist, stalls, min(options.seconds, WARMING))
            alone, beside = Turn([]), Turn([])
            for _ in range(options.rounds):
                for all_turns, stalls in ((alone, False), (beside, True)):
                    one = turn(house, guest, typist, stalls, options.seconds)
                    all_turns.times += one.times
                    all_turns.grown = max(all_turns.grown, one.grown)
                    all_turns.seen += one.seen
                    all_turns.missed += one.missed
            table(alone, beside)
        finally:
            house.end()


if __name__ == "__main__":
    main()
