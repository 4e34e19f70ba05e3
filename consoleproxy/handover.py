"""
Taking a socket away from Twisted's transport.
"""

from __future__ import annotations

import socket
from collections.abc import Callable
from typing import Any

from twisted.internet.error import ConnectionDone
from twisted.internet.interfaces import IPullProducer
from twisted.internet.protocol import Protocol
from twisted.internet.tcp import Connection
from twisted.python.failure import Failure
from zope.interface import implementer


def can_be_taken(transport: Any) -> bool:
    """
    @return: whether it is a plain socket and no more, so that what is in it is
        what was written to it; and nobody is ending it.
    """
    return (
        isinstance(transport, Connection)
        and bool(transport.connected)
        and not transport.TLS
        # One that was aborted is connected until the reactor's next turn.
        and not (transport.disconnecting or transport._aborting)
    )


def take(transport: Any) -> socket.socket:
    """
    Take the socket.  The transport is told that its connection is lost, its
    protocol nothing.

    Nothing may be waiting to be written (see L{when_written}), and nothing may have been
    read that is not yet cared for; so this is not for calling while the transport
    reads or writes.
    """
    transport.unregisterProducer()
    transport.stopReading()
    transport.stopWriting()
    held = transport.getHandle()
    family, kind, protocol = held.family, held.type, held.proto
    taken = socket.socket(family, kind, protocol, fileno=held.detach())
    taken.setblocking(False)
    transport.protocol = Protocol()
    transport.connectionLost(Failure(ConnectionDone()))
    return taken


def when_written(transport: Any, written: Callable[[], object]) -> None:
    """
    Call C{written} as soon as the kernel has all that was written to
    C{transport}, of which something must be waiting still.
    """
    transport.registerProducer(_Asked(written), False)


@implementer(IPullProducer)
class _Asked:
    """
    A producer is asked for more when it is registered, and then whenever nothing is
    left to write.
    """

    def __init__(self, written: Callable[[], object]) -> None:
        self._written = written
        self._times = 0

    def resumeProducing(self) -> None:
        self._times += 1
        if self._times == 2:
            self._written()

    def stopProducing(self) -> None:
        self._times = 2
