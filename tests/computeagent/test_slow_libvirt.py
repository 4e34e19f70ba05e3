"""
Tests for an agent whose libvirt is there, but does not answer in time.  Nobody tells when
it does again, so whoever has to know asks again.
"""

from __future__ import annotations

from collections.abc import Sequence

from twisted.internet.defer import Deferred, fail

from computeagent.hypervisor import RUNNING, SHUTOFF, Domain, HypervisorAway
from computeagent.memoryhost import MemoryHost
from tests.computeagent.descriptions import UUID, domain_xml
from tests.computeagent.stage import AgentTestCase


class Slow(MemoryHost):
    """
    @ivar slow: whether no question is answered in time.
    """

    slow = False

    def domains(self) -> Deferred[Sequence[Domain]]:
        return self._late() if self.slow else super().domains()

    def running(self, uuid: str) -> Deferred[Domain]:
        return self._late() if self.slow else super().running(uuid)

    def _late(self) -> Deferred[object]:
        return fail(HypervisorAway("libvirt did not answer within 10 s"))


class SlowTests(AgentTestCase):
    def make_agent(self) -> None:
        if not isinstance(self.hypervisor, Slow):
            self.hypervisor = Slow()
            self.hypervisor.add(UUID, "web1", domain_xml())
        super().make_agent()

    @property
    def state(self) -> str:
        [console] = self.successResultOf(self.ask("list_consoles"))["consoles"]
        return str(console["state"])

    def shut_off(self) -> None:
        self.got()
        self.opener.hang_up(0)
        self.hypervisor.set_state(UUID, SHUTOFF)
        self.pass_time(5)
        self.assertEqual(self.state, "waiting")

    def test_guest_starts(self) -> None:
        """
        A guest was started, and libvirt did not say where its device is.
        """
        self.shut_off()
        self.hypervisor.slow = True
        self.hypervisor.set_state(UUID, RUNNING)
        self.pass_time(30)
        self.assertEqual(self.state, "waiting")

        self.hypervisor.slow = False
        self.pass_time(31)

        self.assertEqual(self.state, "live")

    def test_guest_started_meanwhile(self) -> None:
        """
        The same while libvirt was away, which comes back and is slow.
        """
        self.shut_off()
        self.hypervisor.set_away("gone")
        self.hypervisor.set_state(UUID, RUNNING)
        self.hypervisor.slow = True
        self.hypervisor.set_away("")
        self.pass_time(30)

        self.hypervisor.slow = False
        self.pass_time(31)

        self.assertEqual(self.state, "live")

    def test_attached_always(self) -> None:
        """
        Which guests there are is asked until it is answered; but not while libvirt is away.
        """
        self.lasting.add("web1")
        self.hypervisor.slow = True
        self.hypervisor.set_away("")
        self.pass_time(30)
        self.hypervisor.set_away("gone")
        self.pass_time(60)
        self.hypervisor.set_away("")
        self.pass_time(30)
        self.assertEqual(self.workshop.terminals, [])

        self.hypervisor.slow = False
        self.pass_time(11)

        self.assertEqual(len(self.workshop.terminals), 1)

    def test_adopted(self) -> None:
        """
        An adopted console's device is held in the end.
        """
        self.got()
        self.successResultOf(Deferred.fromCoroutine(self.agent.stop(leave=True)))
        self.bus.stop()
        self.rooms.prepare()
        self.make_agent()
        self.hypervisor.slow = True
        self.agent.start()
        self.bus.start()
        self.pass_time(30)
        [console] = self.agent._consoles
        self.assertIsNone(console.line.descriptor)

        self.hypervisor.slow = False
        self.pass_time(31)

        self.assertIsNotNone(console.line.descriptor)
