"""
What a terminal runs and which names it knows, found out by being all that is around one.

A rehearsal is watched; and then a child becomes a terminal as those do that are forked by
the foundry, to which we are agent, line and viewers, and is watched too: the rehearsal does
not read its arguments, make a reactor or run it.
"""

from __future__ import annotations

import fcntl
import gc
import json
import os
import signal
import sys
from contextlib import ExitStack
from types import CodeType, FrameType

from ajaxterm.foundry import WORDS, Be, Reading, become, keep_only, load
from ajaxterm.nearby import place_of, strings_of
from ajaxterm.rehearsal import act, hear, listening, rehearse, watch

MOST_TOLD = 1 << 20
"""Bytes that a watched terminal can tell; it tells 100,000 (measured)."""

MARK = b"\0"
"""Begins what it tells; else it is its log."""


def tried(user: str | None, patience: int) -> tuple[list[str], list[str]]:
    """
    @param user: who the terminals are, C{UID:GID}; we are afterwards.
    @param patience: seconds that a terminal may live.
    @return: the names, and where the code is (L{place_of}).
    @raise OSError: there is no loopback here, for example.
    """
    serve, be = load()
    become(user)
    rehearse(serve)  # what runs once, and never again, does not count
    ran = watch(serve)
    names, places = strings_of(ran), {place_of(each) for each in ran}
    gc.collect()  # else the rehearsal's leavings would close descriptors of the terminal's
    try:
        for place, known in _shadowed(be, patience):
            places.add(place)
            names.update(known)
    except OSError as problem:
        sys.stderr.write(f"A terminal was tried in vain: {problem!r}\n")
    return sorted(names), sorted(places)


def _shadowed(be: Be, patience: int) -> list[tuple[str, list[str]]]:
    """
    @return: where the code is that a terminal ran, and the names that each knows.
    """
    stage, doors = listening()
    ours, its = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            signal.alarm(patience)
            # What it would log goes the same way, and is told apart.
            os.dup2(its, 2)
            handed = [*(each.detach() for each in stage), its]
            sys.setprofile(_Teller())
            keep_only(handed)
            be(Reading()(WORDS))
        finally:
            os._exit(0)
    os.close(its)
    for each in stage:
        each.close()
    with open(ours, "rb") as told, ExitStack() as stack:
        try:
            # Else it would wait for us to read, while we wait for its answer.
            fcntl.fcntl(told, fcntl.F_SETPIPE_SZ, MOST_TOLD)
            act(doors, hear, stack)
        finally:
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)
        whole = told.read().splitlines()[:-1]
    return [json.loads(line[1:]) for line in whole if line.startswith(MARK)]


class _Teller:
    """
    Tells of each code when it runs first.
    """

    def __init__(self) -> None:
        self._told: set[CodeType] = set()

    def __call__(self, frame: FrameType, event: str, _: object) -> None:
        code = frame.f_code
        if event == "call" and code not in self._told:
            self._told.add(code)
            words = json.dumps([place_of(code), sorted(strings_of({code}))])
            os.write(2, MARK + words.encode("ascii") + b"\n")
