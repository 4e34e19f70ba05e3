"""
A hypervisor in memory, to run an agent where there is no libvirt.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from twisted.internet.defer import Deferred, fail, succeed
from zope.interface import implementer

from computeagent.hypervisor import (
    RUNNING,
    SHUTOFF,
    WITH_A_PROCESS,
    Domain,
    HypervisorAway,
    IHypervisor,
    NoSuchDomain,
    NotRunning,
)


@implementer(IHypervisor)
class MemoryHost:
    """
    Guests are what C{add}, C{set_state} and C{remove} say.
    """

    def __init__(self) -> None:
        self.away = ""
        self._domains: dict[str, Domain] = {}
        self._watchers: list[tuple[Callable[[str, str], None], Callable[[], None]]] = []

    def start(self) -> None:
        pass

    def stop(self) -> Deferred[None]:
        self._watchers.clear()
        return succeed(None)

    def watch(self, changed: Callable[[str, str], None], presence: Callable[[], None]) -> None:
        self._watchers.append((changed, presence))

    def domains(self) -> Deferred[Sequence[Domain]]:
        if self.away:
            return fail(HypervisorAway(self.away))
        return succeed(list(self._domains.values()))

    def running(self, uuid: str) -> Deferred[Domain]:
        if self.away:
            return fail(HypervisorAway(self.away))
        domain = self._domains.get(uuid)
        if domain is None:
            return fail(NoSuchDomain(uuid))
        if domain.state not in WITH_A_PROCESS:
            return fail(NotRunning(domain.name, domain.state))
        return succeed(domain)

    def add(self, uuid: str, name: str, xml: str, state: str = RUNNING) -> None:
        """Define a guest, or change it."""
        known = self._domains.get(uuid)
        self._domains[uuid] = Domain(uuid, name, state, xml)
        happened = "other"
        if state in WITH_A_PROCESS and (known is None or known.state not in WITH_A_PROCESS):
            happened = "started"
        elif state not in WITH_A_PROCESS and known and known.state in WITH_A_PROCESS:
            happened = "stopped"
        self._tell(uuid, happened)

    def set_state(self, uuid: str, state: str) -> None:
        """Start a guest, or stop it."""
        domain = self._domains[uuid]
        self.add(uuid, domain.name, domain.xml, state)

    def remove(self, uuid: str) -> None:
        """Undefine a guest; one that runs is stopped first."""
        if self._domains[uuid].state in WITH_A_PROCESS:
            self.set_state(uuid, SHUTOFF)
        del self._domains[uuid]
        self._tell(uuid, "other")

    def set_away(self, why: str) -> None:
        """Go away, or with an empty C{why} come back."""
        self.away = why
        for _, presence in self._watchers:
            presence()

    def _tell(self, uuid: str, happened: str) -> None:
        for changed, _ in self._watchers:
            changed(uuid, happened)
