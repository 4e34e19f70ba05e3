"""
A console's place in the runtime directory.

  RUN/CONSOLE/state.json     what it is and who runs there (L{computeagent.kept})
  RUN/CONSOLE/GRANT.json     leave to attach to it (L{computeagent.grants})
  RUN/CONSOLE/tty.sock       where a socat is joined
  RUN/CONSOLE/control.sock   where an agent gives orders
  RUN/CONSOLE/log            a pipe: what the terminal says for our log

The directory belongs to the agent alone (mode 0700, its files 0600): the children get what
they need as open descriptors, and can neither enter nor write it.  So a later agent
may believe what it finds there.
"""

from __future__ import annotations

import fcntl
import json
import os
import re
import shutil
import socket
import stat
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from secrets import token_hex
from typing import Any

LONGEST = 1 << 20
"""Bytes of a file here that are read."""

NAME = re.compile("[0-9a-f]{12}")
"""What consoles are called."""


def new_name() -> str:
    """@return: a name for a console that no other has had."""
    return token_hex(6)


def runtime_directory(host: str, uid: int, environ: Mapping[str, str]) -> str:
    """
    @return: where an agent that was not told otherwise keeps its sockets.
    """
    if uid == 0:
        return f"/run/ajaxconsole/{host}"
    own = environ.get("XDG_RUNTIME_DIR")
    if own:
        return f"{own}/ajaxconsole/{host}"
    # Straight in /tmp, where nobody can rename what is ours; in a folder there
    # that somebody else made first, he could.
    return f"/tmp/ajaxconsole-{uid}-{host}"


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

    @property
    def log(self) -> Path:
        return self.path / "log"

    def make_log(self) -> tuple[int, int]:
        """
        @return: an end of a new pipe to read from, and one for a child to write to.  The child's
            is for both ways, so the pipe never lacks a reader: while there is no agent it
            fills, and what does not fit any more is lost, but nobody waits or dies of it.
        @raise OSError: no descriptor.
        """
        os.mkfifo(self.log, 0o600)
        reading = self.open_log()
        try:
            flags = os.O_RDWR | os.O_NONBLOCK | os.O_NOFOLLOW | os.O_CLOEXEC
            return reading, os.open(self.log, flags)
        except OSError:
            os.close(reading)
            raise

    def open_log(self) -> int:
        """
        @return: an end to read from.
        @raise OSError: there is none.
        """
        return os.open(self.log, os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW | os.O_CLOEXEC)

    def write(self, name: str, words: Mapping[str, Any]) -> None:
        """
        Write C{NAME.json}, whole or not at all.

        @raise OSError: it can't be.
        """
        fresh = self.path / f"{name}.new"
        flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC
        with open(os.open(fresh, flags, 0o600), "w", encoding="ascii") as file:
            file.write(json.dumps(words))
        fresh.rename(self.path / f"{name}.json")

    def read(self, name: str) -> Mapping[str, Any]:
        """
        @raise ValueError: there is no such file that can be believed; the sentence says why.
        """
        flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
        try:
            with open(os.open(self.path / f"{name}.json", flags), "rb") as file:
                status = os.fstat(file.fileno())
                if not stat.S_ISREG(status.st_mode) or status.st_uid != os.geteuid():
                    raise ValueError("it is not a file of ours")
                text = file.read(LONGEST)
        except OSError as error:
            raise ValueError(str(error)) from None
        try:
            words = json.loads(text)
        except (ValueError, RecursionError):
            words = None
        if not isinstance(words, dict):
            raise ValueError("it is not the JSON that was written")
        return words

    def forget(self, name: str) -> None:
        """Take C{NAME.json} away."""
        (self.path / f"{name}.json").unlink(missing_ok=True)

    def names(self) -> list[str]:
        """@return: of the files that were written."""
        return sorted(path.stem for path in self.path.glob("*.json"))

    def vacate(self) -> None:
        """Make room for another terminal where one has died."""
        for path in (self.tty, self.control, self.log):
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
        if status.st_mode & stat.S_IWOTH:
            # /tmp, say, which would be closed to all others.
            raise PermissionError(f"everybody can write to {self._run}; name a directory in it")
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
        Those of an earlier agent.  What is not named as a console is not
        ours: the directory was given by an administrator, and might be his home.
        """
        for path in sorted(self._run.iterdir()):
            if NAME.fullmatch(path.name) and path.is_dir() and not path.is_symlink():
                yield Room(path)
