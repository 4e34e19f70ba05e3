"""
Tests for L{computeagent.guestline}: the guest's side of a console.
"""

from __future__ import annotations

import os

from twisted.internet.defer import Deferred

from computeagent.devices import CannotOpen
from computeagent.domainxml import SerialDevice
from computeagent.hypervisor import RUNNING, SHUTOFF
from computeagent.place import BACK, JOINING, LIVE, WAITING
from tests.computeagent.consolestage import ConsoleTestCase
from tests.computeagent.descriptions import PTY, UUID, VIRTIO, domain_xml


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
        self.assertEqual(self.room.read("state")["processes"][1], [201, 1201])

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


class WaitingTests(ConsoleTestCase):
    """
    A guest that is off is waited for.
    """

    def setUp(self) -> None:
        super().setUp()
        self.opened()
        self.terminal = self.workshop.terminals[0]

    def stop(self, happened: str = "stopped") -> None:
        """
        The guest ends, as libvirt lets one: QEMU is gone, then it is told.
        """
        self.close_guest()
        for number in range(len(self.opener.guests)):
            self.opener.hang_up(number)
        self.hypervisor.set_state(UUID, SHUTOFF)
        self.workshop.socats[-1].die("status 0")
        self.console.happened(happened)

    def lines(self) -> list[tuple[object, object]]:
        """
        @return: what the terminal was told of its line.
        """
        return [(words["state"], words["message"]) for words in self.terminal.orders("line")]

    def test_guest_stops(self) -> None:
        """
        The console waits, with a sentence that says what happened; its device is closed, the
        terminal goes on.
        """
        self.stop("shutdown")

        self.assertEqual(self.console.state, WAITING)
        self.assertEqual(self.lines()[-1], ("waiting", "The guest was shut off."))
        self.assertRaises(OSError, os.fstat, self.device)
        self.assertEqual(self.workshop.running, [self.terminal.child])
        self.assertEqual(self.told[-1], {"event": "waiting"})

    def test_last_words(self) -> None:
        """
        socat has a second for what the guest said last; then the viewers are told.
        """
        self.hypervisor.set_state(UUID, SHUTOFF)
        self.clock.advance(0.9)
        self.assertEqual(self.lines(), [])
        os.fstat(self.device)

        self.clock.advance(0.2)

        self.assertEqual(self.lines(), [("waiting", "The guest is not running.")])
        self.assertFalse(self.workshop.socats[0].runs)
        self.assertRaises(OSError, os.fstat, self.device)

    def test_guest_is_back(self) -> None:
        """
        What libvirt says of it is read anew, its device opened anew, and joined to the same
        terminal.
        """
        self.stop()
        self.hypervisor.add(UUID, "web1", domain_xml(PTY.replace("pts/7", "pts/12")))

        self.assertEqual(self.console.state, LIVE)
        self.assertEqual([one.path for one, _ in self.opener.opened], ["/dev/pts/12"])
        self.assertEqual(self.workshop.devices, [self.device, self.opener.descriptors[0]])
        self.assertEqual(self.lines()[-1], ("live", BACK))
        self.assertEqual(self.told[-1], {"event": "live"})
        self.assertEqual(len(self.workshop.terminals), 1)

    def test_ten_times(self) -> None:
        """
        Again and again; and nothing gathers.
        """
        for count in range(1, 11):
            self.stop()
            self.hypervisor.set_state(UUID, RUNNING)
            self.assertEqual(len(self.opener.opened), count)
            self.assertEqual(self.console.state, LIVE)
        self.console.close("closed", "")
        self.clock.advance(0.2)

        self.assert_nothing_left()
        for descriptor in self.opener.descriptors:
            self.assertRaises(OSError, os.fstat, descriptor)

    def test_started_before_the_old_output_has_passed(self) -> None:
        """
        The new device is opened at once, so that nothing is missed, and joined when the old
        output has passed, so that nothing is mixed.
        """
        self.hypervisor.set_state(UUID, SHUTOFF)
        self.hypervisor.set_state(UUID, RUNNING)
        self.assertEqual(len(self.opener.opened), 1)
        self.assertEqual(len(self.workshop.socats), 1)

        self.workshop.socats[0].die("status 0")

        self.assertEqual(len(self.workshop.socats), 2)
        self.assertEqual(self.console.state, LIVE)
        self.assertEqual(self.lines(), [("live", BACK)])

    def test_late_word_of_its_end(self) -> None:
        """
        If libvirt tells of the end when the guest is long back, that does no harm.
        """
        self.stop()
        self.hypervisor.set_state(UUID, RUNNING)

        self.console.happened("destroyed")

        self.assertEqual(self.console.state, LIVE)
        self.assertEqual(len(self.opener.opened), 1)

    def test_end_that_nobody_told(self) -> None:
        """
        Where the guest has ended and runs again, unseen while libvirt was away, the device
        that was held is dead: it is opened anew when a socat finds that out.
        """
        self.close_guest()

        self.workshop.socats[0].die("status 0")

        self.assertEqual(self.console.state, LIVE)
        self.assertEqual(len(self.opener.opened), 1)

    def test_better_reason(self) -> None:
        """
        What libvirt says later, and better, is told as well.
        """
        self.hypervisor.set_state(UUID, SHUTOFF)
        self.workshop.socats[0].die("status 0")

        self.console.happened("crashed")

        self.assertEqual(
            self.lines(),
            [("waiting", "The guest is not running."), ("waiting", "The guest crashed.")],
        )

    def test_not_ready_yet(self) -> None:
        """
        A device that can't be opened yet is tried again, with pauses that grow.
        """
        self.stop()
        self.opener.failing = CannotOpen("it has no terminal on the host yet")
        self.hypervisor.set_state(UUID, RUNNING)
        self.assertEqual(self.console.state, WAITING)
        self.clock.pump([1.0] * 600)
        self.assertLess(len(self.opener.opened), 40)
        self.assertGreater(len(self.opener.opened), 10)

        self.opener.failing = None
        self.clock.pump([1.0] * 30)

        self.assertEqual(self.console.state, LIVE)

    def test_closed_while_it_waits(self) -> None:
        """
        A console that waits can be closed, and nothing of it stays.
        """
        self.stop()
        self.opener.failing = CannotOpen("it has no terminal on the host yet")
        self.hypervisor.set_state(UUID, RUNNING)

        self.console.close("closed", "")
        self.clock.advance(0.2)

        self.assert_nothing_left()

    def test_closed_while_it_comes_back(self) -> None:
        """
        A device that is opened too late is closed again.
        """
        self.stop()
        self.opener.failing = opening = Deferred[None]()
        self.hypervisor.set_state(UUID, RUNNING)
        self.console.close("closed", "")
        self.clock.advance(0.2)

        opening.callback(None)

        self.assertRaises(OSError, os.fstat, self.opener.descriptors[0])
        self.assert_nothing_left()

    def test_undefined(self) -> None:
        """
        A guest that is undefined and stays so ends its console.
        """
        self.stop("destroyed")
        self.hypervisor.remove(UUID)
        self.clock.advance(29)
        self.assertEqual(self.console.state, WAITING)

        self.clock.advance(2)
        self.clock.advance(0.2)

        [finish] = self.terminal.orders("finish")
        self.assertIn("does not exist on this host any more", str(finish["message"]))
        self.assertEqual(self.told[-1], {"event": "closed", "reason": "guest-ended"})
        self.assert_nothing_left()

    def test_defined_again(self) -> None:
        """
        OpenStack's hard reboot undefines a guest, and defines it again.
        """
        self.stop("destroyed")
        self.hypervisor.remove(UUID)
        self.clock.advance(20)
        self.hypervisor.add(UUID, "web1", domain_xml(), SHUTOFF)
        self.clock.advance(20)
        self.assertEqual(self.console.state, WAITING)
        self.hypervisor.set_state(UUID, RUNNING)

        self.assertEqual(self.console.state, LIVE)
        self.clock.advance(100)
        self.assertEqual(self.console.state, LIVE)

    def test_back_but_not_ready(self) -> None:
        """
        One that is there again is not taken for gone while its device can't be opened yet.
        """
        self.stop("destroyed")
        self.hypervisor.remove(UUID)
        self.clock.advance(5)
        self.opener.failing = CannotOpen("it is not there yet")
        self.hypervisor.add(UUID, "web1", domain_xml())
        for _ in range(60):
            self.clock.advance(1)
        self.assertEqual(self.console.state, WAITING)

        self.opener.failing = None
        self.clock.advance(30)

        self.assertEqual(self.console.state, LIVE)

    def test_device_unplugged_and_plugged(self) -> None:
        """
        A device may go without its guest, and come back.
        """
        self.hypervisor.add(UUID, "web1", domain_xml(VIRTIO))
        self.close_guest()
        self.console.happened("devices")
        self.workshop.socats[0].die("status 0")
        self.assertEqual(self.console.state, WAITING)

        self.hypervisor.add(UUID, "web1", domain_xml(PTY))
        self.console.happened("devices")

        self.assertEqual(self.console.state, LIVE)
        self.assertEqual(
            self.opener.opened[0][0], SerialDevice("serial0", "serial", "pty", "/dev/pts/7")
        )

    def test_other_devices_come_and_go(self) -> None:
        """
        What happens to others does not matter.
        """
        self.console.happened("devices")

        self.assertEqual(self.console.state, LIVE)
        self.assertEqual(len(self.workshop.socats), 1)
