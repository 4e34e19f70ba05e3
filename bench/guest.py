"""
Guests for the benchmarks: ptys whose other side says a known text.

    python -m bench.guest COUNT

  standard input, a line each     standard output, a line each
                                  ["/dev/pts/4", ...]                       at first
  say INDEX LENGTH                                                          so much more of it
  begin INDEX                                                               from its beginning again
  stop INDEX                      {"said", "heard", "wrong"}                say no more
  count INDEX                     {"said", "heard": [0, 0, 0, 0], "wrong"}

For each byte that a guest hears it says one.  So every byte of its output is known by its
offset, and an echo that some terminal on the way made is told from the guest's.

What it hears are up to four people: the upper two bits of a byte are who, the lower six
count from 0 to 60.  C{heard} is how much of each; C{wrong} how often one did not go on.

It is a process of its own, so that its time is not the client's.
"""

from __future__ import annotations

import json
import os
import random
import select
import subprocess
import sys
import tty
from typing import Any

CYCLE = 61


def _text(length: int = 1_000_003) -> bytes:
    """
    Lines as of a kernel that boots; of a prime length, so that a block that comes twice shows.
    """
    choose = random.Random(20).choice
    words = ("kernel:", "systemd[1]:", "eth0:", "link", "up", "Started", "usb", "new", "[  OK  ]")
    said, number = bytearray(), 0
    while len(said) < length:
        line = f"[{number / 7:12.6f}] {' '.join(choose(words) for _ in range(number % 9 + 2))}"
        if number % 4 == 0:
            line = f"\x1b[1;3{number % 8}m{line}\x1b[0m"
        said += line.encode() + b"\r\n"
        number += 1
    return bytes(said[:length])


TEXT = _text()
_TWICE = TEXT + TEXT


def text_at(offset: int, length: int) -> bytes:
    """
    @return: what a guest says there; at most as much as the text is long.
    """
    begin = offset % len(TEXT)
    return _TWICE[begin : begin + length]


def keys(who: int, count: int, length: int) -> bytes:
    """
    @return: what somebody types next, who has typed C{count} bytes so far.
    """
    return bytes(who << 6 | (count + i) % CYCLE for i in range(length))


class Guests:
    """
    The caller's side.

    @ivar ptys: paths.
    """

    def __init__(self, count: int) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "bench.guest", str(count)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            bufsize=1,
        )
        assert self._process.stdin is not None and self._process.stdout is not None
        self._in, self._out = self._process.stdin, self._process.stdout
        self.ptys: list[str] = json.loads(self._out.readline())

    def tell(self, verb: str, *numbers: int) -> None:
        self._in.write(f"{verb} {' '.join(map(str, numbers))}\n")
        self._in.flush()

    def ask(self, verb: str, index: int) -> dict[str, Any]:
        self.tell(verb, index)
        answer: dict[str, Any] = json.loads(self._out.readline())
        return answer

    def close(self) -> None:
        self._process.kill()
        self._process.wait()
        self._in.close()
        self._out.close()


class _Guest:
    def __init__(self) -> None:
        self.master, slave = os.openpty()
        tty.setraw(slave)  # which stays open, so that there is no hang-up
        os.set_blocking(self.master, False)
        self.path = os.ttyname(slave)
        self.begin()

    def begin(self) -> None:
        self.said = self.owed = self.wrong = 0
        self.heard = [0, 0, 0, 0]
        self._next = [0, 0, 0, 0]

    def hear(self) -> None:
        try:
            heard = os.read(self.master, 65536)
        except BlockingIOError:
            return
        for byte in heard:
            who, number = byte >> 6, byte & 63
            if self._next[who] != number:
                self.wrong += 1
            self._next[who] = (number + 1) % CYCLE
            self.heard[who] += 1
        self.owed += len(heard)
        self.say()

    def say(self) -> None:
        while self.owed:
            try:
                wrote = os.write(self.master, text_at(self.said, min(self.owed, 65536)))
            except BlockingIOError:
                return
            self.said += wrote
            self.owed -= wrote

    def counts(self) -> dict[str, Any]:
        return {"said": self.said, "heard": self.heard, "wrong": self.wrong}


def _obey(guests: list[_Guest], line: str) -> None:
    verb, *numbers = line.split()
    guest = guests[int(numbers[0])]
    if verb == "say":
        guest.owed += int(numbers[1])
        return
    if verb == "begin":
        guest.begin()
        return
    if verb == "stop":
        guest.owed = 0
    sys.stdout.write(json.dumps(guest.counts()) + "\n")
    sys.stdout.flush()


def main(count: str) -> None:
    guests = [_Guest() for _ in range(int(count))]
    sys.stdout.write(json.dumps([guest.path for guest in guests]) + "\n")
    sys.stdout.flush()
    by_master = {guest.master: guest for guest in guests}
    poll = select.epoll()
    for master in (*by_master, 0):
        poll.register(master, select.EPOLLIN)
    talking: set[_Guest] = set()
    pending = b""
    while True:
        # A pty that has room again does not always say so.
        for master, _ in poll.poll(0.02 if talking else None):
            if master:
                guest = by_master[master]
                guest.hear()
                guest.say()
                continue
            ordered = os.read(0, 65536)
            if not ordered:
                return
            *lines, pending = (pending + ordered).split(b"\n")
            for line in lines:
                _obey(guests, line.decode())
        for guest in guests:
            if bool(guest.owed) != (guest in talking):
                wanted = select.EPOLLIN | (select.EPOLLOUT if guest.owed else 0)
                poll.modify(guest.master, wanted)
                (talking.add if guest.owed else talking.discard)(guest)
        for guest in list(talking):
            guest.say()


if __name__ == "__main__":
    main(*sys.argv[1:])
