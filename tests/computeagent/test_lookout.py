"""
Tests for L{computeagent.lookout}: what viewers are told of their line.
"""

from __future__ import annotations

from collections.abc import Mapping

from twisted.internet.defer import Deferred, fail, succeed

from computeagent.bystanders import Bystander, Pty, pty_of
from computeagent.hypervisor import SHUTOFF
from tests.computeagent.descriptions import UUID
from tests.computeagent.stage import AgentTestCase


class LookoutTests(AgentTestCase):
    """
    A console with a viewer.
    """

    def setUp(self) -> None:
        super().setUp()
        self.got()
        self.terminal.tell("viewer_came", viewer="v1", user="ann")
        pty = pty_of(self.opener.descriptors[0])
        assert pty is not None
        self.pty = pty

    def notices(self, name: str) -> list[object]:
        return [w["message"] for w in self.terminal.orders("notice") if w["name"] == name]

    def test_somebody_else_reads(self) -> None:
        """
        It is said who, and taken back when he is gone.
        """
        self.others[self.pty] = Bystander(77, "libvirtd")
        self.pass_time(10)
        [said] = self.notices("other-reader")
        self.assertIn("A 'virsh console' or the like, by libvirtd (process 77", str(said))

        self.others[self.pty] = Bystander(78, "screen")
        self.pass_time(4)
        self.assertIn("screen (process 78 on the host) has", str(self.notices("other-reader")[-1]))

        self.others.clear()
        self.pass_time(4)
        self.assertEqual(self.notices("other-reader")[-1], "")
        self.assertEqual(len(self.notices("other-reader")), 3)

    def test_guest_goes(self) -> None:
        """
        On a line that is not there nobody else is either.
        """
        self.others[self.pty] = Bystander(77, "libvirtd")
        self.pass_time(4)

        self.hypervisor.set_state(UUID, SHUTOFF)
        self.pass_time(4)

        self.assertEqual(self.notices("other-reader")[-1], "")

    def test_told_again(self) -> None:
        """
        A terminal in place of another one is told what lasts.
        """
        self.others[self.pty] = Bystander(77, "libvirtd")
        self.pass_time(4)

        self.terminal.child.die()
        self.pass_time(0)

        self.assertEqual(len(self.workshop.terminals), 2)
        self.assertEqual(len(self.notices("other-reader")), 1)

    def test_socats(self) -> None:
        """
        Whoever's child it is, the console's own socat is nobody else.
        """
        known: list[list[int]] = []

        def search(ptys: list[Pty], socats: list[int]) -> Deferred[Mapping[Pty, Bystander]]:
            known.append(socats)
            return succeed({})

        self.agent._lookout._search = search
        self.pass_time(3.5)

        self.assertEqual(known, [[self.workshop.socats[0].pid]])

    def test_costs(self) -> None:
        """
        A search that takes long is done seldom.
        """
        searches: list[Deferred[Mapping[Pty, Bystander]]] = []

        def search(ptys: list[Pty], socats: list[int]) -> Deferred[Mapping[Pty, Bystander]]:
            searches.append(Deferred())
            return searches[-1]

        self.agent._lookout._search = search
        self.pass_time(4)
        self.pass_time(1)
        searches[0].callback({})

        self.pass_time(90, 1)
        self.assertEqual(len(searches), 1)
        self.pass_time(25, 1)
        self.assertEqual(len(searches), 2)
        searches[1].callback({})

    def test_search_fails(self) -> None:
        """
        A mistake of ours in it does not end the looking.
        """
        failing = [True]
        search = self.agent._lookout._search

        def fails(ptys: list[Pty], socats: list[int]) -> Deferred[Mapping[Pty, Bystander]]:
            return fail(ZeroDivisionError()) if failing.pop() else search(ptys, socats)

        self.agent._lookout._search = fails
        self.pass_time(4)
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)
        failing.append(False)
        self.others[self.pty] = Bystander(77, "libvirtd")
        self.pass_time(2.5)

        self.assertEqual(len(self.notices("other-reader")), 1)

    def test_silent(self) -> None:
        """
        A guest that says nothing is explained, until it says something.
        """
        self.terminal.answers["viewers"] = {"viewers": [], "end": 0}
        self.pass_time(40, 1)
        [said] = self.notices("silent")
        self.assertIn("serial-getty@ttyS0", str(said))

        self.terminal.answers["viewers"] = {"viewers": [], "end": 10}
        self.pass_time(4)

        self.assertEqual(self.notices("silent")[-1], "")

    def test_nobody_is_there(self) -> None:
        """
        Where nobody is there nobody is asked.
        """
        self.terminal.tell("viewer_left", viewer="v1", user="ann")
        self.pass_time(40, 1)

        self.assertEqual(self.terminal.orders("viewers"), [])

    def test_rebooting(self) -> None:
        """
        That the guest is rebooting is said for a while.
        """
        self.agent._consoles.changed(UUID, "rebooted")
        self.agent._consoles.changed(UUID, "rebooted")
        self.assertEqual(self.notices("rebooting"), ["The guest is rebooting."])

        self.pass_time(16, 1)

        self.assertEqual(self.notices("rebooting"), ["The guest is rebooting.", ""])
