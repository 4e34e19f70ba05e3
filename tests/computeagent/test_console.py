"""
Tests for L{computeagent.console}: one console's life.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Mapping
from pathlib import Path
from shutil import rmtree
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from computeagent.console import CLOSED, CLOSING, JOINING, LIVE, Console, Place
from computeagent.hypervisor import SHUTOFF
from computeagent.memoryhost import MemoryHost
from computeagent.orders import TerminalGone
from computeagent.ports import PortsExhausted
from computeagent.rooms import Rooms
from tests.computeagent.descriptions import UUID, domain_xml
from tests.computeagent.fakes import FakeWorkshop


class ConsoleTestCase(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock = Clock()
        self.hypervisor = MemoryHost()
        self.hypervisor.add(UUID, "web1", domain_xml())
        self.workshop = FakeWorkshop(self.clock)
        base = Path(tempfile.mkdtemp(prefix="console-"))
        self.addCleanup(rmtree, base, ignore_errors=True)
        rooms = Rooms(base)
        rooms.prepare()
        self.addCleanup(rooms.release)
        self.room = rooms.make("0123456789ab")
        # The guest's side of its serial line, and ours.
        self.guest, self.device = os.openpty()
        self.addCleanup(self.close_guest)
        self.told: list[Mapping[str, Any]] = []
        self.console = Console(
            self.clock,
            self.hypervisor,
            self.workshop,
            "0123456789ab",
            Place(UUID, "web1", "serial0"),
            self.room,
            self.device,
            lambda console, words: self.told.append(words),
        )

    def close_guest(self) -> None:
        """
        The guest's QEMU is gone.
        """
        if self.guest >= 0:
            os.close(self.guest)
            self.guest = -1

    def opened(self) -> None:
        self.successResultOf(Deferred.fromCoroutine(self.console.open()))

    def assert_nothing_left(self) -> None:
        """
        No process, no descriptor, no file, no timer.
        """
        self.assertEqual(self.console.state, CLOSED)
        self.assertEqual(self.workshop.running, [])
        self.assertRaises(OSError, os.fstat, self.device)
        self.assertFalse(self.room.path.exists())
        self.assertEqual(self.clock.getDelayedCalls(), [])


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


class ClosingTests(ConsoleTestCase):
    """
    A console's end leaves nothing behind.
    """

    def setUp(self) -> None:
        super().setUp()
        self.opened()
        self.terminal = self.workshop.terminals[0]

    def test_on_request(self) -> None:
        """
        The terminal tells its viewers why, and ends; whoever waits is told when all is over.
        """
        closings = [self.console.close("closed", "Bye."), self.console.close("again", "")]
        self.assertEqual(self.console.state, CLOSING)
        self.assertEqual(self.terminal.orders("finish"), [{"reason": "closed", "message": "Bye."}])
        self.assertNoResult(closings[0])
        self.clock.advance(0.2)

        for closing in closings:
            self.successResultOf(closing)
        self.assertEqual(self.told, [{"event": "closed", "reason": "closed"}])
        self.assertTrue(self.terminal.left)
        self.assert_nothing_left()

    def test_twice(self) -> None:
        """
        What is closed can be closed.
        """
        self.console.close("closed", "")
        self.clock.advance(0.2)

        self.successResultOf(self.console.close("closed", ""))
        self.assertEqual(len(self.told), 1)

    def test_idle(self) -> None:
        """
        A terminal that ends of idleness takes its console with it.
        """
        self.terminal.end("idle")
        self.clock.advance(0.2)

        self.assertEqual(
            [words.get("reason") for words in self.told if words["event"] == "closed"], ["idle"]
        )
        self.assert_nothing_left()

    def test_terminal_dies(self) -> None:
        """
        A terminal that is killed takes its console with it.
        """
        self.terminal.child.die()

        self.assertEqual(self.told, [{"event": "closed", "reason": "broken"}])
        self.assert_nothing_left()

    def test_terminal_does_not_end(self) -> None:
        """
        One that is stuck is made to end, after five seconds.
        """
        self.terminal.answers["finish"] = Deferred()
        self.terminal.finishes = False
        closing = self.console.close("closed", "")

        self.clock.advance(4.9)
        self.assertEqual(self.terminal.child.asked, 0)
        self.clock.advance(0.2)

        self.successResultOf(closing)
        self.assertEqual(self.terminal.child.asked, 1)
        self.assertEqual(self.workshop.running, [])

    def test_socat_does_not_end(self) -> None:
        """
        The end of all children is waited for, so that none is left when we say so.
        """
        self.workshop.socats[0].stubborn = True
        closing = self.console.close("closed", "")
        self.clock.advance(1)
        self.assertNoResult(closing)

        self.workshop.socats[0].die()

        self.successResultOf(closing)
        self.assert_nothing_left()

    def test_guest_stops(self) -> None:
        """
        When libvirt says that the guest has ended, socat has a second for what the guest
        said last; then the viewers are told.
        """
        self.console.guest_stopped()
        self.clock.advance(0.9)
        self.assertEqual(self.terminal.given, [])
        self.clock.advance(0.2)
        self.assertEqual(self.terminal.orders("finish")[0]["reason"], "guest-ended")
        self.clock.advance(0.2)

        self.assert_nothing_left()

    def test_guest_stops_and_socat_ends(self) -> None:
        """
        Once socat has read everything there is nothing to wait for.
        """
        self.console.guest_stopped()
        self.workshop.socats[0].die("status 0")

        self.assertEqual(len(self.terminal.orders("finish")), 1)
        self.assertEqual(len(self.workshop.socats), 1)
        self.clock.advance(0.2)
        self.assert_nothing_left()

    def test_guest_stops_and_starts_anew(self) -> None:
        """
        A guest that runs again already has another serial line: its console is closing
        from the moment that it stopped, so nobody is let in to the old one.
        """
        self.console.guest_stopped()
        self.console.guest_stopped()

        self.assertEqual(self.console.state, CLOSING)
        self.clock.pump([1.0, 0.2])
        self.assertEqual([words["event"] for words in self.told], ["closed"])
        self.assert_nothing_left()

    def test_closing_while_joining(self) -> None:
        """
        A console that waits for its next socat can be closed; none comes then.
        """
        self.workshop.joining = OSError(11, "Resource temporarily unavailable")
        self.workshop.socats[0].die()

        self.console.close("closed", "")
        self.clock.advance(0.2)
        self.clock.advance(10)

        self.assert_nothing_left()
        self.assertEqual(len(self.workshop.socats), 1)

    def test_whoever_is_told_fails(self) -> None:
        """
        A mistake of ours in telling the end keeps nobody waiting for it.
        """
        self.console._told = lambda console, words: 1 / 0  # type: ignore[assignment]

        closing = self.console.close("closed", "")
        self.clock.advance(0.2)

        self.successResultOf(closing)
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)

    def test_viewers_are_told_of(self) -> None:
        """
        Who comes and goes is passed on.
        """
        self.terminal.tell("viewer_came", viewer="v1", user="ann")

        self.assertEqual(self.told, [{"event": "viewer_came", "viewer": "v1", "user": "ann"}])
