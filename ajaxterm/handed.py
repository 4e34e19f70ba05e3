"""
Accepting connections on a socket that somebody else bound.

C{reactor.adoptStreamPort} would do, but for a unix socket it opens the path to the
whole world (C{chmod 666}) when it begins and unlinks it when it ends (Twisted
26.10, C{unix.Port}).  The path is the agent's, in a directory where we may not even look.
And what serves both kinds of socket is code that is in a terminal's memory once.
"""

from __future__ import annotations

import socket
from typing import Any

from twisted.internet.address import IPv4Address, IPv6Address, UNIXAddress
from twisted.internet.interfaces import IReadDescriptor
from twisted.internet.tcp import Connection
from twisted.logger import Logger
from twisted.python.failure import Failure
from zope.interface import implementer

Address = IPv4Address | IPv6Address | UNIXAddress


class HandedConnection(Connection):
    """
    A plain stream.  Twisted's own for unix sockets takes descriptors too, which
    nobody shall send us, and costs a C{recvmsg} with room for them at each read.
    """

    socket: Any

    def __init__(self, accepted: socket.socket, peer: Any, protocol: Any, reactor: Any) -> None:
        """
        @param peer: the name of the other end, which is not to be had any more when that
            hangs up before it is heard.
        """
        super().__init__(accepted, protocol, reactor)
        self._peer = _address(peer)
        self.connected = 1
        self.logstr = protocol.__class__.__name__
        self.startReading()

    def getHost(self) -> Address:
        return _address(self.socket.getsockname())

    def getPeer(self) -> Address:
        return self._peer


def _address(name: Any) -> Address:
    if not isinstance(name, tuple):
        return UNIXAddress(None)
    kind = IPv6Address if len(name) > 2 else IPv4Address
    return kind("TCP", name[0], name[1])


@implementer(IReadDescriptor)
class HandedPort:
    """
    Whoever vanishes from TCP without a word is gone in a minute (L{KEEPALIVE}), as one
    that does not poll is (docs/protocol.md); a WebSocket's pings find it sooner, but
    who only reads a silent guest's log would stay for ever.

    @cvar TURN: connections accepted in one turn of the reactor.
    @ivar factory: of what speaks on the connections.
    @cvar KEEPALIVE: seconds of silence, seconds between questions, and how many
        may stay unanswered (tcp(7)).
    @cvar REST: seconds until the next try after one has failed, since what
        waits there (descriptors may have run out) would wake us at once.
    """

    TURN = 16
    KEEPALIVE = (30, 10, 3)
    REST = 1.0

    _log = Logger()

    def __init__(self, reactor: Any, listening: socket.socket, factory: Any) -> None:
        """
        @param listening: a socket that listens and does not block; it is
            ours from now on.
        """
        self._reactor = reactor
        self._listening = listening
        self.factory = factory
        if listening.family != socket.AF_UNIX:
            # What is accepted inherits it.
            listening.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
            names = (socket.TCP_KEEPIDLE, socket.TCP_KEEPINTVL, socket.TCP_KEEPCNT)
            for name, value in zip(names, self.KEEPALIVE, strict=True):
                listening.setsockopt(socket.IPPROTO_TCP, name, value)
        factory.doStart()
        reactor.addReader(self)

    def stopListening(self) -> None:
        """Accept no more; what was accepted goes on."""
        if self._listening.fileno() >= 0:
            self._reactor.removeReader(self)
            self._listening.close()
            self.factory.doStop()

    def fileno(self) -> int:
        return self._listening.fileno()

    def logPrefix(self) -> str:
        return "HandedPort"

    def doRead(self) -> None:
        for _ in range(self.TURN):
            try:
                accepted, peer = self._listening.accept()
            except BlockingIOError:
                return
            except OSError as error:
                self._log.error("A connection can't be accepted: {why}", why=error)
                self._reactor.removeReader(self)
                self._reactor.callLater(self.REST, self._go_on)
                return
            accepted.setblocking(False)
            protocol = self.factory.buildProtocol(None)
            protocol.makeConnection(HandedConnection(accepted, peer, protocol, self._reactor))

    def _go_on(self) -> None:
        if self._listening.fileno() >= 0:
            self._reactor.addReader(self)

    def connectionLost(self, reason: Failure) -> None:
        self.stopListening()
