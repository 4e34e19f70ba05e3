"""
The API as a whole, from its start to its end.
"""

from __future__ import annotations

from twisted.application.service import MultiService, Service
from twisted.internet.defer import Deferred, gatherResults
from twisted.logger import Logger

from consoleapi.audit import Audit
from consoleapi.grants import Grants
from consoleapi.hearing import Hearing
from consolebus.ibus import IConsoleBus


class ApiService(MultiService):
    """
    Keeps the bus, the threads that check passwords, what is done now and then,
    and the audit log.
    """

    _log = Logger()

    def __init__(
        self,
        bus: IConsoleBus,
        hearing: Hearing,
        grants: Grants,
        audit: Audit,
        *services: Service,
    ) -> None:
        super().__init__()
        self._bus = bus
        self._hearing = hearing
        self._grants = grants
        self._audit = audit
        for service in (*services, grants.service):
            service.setServiceParent(self)

    def startService(self) -> None:
        super().startService()
        self._hearing.start()
        self._grants.start()
        self._bus.start().addErrback(lambda f: self._log.failure("while starting the bus", f))

    def stopService(self) -> Deferred[None]:
        leaving: Deferred[None] = gatherResults(
            [super().stopService(), self._bus.stop()], consumeErrors=True
        ).addCallback(lambda _: self._audit.close())
        return leaving
