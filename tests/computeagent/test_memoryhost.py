"""
Tests for L{computeagent.memoryhost}.
"""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase, TestCase

from computeagent.hypervisor import PAUSED, RUNNING, SHUTOFF, HypervisorAway
from computeagent.memoryhost import MemoryHost
from tests.computeagent.descriptions import UUID, domain_xml
from tests.computeagent.hypervisorcontract import HypervisorContract


class MemoryContractTests(HypervisorContract, TestCase):
    """
    The hypervisor in memory keeps the contract.
    """

    timeout = 10.0

    def connect(self) -> MemoryHost:  # type: ignore[override]
        return MemoryHost()

    def define(self, uuid: str, name: str) -> None:  # type: ignore[override]
        self.hypervisor.add(uuid, name, domain_xml(name=name).replace(UUID, uuid), SHUTOFF)

    def begin(self, uuid: str) -> None:  # type: ignore[override]
        self.hypervisor.set_state(uuid, RUNNING)

    def end(self, uuid: str) -> None:  # type: ignore[override]
        self.hypervisor.set_state(uuid, SHUTOFF)

    def undefine(self, uuid: str) -> None:  # type: ignore[override]
        self.hypervisor.remove(uuid)


class AwayTests(SynchronousTestCase):
    """
    It can go away, as libvirt does.
    """

    def test_away(self) -> None:
        """
        While it is away it says why, and that it went and came is told.
        """
        host, told = MemoryHost(), []
        host.watch(lambda *words: None, lambda: told.append(host.away))
        host.add(UUID, "web1", domain_xml())

        host.set_away("it was killed")
        for asking in (host.domains(), host.running(UUID)):
            self.assertEqual(
                str(self.failureResultOf(asking, HypervisorAway).value), "it was killed"
            )
        host.set_away("")

        self.assertEqual(self.successResultOf(host.running(UUID)).name, "web1")
        self.assertEqual(told, ["it was killed", ""])

    def test_removed_while_it_runs(self) -> None:
        """
        A guest that is undefined is stopped first; one that is paused has a process too.
        """
        host, told = MemoryHost(), []
        host.add(UUID, "web1", domain_xml())
        host.watch(lambda uuid, what: told.append(what), lambda: None)

        host.set_state(UUID, PAUSED)
        self.assertEqual(self.successResultOf(host.running(UUID)).state, PAUSED)
        host.remove(UUID)

        self.assertEqual(told, ["other", "stopped", "other"])
