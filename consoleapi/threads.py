"""
A few threads of our own for work that takes long, with an end to its queue.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from twisted.application.service import Service
from twisted.internet.defer import Deferred
from twisted.internet.threads import deferToThreadPool
from twisted.python.threadpool import ThreadPool

from consolebus.ibus import Unavailable

T = TypeVar("T")


class Threads(Service):
    """
    @cvar MOST: pieces of work that run or wait; more are refused, since who
        waits longer has gone by the time it is their turn.
    @cvar THREADS: how many run at a time.
    """

    MOST = 64
    THREADS = 4

    def __init__(self, reactor: Any) -> None:
        self._reactor = reactor
        self._pool = ThreadPool(0, self.THREADS, "consoleapi")
        self._busy = 0

    def startService(self) -> None:
        super().startService()
        self._pool.start()

    def stopService(self) -> None:
        super().stopService()
        self._pool.stop()

    def run(self, work: Callable[..., T], *args: Any) -> Deferred[T]:
        """
        @raise Unavailable: too much waits already.
        """
        if self._busy >= self.MOST:
            raise Unavailable("Too much is being looked up now; try again in a moment.")
        self._busy += 1
        working: Deferred[T] = deferToThreadPool(self._reactor, self._pool, work, *args)
        return working.addBoth(self._done)

    def _done(self, result: T) -> T:
        self._busy -= 1
        return result
