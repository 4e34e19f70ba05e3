"""
What the processes of a benchmark cost, out of /proc.
"""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Cost:
    """
    @ivar pss: bytes; of what processes share, each has its part.
    @ivar anonymous: of those, what is not of files: so it does not change when somebody else
        begins or ends to use the same libraries.
    @ivar descriptors: that are open.
    """

    processes: int
    pss: int
    anonymous: int
    descriptors: int


def family(roots: Iterable[int]) -> dict[int, int]:
    """
    @return: those that live of the processes C{roots} and all their descendants, each with
        its parent.
    """
    parents: dict[int, int] = {}
    for name in os.listdir("/proc"):
        if name.isdigit():
            with contextlib.suppress(OSError):
                stat = Path(f"/proc/{name}/stat").read_text("utf-8", "replace")
                parents[int(name)] = int(stat.rpartition(")")[2].split()[1])
    found = {pid: parents[pid] for pid in roots if pid in parents}
    grown = True
    while grown:
        more = {pid: p for pid, p in parents.items() if p in found and pid not in found}
        grown = bool(more)
        found.update(more)
    return found


def command(pid: int) -> str:
    """
    @return: its command line; empty when it is gone.
    """
    try:
        words = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
    except OSError:
        return ""
    return b" ".join(words).decode("utf-8", "replace")


def cost(pids: Iterable[int]) -> Cost:
    """
    What these cost together; those that are gone cost nothing.
    """
    processes = pss = anonymous = descriptors = 0
    for pid in pids:
        try:
            rollup = Path(f"/proc/{pid}/smaps_rollup").read_text()
            opened = len(os.listdir(f"/proc/{pid}/fd"))
        except OSError:
            continue
        found = dict(re.findall(r"^(\w+):\s+([0-9]+) kB", rollup, re.MULTILINE))
        if "Pss" not in found:
            continue  # a zombie
        processes += 1
        pss += int(found["Pss"]) * 1024
        anonymous += int(found["Pss_Anon"]) * 1024
        descriptors += opened
    return Cost(processes, pss, anonymous, descriptors)


def by_kind(root: int, kind: Callable[[int, int], str]) -> dict[str, Cost]:
    """
    @param kind: of a process and its parent.
    """
    kinds: dict[str, list[int]] = {}
    for pid, parent in family([root]).items():
        kinds.setdefault(kind(pid, parent), []).append(pid)
    return {name: cost(pids) for name, pids in sorted(kinds.items())}


def cpu(roots: Iterable[int]) -> float:
    """
    Seconds of processor time that these, their descendants, and their children that were
    reaped have used.  Of what lives it is the scheduler's count: clock ticks would lose up
    to 10 ms for each process.
    """
    ticks, total = os.sysconf("SC_CLK_TCK"), 0.0
    for pid in family(roots):
        with contextlib.suppress(OSError):
            for task in os.listdir(f"/proc/{pid}/task"):
                total += (
                    int(Path(f"/proc/{pid}/task/{task}/schedstat").read_text().split()[0]) / 1e9
                )
            fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
            total += (int(fields[13]) + int(fields[14])) / ticks
    return total
