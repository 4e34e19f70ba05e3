"""
Which processes are a guest's QEMU.

libvirt starts it with C{-uuid UUID}.  That anybody can write on a command line, so such a
process is believed only if libvirt says so (it notes the pids of its guests in files of
root's), or if nobody but root or our own user could have started it.  Where libvirt's
files can't be seen (another mount namespace, a libvirt of a user's own), the command line is
all there is.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from pathlib import Path

PID_FILES = Path("/run/libvirt/qemu")
"""Where libvirt's system daemon has a file C{NAME.pid} for each guest that runs."""

_LONGEST = 20


def qemus_of(uuid: str) -> Iterator[int]:
    """@return: the pids; more than one while a guest migrates to its own host."""
    wanted = uuid.encode("ascii", "replace")
    noted: set[int] | None = None
    for name in os.listdir("/proc"):
        if not name.isdigit():
            continue
        try:
            words = Path(f"/proc/{name}/cmdline").read_bytes().split(b"\0")
            owner = os.stat(f"/proc/{name}").st_uid
        except OSError:
            continue
        if wanted not in words or words[words.index(wanted) - 1] != b"-uuid":
            continue
        if owner not in (0, os.geteuid()):
            noted = _noted() if noted is None else noted
            if noted and int(name) not in noted:
                continue
        yield int(name)


def _noted() -> set[int]:
    """@return: the pids that libvirt has noted; none where that can't be seen."""
    pids = set()
    try:
        folder = PID_FILES.stat()
        if folder.st_uid != 0 or folder.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
            return set()
        for path in PID_FILES.glob("*.pid"):
            try:
                with open(os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)) as file:
                    pids.add(int(file.read(_LONGEST)))
            except (OSError, ValueError):
                continue  # its guest has just ended
    except OSError:
        pass
    return pids
