"""
How a proxy is stopped, so that nobody loses more than a moment.

Nobody is let in any more.  Every ajaxterm that somebody is connected to is asked to
send those elsewhere who came through us (C{POST elsewhere}, docs/protocol.md):
they are told, close, and come back through another proxy, or this one when it is
back.  Plain requests may end; what is left after a few seconds is cut.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.task import Cooperator, deferLater
from twisted.logger import Logger

from consoleproxy.grants import Grant
from consoleproxy.upstream import UpstreamPool
from consoleproxy.web import ProxyResource


class Leaving:
    """
    @cvar AT_A_TIME: ajaxterms that are asked.
    @cvar ANSWER: seconds that one may take.
    @cvar REQUESTS: seconds for plain requests to end; a poll would be held for longer.
    @cvar LONGEST: seconds for all to leave.
    @cvar STEP: seconds between two looks at who is left.
    """

    AT_A_TIME = 50
    ANSWER = 1.0
    REQUESTS = 1.0
    LONGEST = 5.0
    STEP = 0.05

    _log = Logger()

    def __init__(self, reactor: Any, resource: ProxyResource) -> None:
        self._reactor = reactor
        self._resource = resource

    async def leave(self) -> None:
        """Return when everybody has left, or cannot be waited for any longer."""
        self._resource.leaving = True
        connections = self._resource.connections
        if not len(connections):
            return
        self._log.info("{count} connections are sent elsewhere", count=len(connections))
        sockets = [each for each in connections if each.kind == "socket"]
        grants = {each.grant.name: each.grant for each in sockets}
        pool = UpstreamPool(self._reactor, self.ANSWER)
        cooperator = Cooperator(scheduler=lambda run: self._reactor.callLater(0, run))
        asking = self._each(pool, iter(grants.values()))
        for _ in range(self.AT_A_TIME):
            cooperator.cooperate(asking)
        # Counted, not timed: the clock may be set meanwhile.
        for step in range(round(self.LONGEST / self.STEP)):
            if not len(connections):
                break
            if step * self.STEP >= self.REQUESTS:
                connections.cut_all("request")
            await deferLater(self._reactor, self.STEP)
        cooperator.stop()
        if len(connections):
            self._log.info("{count} connections are cut", count=len(connections))

    def _each(self, pool: UpstreamPool, grants: Iterator[Grant]) -> Iterator[Deferred[None]]:
        for grant in grants:
            asking = Deferred.fromCoroutine(self._ask(pool, grant))
            asking.addTimeout(self.ANSWER, self._reactor)
            # One that does not answer has its viewers cut, which is no worse.
            asking.addErrback(lambda failure: None)
            yield asking

    async def _ask(self, pool: UpstreamPool, grant: Grant) -> None:
        lines = (
            "POST /elsewhere HTTP/1.1",
            f"Host: {grant.authority}",
            f"Authorization: Bearer {grant.secret}",
            f"X-Ajaxterm-Through: {self._resource.name}",
            "Content-Length: 0",
            "Connection: close",
        )
        upstream = await pool.connect(grant.host, grant.port)
        answered: Deferred[None] = Deferred()

        def heard(_: bytes = b"") -> None:
            # It begins to answer when it has told its viewers; what it says is of no use.
            if not answered.called:
                answered.callback(None)

        try:
            upstream.ask("\r\n".join((*lines, "", "")).encode("ascii"), heard, heard)
            await answered
        finally:
            upstream.drop()
