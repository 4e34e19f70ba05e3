"""
A reactor that starts no process and opens no port, but remembers what it was asked.
"""

from __future__ import annotations

import os
import pty
from collections.abc import Sequence
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.error import ProcessDone, ProcessTerminated
from twisted.internet.testing import MemoryReactorClock, StringTransport
from twisted.python.failure import Failure


class FakeProcess(StringTransport):
    """
    A process on a real pseudo-terminal, that nobody runs on.

    @ivar signals: what it was sent.
    """

    def __init__(self, proto: Any, command: Sequence[str], options: dict[str, Any]) -> None:
        super().__init__()
        self.proto = proto
        self.command = list(command)
        self.options = options
        self.signals: list[str] = []
        self.pid: int | None = 1234
        self._master, self._slave = pty.openpty()
        self.connected = True

    def fileno(self) -> int:
        return self._master

    def size(self) -> tuple[int, int]:
        """
        @return: rows and columns, as a program there sees them.
        """
        columns, rows = os.get_terminal_size(self._slave)
        return rows, columns

    def signalProcess(self, name: str) -> None:
        self.signals.append(name)

    def close_terminal(self) -> None:
        """
        The command closes its terminal, and lives on.
        """
        if self.connected:
            self.connected = False
            os.close(self._master)
            os.close(self._slave)

    def end(self, status: int | None = 0) -> None:
        """
        @param status: C{None} for the end by a signal.
        """
        self.close_terminal()
        self.pid = None
        if status == 0:
            reason = Failure(ProcessDone(0))
        else:
            reason = Failure(ProcessTerminated(status, None if status else 1))
        self.proto.processEnded(reason)


class FakeReactor(MemoryReactorClock):
    """
    @ivar processes: that were spawned.
    @ivar refuse: what to raise for the next one.
    """

    def __init__(self) -> None:
        super().__init__()
        self.processes: list[FakeProcess] = []
        self.refuse: Exception | None = None

    def spawnProcess(self, proto: Any, executable: str, args: Sequence[str], **options: Any) -> Any:
        if self.refuse is not None:
            raise self.refuse
        process = FakeProcess(proto, args, {"executable": executable, **options})
        self.processes.append(process)
        proto.makeConnection(process)
        return process

    def shut_down(self) -> list[Deferred[None]]:
        """
        Do what a signal does.

        @return: what the reactor would wait for.
        """
        waited = []
        for function, args, keywords in self.triggers["before"]["shutdown"]:
            waited.append(function(*args, **keywords))
        return [each for each in waited if isinstance(each, Deferred)]
