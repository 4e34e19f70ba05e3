"""
The guest's bytes, over a unix socket that socat speaks on the other end.

There is one socat at a time.  When it dies, the agent joins a new one to the
same socket; what the old one had sent is read to its end first, so output
never changes its order.
"""

from __future__ import annotations

from typing import Any

from twisted.internet.interfaces import IAddress, IPushProducer
from twisted.internet.protocol import Factory, Protocol, connectionDone
from twisted.logger import Logger
from twisted.python.failure import Failure
from zope.interface import implementer

from ajaxterm.session import Session
from groundwork.promptly import write_promptly


@implementer(IPushProducer)
class _Reader(Protocol):
    """One connection from a socat; it is also the producer that is told when the line is full."""

    transport: Any

    def __init__(self, line: SocketLine) -> None:
        self._line = line

    def connectionMade(self) -> None:
        self.transport.registerProducer(self, True)
        self._line.joined(self)

    def dataReceived(self, data: bytes) -> None:
        self._line.session.output(data)

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        self._line.parted(self)

    def pauseProducing(self) -> None:
        self._line.session.hold_input(True)

    def resumeProducing(self) -> None:
        self._line.session.hold_input(False)

    def stopProducing(self) -> None:
        pass


class SocketLine(Factory):
    """
    The line of a guest, for L{Session}; and the factory of the tty socket.

    @ivar session: set by the composer, before the socket is listened on.
    @cvar HOLD_AT: bytes of input, kept while no socat is there, at which the
        viewers are held.  Not at the first: who is held can't even tell that
        it is alive.
    @cvar MOST_HELD: bytes of input that are kept at the most.
    """

    HOLD_AT = 1 << 16
    MOST_HELD = 1 << 21
    resizable = False
    noisy = False
    session: Session

    _log = Logger()

    def __init__(self) -> None:
        self._reader: _Reader | None = None
        self._next: list[_Reader] = []
        self._held: list[bytes] = []
        self._held_length = 0

    def buildProtocol(self, addr: IAddress | None) -> _Reader:
        return _Reader(self)

    # The session's side.

    def write(self, keys: bytes) -> None:
        if self._reader is not None:
            write_promptly(self._reader.transport, keys)
        elif self._held_length + len(keys) <= self.MOST_HELD:
            self._held.append(keys)
            self._held_length += len(keys)
            if self._held_length >= self.HOLD_AT:
                self.session.hold_input(True)
        else:
            self._log.warn("{length} bytes of input were dropped: no line", length=len(keys))

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
        held, self._held, self._held_length = self._held, [], 0
        # In this order: it may be too much for the transport at once.
        self.session.hold_input(False)
        if held:
            reader.transport.write(b"".join(held))

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
            self.session.line_is("waiting", "The line to the guest is interrupted.")
            self.session.hold_input(False)
