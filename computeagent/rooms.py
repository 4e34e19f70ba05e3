"""
A console's place in the runtime directory.

  RUN/CONSOLE/state.json     who runs there, so that a later agent can tell
  RUN/CONSOLE/tty.sock       where a socat is joined
  RUN/CONSOLE/control.sock   where an agent gives orders

The directory belongs to the agent alone (mode 0700): the children get what
they need as open descriptors, and can neither enter nor write it.
"""

from __future__ import annotations

import fcntl
import json
import os
import re
import shutil
import signal
import socket
import stat
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from secrets import token_hex
from typing import Any

VERSION = 1

NAME = re.compile("[0-9a-f]{12}")
"""What consoles are called."""


def new_name() -> str:
    """@return: a name for a console that no other has had."""
    return token_hex(6)


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


def end_process(pid: int, started: int) -> None:
    """
    Kill a process if it is still the one that started then.
    """
    try:
        handle = os.pidfd_open(pid)
    except (OSError, OverflowError):
        return
    try:
        # Looked at after the handle is held, so it can't be another one.
        if start_time(pid) == started:
            signal.pidfd_send_signal(handle, signal.SIGKILL)
    except ProcessLookupError:
        pass
    finally:
        os.close(handle)


@dataclass(frozen=True, slots=True)
class Room:
    """
    One console's directory.
    """

    path: Path

    @property
    def tty(self) -> Path:
        return self.path / "tty.sock"

    @property
    def control(self) -> Path:
        return self.path / "control.sock"

    def listen(self, path: Path) -> socket.socket:
        """@return: a unix socket that listens at C{path} and does not block."""
        listening = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            listening.bind(str(path))
            os.chmod(path, 0o600)
            listening.listen(8)
            listening.setblocking(False)
        except OSError:
            listening.close()
            raise
        return listening

    def write_state(self, state: Mapping[str, Any]) -> None:
        """Write C{state.json}, whole or not at all."""
        fresh = self.path / "state.json.new"
        fresh.write_text(json.dumps({"version": VERSION, **state}), "ascii")
        fresh.rename(self.path / "state.json")

    def read_state(self) -> Mapping[str, Any]:
        """
        @raise ValueError: there is none that this release can read.
        """
        try:
            state = json.loads((self.path / "state.json").read_text("ascii"))
        except OSError as error:
            raise ValueError(str(error)) from None
        if not isinstance(state, dict) or state.get("version") != VERSION:
            raise ValueError("another version")
        return state

    def vacate(self) -> None:
        """Make room for another terminal where one has died."""
        for path in (self.tty, self.control):
            path.unlink(missing_ok=True)

    def clear(self) -> None:
        """Take it away with all that is in it."""
        shutil.rmtree(self.path, ignore_errors=True)


class Rooms:
    """
    The runtime directory.

    @cvar LONGEST: bytes of its path.
    """

    LONGEST = 70

    def __init__(self, run: Path) -> None:
        """
        @param run: an absolute path of at most L{LONGEST} bytes, since those
            of unix sockets end at 107.
        """
        self._run = run
        self._lock = -1

    def prepare(self) -> None:
        """
        Make the directory, and keep other agents out of it from now on.

        @raise OSError: it can't be had; the sentence says why.
        """
        if not self._run.is_absolute() or len(os.fsencode(self._run)) > self.LONGEST:
            raise OSError(f"{self._run} must be absolute and at most {self.LONGEST} bytes long")
        self._run.mkdir(mode=0o700, parents=True, exist_ok=True)
        status = self._run.lstat()
        if not stat.S_ISDIR(status.st_mode):
            raise NotADirectoryError(f"{self._run} is no directory of its own, but a link")
        if status.st_uid != os.geteuid():
            raise PermissionError(f"{self._run} belongs to uid {status.st_uid}, not to the agent")
        self._run.chmod(0o700)
        lock = os.open(self._run / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(lock)
            raise OSError(f"another agent is using {self._run}; give this one its own") from None
        self._lock = lock

    def release(self) -> None:
        """Let other agents in."""
        if self._lock >= 0:
            os.close(self._lock)
            self._lock = -1

    def make(self, console: str) -> Room:
        """@raise OSError: no room."""
        path = self._run / console
        path.mkdir(mode=0o700)
        return Room(path)

    def left_over(self) -> Iterator[Room]:
        """
        Those of an agent that died.  What is not named as a console is not
        ours: the directory was given by an administrator, and might be his home.
        """
        for path in sorted(self._run.iterdir()):
            if NAME.fullmatch(path.name) and path.is_dir() and not path.is_symlink():
                yield Room(path)

    def sweep(self) -> int:
        """
        End what an agent that died has left running, and take it away.
        (Adopting it instead comes in its place one day.)

        @return: how many consoles that were.
        """
        swept = 0
        for room in self.left_over():
            try:
                state = room.read_state()
                processes = [(int(pid), int(started)) for pid, started in state["processes"]]
            except (ValueError, KeyError, TypeError):
                processes = []
            for pid, started in processes:
                end_process(pid, started)
            room.clear()
            swept += 1
        return swept
