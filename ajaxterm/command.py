"""
A command of one's own on a pseudo-terminal, as a line: C{ajaxterm -- COMMAND}.
"""

from __future__ import annotations

import fcntl
import struct
import termios
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from twisted.internet.interfaces import IPushProducer, IReactorProcess
from twisted.internet.protocol import ProcessProtocol
from twisted.python.failure import Failure
from zope.interface import implementer

from ajaxterm.session import Session


@implementer(IPushProducer)
class CommandLine(ProcessProtocol):
    """
    It is also the producer that is told when the terminal takes no more input.

    @ivar session: set by the composer, before the command is started.
    """

    resizable = True
    session: Session
    transport: Any

    def __init__(self, ended: Callable[[int | None], None]) -> None:
        """
        @param ended: called with the exit status when the command has ended,
            C{None} if a signal ended it.
        """
        self._ended = ended

    def start(
        self, reactor: IReactorProcess, command: Sequence[str], env: Mapping[str, str]
    ) -> None:
        """
        @raise OSError: there is no pseudo-terminal left, or no process.
        """
        reactor.spawnProcess(self, command[0], list(command), env=dict(env), usePTY=True)
        self.resize(24, 80)

    def connectionMade(self) -> None:
        self.transport.registerProducer(self, True)

    def outReceived(self, data: bytes) -> None:
        self.session.output(data)

    def processEnded(self, reason: Failure) -> None:
        self._ended(reason.value.exitCode)  # type: ignore[union-attr]

    def pauseProducing(self) -> None:
        self.session.hold_input(True)

    def resumeProducing(self) -> None:
        self.session.hold_input(False)

    def stopProducing(self) -> None:
        self.session.hold_input(False)

    def write(self, keys: bytes) -> None:
        if self.transport is not None:
            self.transport.write(keys)

    def resize(self, rows: int, columns: int) -> None:
        # A command can close its terminal and live on: then there is none.
        if self.transport is not None and self.transport.connected:
            size = struct.pack("HHHH", rows, columns, 0, 0)
            fcntl.ioctl(self.transport.fileno(), termios.TIOCSWINSZ, size)

    def hang_up(self) -> None:
        """End the command as closing its terminal would."""
        if self.transport is not None and self.transport.pid:
            self.transport.signalProcess("HUP")
