"""
A network in memory: servers on addresses, and the reactor that connects to them.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from twisted.internet.address import IPv4Address, IPv6Address
from twisted.internet.error import ConnectionRefusedError, TimeoutError, UserError
from twisted.internet.interfaces import IReactorPluggableNameResolver
from twisted.python.failure import Failure
from zope.interface import implementer

from tests.memorysocket import MemoryConnection, MemoryReactor, MemorySocket


class _Connector:
    """One attempt, as an endpoint sees it."""

    def __init__(
        self, reactor: NetworkReactor, address: IPv4Address, factory: Any, timeout: float
    ) -> None:
        self._address = address
        self._factory = factory
        self._over = False
        self._alarm = reactor.callLater(timeout, self.fail, TimeoutError())
        factory.doStart()
        factory.startedConnecting(self)

    def is_over(self) -> bool:
        if self._over:
            return True
        self._over = True
        if self._alarm.active():
            self._alarm.cancel()
        return False

    def fail(self, why: Exception) -> None:
        if not self.is_over():
            self._factory.clientConnectionFailed(self, Failure(why))

    def getDestination(self) -> IPv4Address:
        return self._address

    def stopConnecting(self) -> None:
        self.fail(UserError())


class _Literals:
    """Resolves addresses, and knows no names."""

    def resolveHostName(self, receiver: Any, name: str, portNumber: int = 0, **_: Any) -> Any:
        kind = IPv6Address if ":" in name else IPv4Address
        receiver.resolutionBegan(self)
        receiver.addressResolved(kind("TCP", name, portNumber))
        receiver.resolutionComplete()
        return self


@implementer(IReactorPluggableNameResolver)
class NetworkReactor(MemoryReactor):
    """
    @ivar dialled: every address that somebody connected to, or tried to.
    @ivar made: the server's and the client's side of every connection.
    """

    nameResolver = _Literals()

    def __init__(self) -> None:
        super().__init__()
        self.dialled: list[tuple[str, int]] = []
        self.made: list[tuple[MemoryConnection, MemoryConnection]] = []
        self._servers: dict[tuple[str, int], Callable[[], Any]] = {}
        self._silent: set[tuple[str, int]] = set()

    def installNameResolver(self, resolver: Any) -> Any:
        raise NotImplementedError()

    def serve(self, host: str, port: int, protocol: Callable[[], Any]) -> None:
        """Let C{protocol()} answer each connection to an address."""
        self._servers[host, port] = protocol

    def hang(self, host: str, port: int) -> None:
        """Never answer there, not even with a refusal."""
        self._silent.add((host, port))

    def connectTCP(
        self, host: str, port: int, factory: Any, timeout: float = 30, bindAddress: Any = None
    ) -> _Connector:
        self.dialled.append((host, port))
        connector = _Connector(self, IPv4Address("TCP", host, port), factory, timeout)
        self.callLater(0, self._connect, host, port, factory, connector)
        return connector

    def _connect(self, host: str, port: int, factory: Any, connector: _Connector) -> None:
        if (host, port) in self._silent:
            return
        if (host, port) not in self._servers:
            connector.fail(ConnectionRefusedError())
            return
        if connector.is_over():
            return
        server = self._servers[host, port]()
        client = factory.buildProtocol(IPv4Address("TCP", host, port))
        here, there = MemorySocket.pair(1 << 16)
        sides = MemoryConnection(here, server, self), MemoryConnection(there, client, self)
        self.made.append(sides)
        server.makeConnection(sides[0])
        client.makeConnection(sides[1])
