"""
Which process is meant: a pid is given to another one some time after its process has
ended, so what is written down is the pid with the start time, and what is signalled is a
pidfd, which was looked at once it was held.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Running:
    """
    A process.

    @ivar started: in clock ticks since the host's start.
    """

    pid: int
    started: int

    @classmethod
    def read(cls, words: object) -> Running:
        """
        @param words: pid and start time, out of a file.
        @raise ValueError: they are none.
        """
        if not isinstance(words, list) or [type(word) for word in words] != [int, int]:
            raise ValueError("a process is its pid and its start time")
        return cls(*words)


def start_time(pid: int) -> int | None:
    """
    @return: when a process started, in clock ticks since boot; with the pid
        it names a process for good.  C{None} if there is none.
    """
    try:
        text = Path(f"/proc/{pid}/stat").read_text("ascii", "replace")
    except OSError:
        return None
    # The name, in parentheses, may hold anything; field 22 counts after it.
    fields = text.rpartition(")")[2].split()
    return None if fields[0] == "Z" else int(fields[19])


def hold(process: Running) -> int | None:
    """
    @return: a pidfd, which is the caller's; C{None} if that process has ended.
    @raise OSError: no descriptor.
    """
    if not 0 < process.pid < 1 << 31:
        return None
    try:
        handle = os.pidfd_open(process.pid)
    except ProcessLookupError:
        return None
    # Looked at after the handle is held, so it can't be another one.
    if start_time(process.pid) == process.started:
        return handle
    os.close(handle)
    return None


def this_boot() -> str:
    """@return: what tells this run of the host from others, whose pids mean nothing."""
    return Path("/proc/sys/kernel/random/boot_id").read_text("ascii").strip()
