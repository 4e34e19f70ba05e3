"""
Telling the API what a host has: C{host_is}, on every change and every 30 s.
"""

from __future__ import annotations

from typing import Any

from twisted.application.internet import TimerService
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall
from twisted.logger import Logger

from computeagent.domainxml import BadDomainXML, read_domain
from computeagent.hypervisor import Domain, HypervisorAway, IHypervisor
from consolebus.ibus import IConsoleBus


class HostAnnouncer:
    """
    @cvar EVERY: seconds between announcements without a change.
    @cvar AFTER: seconds in which changes are told together.
    """

    EVERY = 30.0
    AFTER = 0.1

    _log = Logger()

    def __init__(
        self, reactor: Any, hypervisor: IHypervisor, bus: IConsoleBus, host: str, address: str
    ) -> None:
        self._clock = reactor
        self._hypervisor = hypervisor
        self._bus = bus
        self._host = host
        self._address = address
        self._telling: IDelayedCall | None = None
        self._asking = False
        self._again = False
        self._stopped = False
        self._timer = TimerService(self.EVERY, self._tell)
        self._timer.clock = reactor

    def start(self) -> None:
        """Tell now, and from time to time."""
        self._timer.startService()

    async def stop(self) -> None:
        """Tell no more."""
        self._stopped = True
        if self._telling is not None and self._telling.active():
            self._telling.cancel()
        if self._timer.running:
            await self._timer.stopService()

    def soon(self) -> None:
        """Something has changed, or somebody asks."""
        if self._stopped or (self._telling is not None and self._telling.active()):
            return
        self._telling = self._clock.callLater(self.AFTER, self._tell)

    def _tell(self) -> None:
        # One at a time, or else an older answer of libvirt's could come last.
        if self._asking:
            self._again = True
            return
        self._asking, self._again = True, False
        telling = Deferred.fromCoroutine(self._announce())
        telling.addErrback(lambda f: self._log.failure("while announcing this host", f))
        telling.addCallback(lambda _: self._told())

    def _told(self) -> None:
        self._asking = False
        if self._again:
            self.soon()

    async def _announce(self) -> None:
        domains: list[dict[str, Any]] | None
        try:
            domains = [_describe(domain) for domain in await self._hypervisor.domains()]
        except HypervisorAway:
            domains = None
        if not self._stopped:
            self._bus.fanout(
                "consoleapi",
                "host_is",
                {
                    "host": self._host,
                    "address": self._address,
                    "away": self._hypervisor.away,
                    "domains": domains,
                },
            )


def _describe(domain: Domain) -> dict[str, Any]:
    try:
        said = read_domain(domain.xml)
    except BadDomainXML:
        owner, devices = "", []
    else:
        owner, devices = said.owner, [d.alias for d in said.devices if not d.unusable]
    return {
        "uuid": domain.uuid,
        "name": domain.name,
        "state": domain.state,
        "owner": owner,
        "devices": devices,
    }
