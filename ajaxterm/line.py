"""
The guest's bytes, over a unix socket that socat speaks on the other end.

There is one socat at a time.  When it dies, the agent joins a new one to the
same socket; what the old one had sent is read to its end first, so output
never changes its order.  While there is none, input waits in the session,
where it can be called back.
"""

from __future__ import annotations

import socket
from typing import Any

from twisted.internet.interfaces import IAddress, IPullProducer
from twisted.internet.protocol import Factory, Protocol, connectionDone
from twisted.logger import Logger
from twisted.python.failure import Failure
from zope.interface import implementer

from ajaxterm.session import Session
from groundwork.promptly import write_promptly


@implementer(IPullProducer)
class _Reader(Protocol):
    """
    One connection from a socat.  It is also the producer that is asked for
    more when all input has been taken.
    """

    transport: Any

    def __init__(self, line: SocketLine) -> None:
        self._line = line

    def connectionMade(self) -> None:
        self.transport.getHandle().setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SocketLine.ROOM)
        self.transport.registerProducer(self, False)
        self._line.joined(self)

    def write(self, keys: bytes) -> None:
        if not write_promptly(self.transport, keys):
            self._line.session.hold_input(True)

    def dataReceived(self, data: bytes) -> None:
        self._line.session.output(data)

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        self._line.parted(self)

    def resumeProducing(self) -> None:
        self._line.taken(self)

    def stopProducing(self) -> None:
        pass


class SocketLine(Factory):
    """
    The line of a guest, for L{Session}; and the factory of the tty socket.

    @cvar ROOM: bytes of room for input that the kernel is asked for, since what
        is there can't be called back when somebody stops a paste.
    """

    ROOM = 1 << 13
    resizable = False
    noisy = False
    session: Session

    _log = Logger()

    def __init__(self) -> None:
        self._reader: _Reader | None = None
        self._next: list[_Reader] = []

    def serve(self, session: Session) -> None:
        """Be the line of C{session}, before the socket is listened on."""
        self.session = session
        session.hold_input(True)

    def buildProtocol(self, addr: IAddress | None) -> _Reader:
        return _Reader(self)

    # The session's side.

    def write(self, keys: bytes) -> None:
        assert self._reader is not None, "without one, input is held"
        self._reader.write(keys)

    def part(self) -> None:
        """Let go of whatever is joined."""
        following, self._next = self._next, []
        for reader in following:
            reader.transport.abortConnection()
        if self._reader is not None:
            self._reader.transport.abortConnection()

    def resize(self, rows: int, columns: int) -> None:
        raise NotImplementedError("a serial line has no size")

    # The socket's side.

    def joined(self, reader: _Reader) -> None:
        if self._reader is not None:
            reader.transport.pauseProducing()
            self._next.append(reader)
            return
        self._reader = reader
        self._log.info("The line is joined")
        self.session.line_is("live")
        self.session.hold_input(False)

    def taken(self, reader: _Reader) -> None:
        """All that was written to C{reader} has left."""
        if reader is self._reader:
            self.session.hold_input(False)

    def parted(self, reader: _Reader) -> None:
        if reader in self._next:
            self._next.remove(reader)
            return
        if reader is not self._reader:
            return
        self._reader = None
        self._log.info("The line is parted")
        if self._next:
            following = self._next.pop(0)
            self.joined(following)
            following.transport.resumeProducing()
        else:
            self.session.hold_input(True)
            self.session.line_is("waiting", "The line to the guest is interrupted.")
