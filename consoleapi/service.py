"""
The API as a whole, from its start to its end.
"""

from __future__ import annotations

from twisted.application.service import MultiService
from twisted.internet.defer import Deferred, gatherResults
from twisted.logger import Logger

from consoleapi.hearing import Hearing
from consoleapi.threads import Threads
from consolebus.ibus import IConsoleBus


class ApiService(MultiService):
    """
    Keeps the bus and the threads that check passwords.
    """

    _log = Logger()

    def __init__(self, bus: IConsoleBus, hearing: Hearing, threads: Threads) -> None:
        super().__init__()
        self._bus = bus
        self._hearing = hearing
        threads.setServiceParent(self)

    def startService(self) -> None:
        super().startService()
        self._hearing.start()
        self._bus.start().addErrback(lambda f: self._log.failure("while starting the bus", f))

    def stopService(self) -> Deferred[None]:
        leaving: Deferred[None] = gatherResults(
            [super().stopService(), self._bus.stop()], consumeErrors=True
        ).addCallback(lambda _: None)
        return leaving
