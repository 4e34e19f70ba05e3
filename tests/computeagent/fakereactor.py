"""
A reactor that starts no process, but notes what was asked.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from twisted.internet.error import ProcessDone, ProcessExitedAlready, ProcessTerminated
from twisted.internet.testing import MemoryReactorClock
from twisted.python.failure import Failure


@dataclass(frozen=True, slots=True)
class Inode:
    """What a descriptor was of; two of the same file are equal."""

    device: int
    inode: int

    @classmethod
    def of(cls, descriptor: int) -> Inode:
        status = os.fstat(descriptor)
        return cls(status.st_dev, status.st_ino)


class FakeProcess:
    """
    @ivar signals: those it was sent.
    @ivar handed: what it got, by its number.
    @ivar blocking: whether that blocks.
    """

    pid = 4194304  # one more than there can be

    def __init__(
        self,
        protocol: Any,
        command: Sequence[str],
        handed: Mapping[int, Inode],
        blocking: Mapping[int, bool],
        how: Any,
    ) -> None:
        self.protocol = protocol
        self.command = command
        self.handed = handed
        self.blocking = blocking
        self.how = how
        self.signals: list[str] = []
        self.over = False

    def signalProcess(self, name: str) -> None:
        if self.over:
            raise ProcessExitedAlready()
        self.signals.append(name)

    def die(self, status: int | None = None, signal: int | None = None) -> None:
        self.over = True
        kind = ProcessDone if status == 0 else ProcessTerminated
        how = kind(0) if status == 0 else kind(status, signal)
        self.protocol.processEnded(Failure(how))


class ProcessReactor(MemoryReactorClock):  # type: ignore[misc]
    """
    @ivar processes: those that were started, in order.
    @ivar refusing: what starting one raises.
    """

    def __init__(self) -> None:
        super().__init__()
        self.processes: list[FakeProcess] = []
        self.refusing: OSError | None = None

    def spawnProcess(
        self,
        processProtocol: Any,
        executable: str,
        args: Sequence[str] = (),
        childFDs: Mapping[int, Any] | None = None,
        **how: Any,
    ) -> FakeProcess:
        if self.refusing is not None:
            raise self.refusing
        given = {n: one for n, one in (childFDs or {}).items() if isinstance(one, int)}
        handed = {number: Inode.of(one) for number, one in given.items()}
        blocking = {number: os.get_blocking(one) for number, one in given.items()}
        process = FakeProcess(processProtocol, list(args), handed, blocking, how)
        self.processes.append(process)
        processProtocol.makeConnection(process)
        return process
