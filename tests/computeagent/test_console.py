"""
Tests for L{computeagent.console}: one console's life.
"""

from __future__ import annotations

from twisted.internet.defer import Deferred

from computeagent.console import JOINING, LIVE
from computeagent.hypervisor import SHUTOFF
from computeagent.orders import TerminalGone
from computeagent.ports import PortsExhausted
from tests.computeagent.consolestage import ConsoleTestCase
from tests.computeagent.descriptions import UUID


class OpeningTests(ConsoleTestCase):
    """
    A terminal is started and the guest is joined to it.
    """

    def test_live(self) -> None:
        """
        One ajaxterm, one socat, with the device that was opened for it.
        """
        self.opened()

        self.assertEqual(self.console.state, LIVE)
        self.assertEqual(self.workshop.titles, ["web1 serial0"])
        self.assertEqual(self.workshop.devices, [self.device])
        self.assertEqual(len(self.workshop.running), 2)

    def test_state_is_noted(self) -> None:
        """
        Who runs there is written down, for an agent that comes after us.
        """
        self.opened()

        state = self.room.read_state()
        self.assertEqual(state["processes"], [[100, 1100], [200, 1200]])
        self.assertEqual((state["uuid"], state["device"]), (UUID, "serial0"))

    def test_no_terminal(self) -> None:
        """
        Where none can be started nothing is left, and the reason is known.
        """
        self.workshop.starting = PortsExhausted(1, 2)

        opening = Deferred.fromCoroutine(self.console.open())

        self.failureResultOf(opening, PortsExhausted)
        self.assert_nothing_left()

    def test_state_is_noted_before_the_guest_is_joined(self) -> None:
        """
        A terminal that no socat joins yet would be found by a later agent, too.
        """
        self.workshop.joining = OSError(11, "Resource temporarily unavailable")

        self.opened()

        self.assertEqual(self.room.read_state()["processes"], [[100, 1100]])

    def test_orders_reach_the_terminal(self) -> None:
        """
        An open console passes orders on.
        """
        self.opened()
        self.workshop.terminals[0].answers["viewers"] = {"viewers": []}

        asking = Deferred.fromCoroutine(self.console.order("viewers"))

        self.assertEqual(self.successResultOf(asking), {"viewers": []})

    def test_orders_need_a_terminal(self) -> None:
        """
        One that is not open, or no more, has nobody to obey.
        """
        self.failureResultOf(Deferred.fromCoroutine(self.console.order("viewers")), TerminalGone)
        self.opened()
        self.console.close("closed", "")

        self.failureResultOf(Deferred.fromCoroutine(self.console.order("viewers")), TerminalGone)


class JoiningTests(ConsoleTestCase):
    """
    A socat that dies is nobody's end.
    """

    def setUp(self) -> None:
        super().setUp()
        self.opened()

    def test_new_one_joins(self) -> None:
        """
        Another one joins the same terminal at once, on the device that was held open.
        """
        self.workshop.socats[0].die()

        self.assertEqual(self.console.state, LIVE)
        self.assertEqual(self.workshop.devices, [self.device, self.device])
        self.assertEqual(len(self.workshop.terminals), 1)
        self.assertEqual(self.room.read_state()["processes"][1], [201, 1201])

    def test_dying_again_and_again(self) -> None:
        """
        One that dies each time does not keep the host busy: the pauses grow, to 5 s.
        """
        for _ in range(60):
            if self.workshop.socats[-1].runs:
                self.workshop.socats[-1].die()
            self.clock.advance(1)

        self.assertLess(len(self.workshop.socats), 25)
        self.assertGreater(len(self.workshop.socats), 10)

    def test_long_life_forgives(self) -> None:
        """
        After a while that it ran, the next one joins at once again.
        """
        for _ in range(4):
            self.workshop.socats[-1].die()
            self.clock.advance(5)
        count = len(self.workshop.socats)
        self.clock.advance(11)

        self.workshop.socats[-1].die()

        self.assertEqual(len(self.workshop.socats), count + 1)
        self.assertEqual(self.console.state, LIVE)

    def test_joining_fails(self) -> None:
        """
        Where none can be made for now, it is tried again.
        """
        self.workshop.joining = OSError(11, "Resource temporarily unavailable")
        self.workshop.socats[0].die()
        self.assertEqual(self.console.state, JOINING)

        self.workshop.joining = None
        self.clock.advance(1)

        self.assertEqual(self.console.state, LIVE)

    def test_libvirt_is_away(self) -> None:
        """
        Where libvirt can't say whether the guest lives, the device we hold is still its.
        """
        self.hypervisor.set_away("libvirt is away")

        self.workshop.socats[0].die()

        self.assertEqual(self.console.state, LIVE)

    def test_guest_is_gone(self) -> None:
        """
        Where libvirt says that the guest has ended, so has its console.
        """
        self.hypervisor.set_state(UUID, SHUTOFF)

        self.workshop.socats[0].die()
        self.clock.pump([0.1] * 30)

        self.assertEqual(self.told[-1], {"event": "closed", "reason": "guest-ended"})
        self.assert_nothing_left()

    def test_guest_was_started_anew(self) -> None:
        """
        Where the guest has ended and another run of it has begun, unseen while libvirt was
        away, the device that was held is dead: nothing is joined to it again and again.
        """
        self.close_guest()

        self.workshop.socats[0].die()
        self.clock.pump([0.1] * 30)

        self.assertEqual(len(self.workshop.socats), 1)
        self.assertEqual(self.told[-1], {"event": "closed", "reason": "guest-ended"})
        self.assert_nothing_left()

    def test_guest_is_undefined(self) -> None:
        """
        A guest that does not exist any more, too.
        """
        self.hypervisor.remove(UUID)

        self.workshop.socats[0].die()
        self.clock.pump([0.1] * 30)

        self.assert_nothing_left()
