"""
Ends what an agent has left running that nobody goes on with.

Each terminal is told to finish, so that its viewers hear why; what has not ended after a
moment is killed.  Blocks, for L{PATIENCE} at the most where there are no more than
L{BATCH}.
"""

from __future__ import annotations

import contextlib
import json
import os
import select
import signal
import socket
import time
from collections.abc import Sequence

from computeagent.kept import processes_in
from computeagent.pids import hold
from computeagent.rooms import Room

PATIENCE = 2.0
"""Seconds that they have to end by themselves."""

BATCH = 200
"""Consoles at a time, since each takes three descriptors."""

ENDED = "The host's console agent was started anew and could not go on with this console."


def sweep(rooms: Sequence[Room], message: str = ENDED) -> int:
    """
    @param message: for the viewers.
    @return: how many consoles that were.
    """
    for first in range(0, len(rooms), BATCH):
        _sweep(rooms[first : first + BATCH], message)
    return len(rooms)


def _sweep(rooms: Sequence[Room], message: str) -> None:
    with contextlib.ExitStack() as held:
        told = False
        pidfds: list[int] = []
        for room in rooms:
            for process in processes_in(room):
                pidfd = hold(process)
                if pidfd is not None:
                    pidfds.append(pidfd)
                    held.callback(os.close, pidfd)
            told = _told_to_finish(room, message, held) or told
        if told:
            _wait(pidfds)
        for pidfd in pidfds:
            with contextlib.suppress(ProcessLookupError):
                signal.pidfd_send_signal(pidfd, signal.SIGKILL)
    for room in rooms:
        room.clear()


def _told_to_finish(room: Room, message: str, held: contextlib.ExitStack) -> bool:
    talk = held.enter_context(socket.socket(socket.AF_UNIX, socket.SOCK_STREAM))
    talk.setblocking(False)
    order = {"id": 1, "do": "finish", "reason": "leaving", "message": message}
    try:
        talk.connect(str(room.control))
        talk.send(json.dumps(order).encode("ascii") + b"\n")
    except OSError:
        return False  # nobody listens there any more, or is able to
    return True


def _wait(pidfds: Sequence[int]) -> None:
    deadline = time.monotonic() + PATIENCE
    left = set(pidfds)
    while left and time.monotonic() < deadline:
        polling = select.poll()
        for pidfd in left:
            polling.register(pidfd, select.POLLIN)
        ended = polling.poll(max(0.0, deadline - time.monotonic()) * 1000)
        left.difference_update(pidfd for pidfd, _ in ended)
