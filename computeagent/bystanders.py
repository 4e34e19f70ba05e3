"""
Who else reads a guest's serial line.

Two readers of one pty get half of the output each, and nothing tells either of
them.  A C{virsh console} is such a reader: libvirtd opens the pty for it, and its lock
against a second one does not see us, nor we it.  So now and then it is looked who
has our devices open: every link of C{/proc/PID/fd} that may lead to a pty is
asked which it is, by device number, since a process in another mount namespace may
call it otherwise.

Blocks; runs in a thread.  9 microseconds for each open file of the host (measured).
"""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

_MAY_BE_PTY = re.compile(r"(^|/)[0-9]+$")

_QEMU = ("qemu", "kvm")


@dataclass(frozen=True, slots=True)
class Pty:
    """A pty, by the numbers of its file system and its own."""

    file_system: int
    number: int


@dataclass(frozen=True, slots=True)
class Bystander:
    """
    A process that has a pty open.

    @ivar name: of its program, as the kernel keeps it: 15 characters.
    """

    pid: int
    name: str


def pty_of(descriptor: int) -> Pty | None:
    """@return: which one an open file is, if it is one."""
    status = os.fstat(descriptor)
    if not stat.S_ISCHR(status.st_mode):
        return None
    return Pty(status.st_dev, status.st_rdev)


def find_bystanders(
    wanted: Collection[Pty], ours: int, adopted: Collection[int] = ()
) -> dict[Pty, Bystander]:
    """
    @param ours: pid of the agent.  It, its children and QEMU are nobody else.
    @param adopted: pids of what are no children of it, and nobody else either.
    @return: for each that somebody else has open, one such process.
    """
    found: dict[Pty, Bystander] = {}
    for name in os.listdir("/proc"):
        if not name.isdigit() or int(name) == ours or int(name) in adopted:
            continue
        for pty in _open_ptys(name) & set(wanted):
            other = _bystander(int(name), ours)
            if other is not None:
                found[pty] = other
    return found


def _open_ptys(pid: str) -> set[Pty]:
    found = set()
    try:
        for entry in os.scandir(f"/proc/{pid}/fd"):
            try:
                if _MAY_BE_PTY.search(os.readlink(entry.path)):
                    status = os.stat(entry.path)
                    found.add(Pty(status.st_dev, status.st_rdev))
            except OSError:
                continue  # it was just closed
    except OSError:
        pass  # it has just ended, or is none of our business
    return found


def _bystander(pid: int, ours: int) -> Bystander | None:
    try:
        text = Path(f"/proc/{pid}/stat").read_text("utf-8", "replace")
    except OSError:
        return None
    name, _, rest = text.partition("(")[2].rpartition(")")
    if int(rest.split()[1]) == ours or name.startswith(_QEMU):
        return None
    return Bystander(pid, name)
