"""
Runs programs for somebody, and ends them and all that came of them with him.

A guest's QEMU is a daemon: whoever started it is not its parent, and does not
see it die.  So a keeper stands between.  It is a subreaper, which every orphan
among its descendants becomes a child of (prctl(2), C{PR_SET_CHILD_SUBREAPER}),
and it holds the reading end of a pipe from its owner.

It makes a directory for the programs and says its path in a line.  Then each line that
comes through the pipe is a program's argv in JSON, and the answer is a line with the
program's pid, or with the reason in words.  At the pipe's end, however the owner came
to his own, the keeper ends its children until there are none, at first politely,
removes the directory, and exits.
"""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import select
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

PR_SET_CHILD_SUBREAPER = 36


class KeeperFailed(Exception):
    """
    A program could not be run; the message says which and why.
    """


class Keeper:
    """
    The owner's side.  The programs end with L{end}, or with the owner.

    @ivar directory: for the programs, under C{/tmp}, open to all; their output is its C{log}.
    """

    def __init__(self, name: str) -> None:
        """
        @param name: the beginning of the directory's name.
        """
        self._keeping = subprocess.Popen(
            [sys.executable, __file__, name],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd="/",
            start_new_session=True,  # A Ctrl-C is the owner's business.
        )
        assert self._keeping.stdout is not None
        self.directory = Path(self._keeping.stdout.readline().strip())

    def run(self, argv: list[str]) -> int:
        """
        @return: the pid.
        """
        assert self._keeping.stdin is not None and self._keeping.stdout is not None
        self._keeping.stdin.write(json.dumps(argv) + "\n")
        self._keeping.stdin.flush()
        answer = self._keeping.stdout.readline().strip()
        if not answer.isdigit():
            raise KeeperFailed(answer or "The keeper has ended.")
        return int(answer)

    def end(self) -> None:
        """
        End what still runs, and remove the directory; return when that is done.
        """
        assert self._keeping.stdin is not None and self._keeping.stdout is not None
        self._keeping.stdin.close()
        self._keeping.wait()
        self._keeping.stdout.close()

    def log_tail(self, lines: int = 20) -> str:
        try:
            log = (self.directory / "log").read_text(errors="replace")
        except OSError:
            return ""
        return "\n".join(log.splitlines()[-lines:])


def alive(pid: int) -> bool:
    """
    Only for what a keeper runs: it reaps at once, and no pid comes back so soon.
    """
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def end(pid: int, how: signal.Signals, patience: float) -> None:
    """
    Signal a process and wait for its end; kill it when the patience, in seconds, is over.
    """
    with contextlib.suppress(ProcessLookupError):
        process = os.pidfd_open(pid)
        try:
            signal.pidfd_send_signal(process, how)
            if not select.select([process], [], [], patience)[0]:
                signal.pidfd_send_signal(process, signal.SIGKILL)
                select.select([process], [], [])
        finally:
            os.close(process)


def keep(name: str) -> None:
    """
    The keeper's side.
    """
    for ignored in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(ignored, signal.SIG_IGN)
    if ctypes.CDLL(None, use_errno=True).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "prctl(PR_SET_CHILD_SUBREAPER)")
    signal.signal(signal.SIGCHLD, _reap)
    directory = Path(tempfile.mkdtemp(prefix=name))
    directory.chmod(0o755)
    try:
        with contextlib.suppress(BrokenPipeError):
            print(directory, flush=True)
            for line in sys.stdin:
                print(_run(json.loads(line), directory / "log"), flush=True)
    finally:
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        _end_children(patience=10)
        shutil.rmtree(directory, ignore_errors=True)


def _run(argv: list[str], log: Path) -> str:
    appending = os.O_WRONLY | os.O_CREAT | os.O_APPEND
    try:
        pid = os.posix_spawnp(
            argv[0],
            argv,
            os.environ,
            file_actions=[
                (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
                (os.POSIX_SPAWN_OPEN, 1, str(log), appending, 0o644),
                (os.POSIX_SPAWN_DUP2, 1, 2),
            ],
            setsigdef=[signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGPIPE],
        )
    except OSError as failure:
        return f"{argv[0]}: {failure.strerror}"
    return str(pid)


def _reap(_signal: int, _frame: object) -> None:
    with contextlib.suppress(ChildProcessError):
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass


def _end_children(patience: float) -> None:
    """
    An ended child's own children become ours, so this goes on until the kernel
    says that there is no child, dead or alive.

    @param patience: seconds until whoever is still there is killed.
    """
    asked: set[int] = set()
    deadline = time.monotonic() + patience
    while True:
        for child in _children():
            if time.monotonic() > deadline:
                os.kill(child, signal.SIGKILL)
            elif child not in asked:
                asked.add(child)
                os.kill(child, signal.SIGTERM)
        try:
            while os.waitpid(-1, os.WNOHANG)[0]:
                pass
        except ChildProcessError:
            return
        time.sleep(0.02)


def _children() -> list[int]:
    mine = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with contextlib.suppress(OSError):
                # The name in brackets may hold anything; the parent is the second after it.
                fields = (entry / "stat").read_text().rpartition(")")[2].split()
                if int(fields[1]) == os.getpid():
                    mine.append(int(entry.name))
    return mine


if __name__ == "__main__":
    keep(sys.argv[1])
