"""
Connections to backends, kept for the next request.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.endpoints import TCP4ClientEndpoint, TCP6ClientEndpoint
from twisted.internet.interfaces import IAddress, IDelayedCall, IReactorTime
from twisted.internet.protocol import Factory, Protocol, connectionDone
from twisted.python.failure import Failure

from groundwork.promptly import write_promptly

Address = tuple[str, int]


class Upstream(Protocol):
    """
    One connection, which serves one request at a time.

    @cvar LOOK: seconds between two looks at whether a deadline has passed.
    """

    LOOK = 10.0

    transport: Any

    def __init__(self, clock: IReactorTime, pool: UpstreamPool, address: Address) -> None:
        self._pool = pool
        self.address = address
        self._clock = clock
        self._deadline = 0.0
        self._late: Callable[[], None] | None = None
        self._looking: IDelayedCall | None = None
        self._heard: Callable[[bytes], None] | None = None
        self._hung_up: Callable[[], None] | None = None

    def connectionMade(self) -> None:
        self.transport.setTcpNoDelay(True)
        self.transport.setTcpKeepAlive(True)

    def wait(self, delay: float, late: Callable[[], None]) -> None:
        """
        Call C{late} after C{delay} seconds, or up to L{LOOK} later, unless L{calm} or this is
        called before.

        It is for each request and each pause after one, and seldom comes to that: so the reactor
        calls every few seconds to look, and no call is begun and called off each time.
        """
        self._deadline = self._clock.seconds() + delay
        self._late = late
        if self._looking is None:
            self._looking = self._clock.callLater(min(delay, self.LOOK), self._look)

    def calm(self) -> None:
        """Nothing is waited for any more."""
        self._late = None

    def _look(self) -> None:
        self._looking = None
        if self._late is None:
            return
        left = self._deadline - self._clock.seconds()
        if left > 0:
            self._looking = self._clock.callLater(min(left, self.LOOK), self._look)
            return
        late, self._late = self._late, None
        late()

    def ask(
        self, words: bytes, heard: Callable[[bytes], None], hung_up: Callable[[], None]
    ) -> None:
        """
        Send a request.

        @param heard: called with each piece of what comes, until L{done} or L{drop}.
        @param hung_up: called instead when the connection has ended.
        """
        self._heard, self._hung_up = heard, hung_up
        write_promptly(self.transport, words)

    def done(self, again: bool) -> None:
        """
        The answer is here.

        @param again: whether the connection can serve another request.
        """
        self._heard = self._hung_up = None
        self.calm()
        if again and self._pool.keep(self):
            self.transport.resumeProducing()
        else:
            self.transport.abortConnection()

    def drop(self) -> None:
        """Nobody waits for the answer any more."""
        self._heard = self._hung_up = None
        self.calm()
        self.transport.abortConnection()

    def pause(self) -> None:
        self.transport.pauseProducing()

    def resume(self) -> None:
        self.transport.resumeProducing()

    def dataReceived(self, data: bytes) -> None:
        if self._heard is not None:
            self._heard(data)
        else:
            # It speaks unasked, so who knows which request its next words would answer.
            self.transport.abortConnection()

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        hung_up, self._heard, self._hung_up = self._hung_up, None, None
        self.calm()
        if self._looking is not None:
            self._looking.cancel()
            self._looking = None
        self._pool.lost(self)
        if hung_up is not None:
            hung_up()


class UpstreamPool:
    """
    @cvar MOST_EACH: connections that are kept for one backend.
    @cvar MOST: and for all of them.
    @cvar KEPT: seconds; less than the backend keeps them.
    """

    MOST_EACH = 64
    MOST = 500
    KEPT = 30.0

    def __init__(self, reactor: Any, connect_timeout: float) -> None:
        self._reactor = reactor
        self._connect_timeout = connect_timeout
        self._kept: dict[Address, list[Upstream]] = {}
        self._count = 0
        self._open = True
        self._closing: Deferred[None] | None = None

    def take(self, host: str, port: int) -> Upstream | None:
        """@return: a connection that was kept, if there is one."""
        kept = self._kept.get((host, port))
        if not kept:
            return None
        upstream = kept[-1]
        self._forget(upstream)
        return upstream

    async def connect(self, host: str, port: int) -> Upstream:
        """
        @raise ConnectError: it can't be had.
        """
        upstream = Upstream(self._reactor, self, (host, port))
        await dial(self._reactor, host, port, self._connect_timeout, upstream)
        return upstream

    def keep(self, upstream: Upstream) -> bool:
        """@return: whether it is; else the caller closes it."""
        kept = self._kept.get(upstream.address, [])
        if not self._open or self._count >= self.MOST or len(kept) >= self.MOST_EACH:
            return False
        self._kept[upstream.address] = kept
        kept.append(upstream)
        self._count += 1
        upstream.wait(self.KEPT, lambda: self._expire(upstream))
        return True

    def lost(self, upstream: Upstream) -> None:
        """Its connection is."""
        self._forget(upstream)
        if self._closing is not None and not self._count:
            closed, self._closing = self._closing, None
            closed.callback(None)

    def close(self) -> Deferred[None]:
        """
        Close all that are kept, and keep none any more.
        """
        self._open = False
        closed: Deferred[None] = Deferred()
        if not self._count:
            closed.callback(None)
            return closed
        self._closing = closed
        for kept in list(self._kept.values()):
            for upstream in kept:
                upstream.transport.abortConnection()
        return closed

    def _expire(self, upstream: Upstream) -> None:
        self._forget(upstream)
        upstream.transport.loseConnection()

    def _forget(self, upstream: Upstream) -> None:
        kept = self._kept.get(upstream.address, [])
        if upstream in kept:
            kept.remove(upstream)
            self._count -= 1
            if not kept:
                del self._kept[upstream.address]


async def dial(reactor: Any, host: str, port: int, timeout: float, protocol: Protocol) -> None:
    """
    Connect C{protocol}.

    @param host: an address, no name.
    @raise ConnectError: it can't be.
    """
    kind = TCP6ClientEndpoint if ":" in host else TCP4ClientEndpoint
    await kind(reactor, host, port, timeout=timeout).connect(_Dialling(protocol))


class _Dialling(Factory):
    # Else each connection is two lines in the log.
    noisy = False

    def __init__(self, protocol: Protocol) -> None:
        self._protocol = protocol

    def buildProtocol(self, addr: IAddress | None) -> Protocol:
        return self._protocol
