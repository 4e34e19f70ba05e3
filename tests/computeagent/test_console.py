"""
Tests for L{computeagent.console}: one console's life.
"""

from __future__ import annotations

from twisted.internet.defer import Deferred

from computeagent.console import CLOSED
from computeagent.hypervisor import RUNNING, SHUTOFF
from computeagent.orders import TerminalGone
from computeagent.place import LIVE, WAITING
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

        state = self.room.read("state")
        self.assertEqual(state["processes"], [[100, 1100], [200, 1200]])
        self.assertEqual((state["uuid"], state["device"]["alias"]), (UUID, "serial0"))

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

        self.assertEqual(self.room.read("state")["processes"], [[100, 1100]])

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


class TerminalTests(ConsoleTestCase):
    """
    A terminal that dies is followed by another one.
    """

    def setUp(self) -> None:
        super().setUp()
        self.opened()
        granting = self.console.grant("g1", digest="d1", mode="rw", user="ann", lifetime=600.0)
        self.successResultOf(Deferred.fromCoroutine(granting))

    def die(self) -> None:
        self.workshop.terminals[-1].child.die()

    def test_another_takes_its_place(self) -> None:
        """
        On the same port, under the same grants; the guest, whose device was held open, is
        joined to it.
        """
        self.die()

        self.assertEqual(self.console.state, LIVE)
        first, second = self.workshop.terminals
        self.assertEqual(second.orders("grant"), first.orders("grant"))
        self.assertEqual(self.workshop.wanted, [None, 10001])
        self.assertEqual(self.workshop.devices, [self.device, self.device])
        self.assertEqual(self.told, [{"event": "moved"}])
        self.assertEqual(self.room.read("state")["processes"], [[101, 1101], [201, 1201]])

    def test_grants_that_are_over(self) -> None:
        """
        What was revoked, or has expired, is not given again.
        """
        for name in ("g2", "g3"):
            granting = self.console.grant(name, digest="d", mode="rw", user="bob", lifetime=600.0)
            self.successResultOf(Deferred.fromCoroutine(granting))
        self.successResultOf(Deferred.fromCoroutine(self.console.revoke("g2")))
        self.console.forget(["g3"])

        self.die()

        given = self.workshop.terminals[1].orders("grant")
        self.assertEqual([words["grant"] for words in given], ["g1"])

    def test_viewers_are_gone_with_it(self) -> None:
        """
        Whoever was there is not, until he is there again.
        """
        self.workshop.terminals[0].tell("viewer_came", viewer="v1", user="ann")
        self.workshop.terminals[0].tell("viewer_came", viewer="v2", user="bob")
        self.workshop.terminals[0].tell("viewer_left", viewer="v2", user="bob")
        self.told.clear()

        self.die()

        self.assertEqual(
            self.told,
            [{"event": "viewer_left", "viewer": "v1", "user": "ann"}, {"event": "moved"}],
        )

    def test_orders_wait_for_it(self) -> None:
        """
        Who asks for something meanwhile is answered by the next one.
        """
        self.workshop.starting = starting = Deferred[None]()
        self.die()
        asking = Deferred.fromCoroutine(self.console.order("viewers"))
        self.assertNoResult(asking)

        starting.callback(None)

        self.successResultOf(asking)
        self.assertEqual(len(self.workshop.terminals[1].orders("viewers")), 1)

    def test_dies_while_it_is_asked(self) -> None:
        """
        What it can't answer any more, the next one answers.
        """
        self.workshop.terminals[0].answers["viewers"] = answer = Deferred[None]()
        asking = Deferred.fromCoroutine(self.console.order("viewers"))

        answer.errback(TerminalGone())  # its connection is gone first
        self.assertNoResult(asking)
        self.die()

        self.successResultOf(asking)

    def test_again_and_again(self) -> None:
        """
        One that dies again and again is given up, with pauses that grow before.
        """
        for _ in range(100):
            if self.workshop.terminals[-1].child.runs:
                self.die()
            self.clock.advance(1)

        self.assertEqual(len(self.workshop.terminals), 6)
        self.assertEqual(self.told[-1], {"event": "closed", "reason": "broken"})
        self.assert_nothing_left()

    def test_steady(self) -> None:
        """
        One that dies once in a while is not.
        """
        for _ in range(12):
            self.die()
            self.clock.advance(61)

        self.assertEqual(self.console.state, LIVE)

    def test_too_late(self) -> None:
        """
        One that does not answer in time is ended before another is started, and counts; what it
        says is nobody's.
        """
        self.workshop.mute = 2
        self.die()
        for _ in range(20):
            self.clock.advance(1.0)

        _, second, third, fourth = self.workshop.terminals
        self.assertEqual((second.child.runs, third.child.runs), (False, False))
        self.assertTrue(fourth.child.runs)
        second.tell("ended", reason="idle")
        self.assertEqual(self.console.state, LIVE)

        self.workshop.mute = 100
        self.die()
        for _ in range(100):
            self.clock.advance(1.0)
        self.assertEqual(self.console.state, CLOSED)
        self.assertEqual(self.workshop.running, [])

    def test_none_can_be_started(self) -> None:
        """
        Where none can be had any more, the console is closed after some tries.
        """
        self.workshop.starting = PortsExhausted(1, 2)

        self.die()
        self.clock.pump([1.0] * 100)

        self.assertEqual(self.told[-1], {"event": "closed", "reason": "broken"})
        self.assert_nothing_left()

    def test_closed_meanwhile(self) -> None:
        """
        A console that is closed while another terminal is started leaves nothing.
        """
        self.workshop.starting = starting = Deferred[None]()
        self.die()
        asking = Deferred.fromCoroutine(self.console.order("viewers"))

        closing = self.console.close("closed", "")
        self.failureResultOf(asking, TerminalGone)
        self.assertNoResult(closing)
        starting.callback(None)
        self.clock.pump([0.1] * 5)

        self.successResultOf(closing)
        self.assert_nothing_left()

    def test_closed_in_a_pause(self) -> None:
        """
        So does one that is closed between two tries.
        """
        self.workshop.starting = PortsExhausted(1, 2)
        self.die()

        closing = self.console.close("closed", "")
        self.clock.advance(0)

        self.successResultOf(closing)
        self.assert_nothing_left()

    def test_guest_is_off(self) -> None:
        """
        The next one is told that the guest is off, and joined when it is back.
        """
        self.hypervisor.set_state(UUID, SHUTOFF)
        self.workshop.socats[0].die()

        self.die()

        terminal = self.workshop.terminals[1]
        self.assertEqual(
            terminal.orders("line"), [{"state": "waiting", "message": "The guest is not running."}]
        )
        self.assertEqual(self.console.state, WAITING)
        self.hypervisor.set_state(UUID, RUNNING)
        self.assertEqual(self.console.state, LIVE)
