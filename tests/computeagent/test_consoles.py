"""
Tests for L{computeagent.consoles}: one console to a device, however many ask.
"""

from __future__ import annotations

import os

from twisted.internet.defer import Deferred

from computeagent.consoles import Consoles
from computeagent.devices import CannotOpen
from computeagent.hypervisor import RUNNING, SHUTOFF, Domain
from computeagent.memoryhost import MemoryHost
from computeagent.orders import OrderFailed, TerminalGone
from computeagent.ports import PortsExhausted
from consolebus.ibus import Broken, Conflict, Unavailable
from tests.computeagent.descriptions import PTY, UUID, VIRTIO, domain_xml
from tests.computeagent.stage import AgentTestCase


class Lenient(MemoryHost):
    """
    Takes a UUID in any spelling, as libvirt does.
    """

    def running(self, uuid: str) -> Deferred[Domain]:
        return super().running(uuid.lower())


class Counting(MemoryHost):
    """
    Counts what it is asked.
    """

    asked = 0

    def running(self, uuid: str) -> Deferred[Domain]:
        self.asked += 1
        return super().running(uuid)


OTHER = "0e0e0e0e-9a58-4c5e-8a3a-1f1e5f3c2d10"


class OpeningTests(AgentTestCase):
    """
    Two readers of one pty get half of the output each, so there is one.
    """

    def test_second_user_shares(self) -> None:
        """
        Whoever asks later gets the same console, under a grant of his own.
        """
        first, second = self.got(), self.got(user="bob")

        self.assertEqual(first["console"], second["console"])
        self.assertNotEqual(first["grant"], second["grant"])
        self.assertEqual(len(self.opener.opened), 1)
        self.assertEqual(len(self.workshop.running), 2)

    def test_all_at_once(self) -> None:
        """
        Those who ask while it is being opened wait for it; it is opened once.
        """
        self.opener.failing = Deferred()
        asking = [self.get(user=f"user{n}") for n in range(20)]
        for one in asking:
            self.assertNoResult(one)

        self.opener.failing.callback(None)
        self.pass_time(0)

        consoles = {self.successResultOf(one)["console"] for one in asking}
        self.assertEqual(len(consoles), 1)
        self.assertEqual(len(self.opener.opened), 1)
        self.assertEqual(len(self.workshop.running), 2)

    def test_all_at_once_in_vain(self) -> None:
        """
        If it can't be opened all of them are told, and the next one who asks tries again.
        """
        self.opener.failing = failing = Deferred()
        asking = [self.get() for _ in range(3)]

        failing.errback(CannotOpen("it is gone"))
        self.pass_time(0)

        for one in asking:
            self.assertIn("it is gone", str(self.failureResultOf(one, Unavailable).value))
        self.opener.failing = None
        self.got()

    def test_mistake_of_ours(self) -> None:
        """
        Something that nobody foresaw is told to all of them as such, and does not keep the
        device shut for ever.
        """
        self.opener.failing = failing = Deferred()
        asking = [self.get() for _ in range(3)]

        failing.errback(ZeroDivisionError())
        self.pass_time(0)

        for one in asking:
            self.failureResultOf(one, Broken)
        self.assertTrue(self.flushLoggedErrors(ZeroDivisionError))
        self.opener.failing = None
        self.got()

    def test_terminal_that_does_not_start(self) -> None:
        """
        A terminal that ends before it is up is told in a sentence, and the next try is one.
        """
        self.workshop.starting = TerminalGone()

        said = self.refused(Unavailable)

        self.assertIn("ended as it started", said)
        self.workshop.starting = None
        self.got()

    def test_terminal_that_ends_as_it_starts(self) -> None:
        """
        Also one that ends in the very moment when it is up: its console, closed before it was
        open, does not stay in the way.
        """
        self.workshop.starting = starting = Deferred()
        asking = self.get()
        self.terminal.child.die("status 1")

        starting.callback(None)
        self.pass_time(6)

        self.assertIn("ended as it started", str(self.failureResultOf(asking, Unavailable).value))
        self.workshop.starting = None
        self.got()

    def test_uuid_spelled_otherwise(self) -> None:
        """
        libvirt knows a guest by its UUID in any spelling; it is still one guest, with one
        console.
        """
        self.hypervisor = Lenient()
        self.hypervisor.add(UUID, "web1", domain_xml())
        self.agent._consoles._hypervisor = self.hypervisor

        consoles = {self.got(domain=uuid)["console"] for uuid in (UUID, UUID.upper())}

        self.assertEqual(len(consoles), 1)
        self.assertEqual({uuid for _, uuid in self.opener.opened}, {UUID})

    def test_ends_while_it_is_asked(self) -> None:
        """
        A terminal that ends of idleness just when a grant is asked of it refuses that; who
        asked gets a new one and notices nothing.
        """
        first = self.got()
        self.terminal.answers["grant"] = granting = Deferred()
        asking = self.get()

        self.terminal.end("idle")
        granting.errback(OrderFailed("this console has ended"))
        self.pass_time(0.3)

        self.assertNotEqual(self.successResultOf(asking)["console"], first["console"])

    def test_devices_have_consoles_of_their_own(self) -> None:
        """
        Two devices of a guest are two consoles.
        """
        self.hypervisor.add(UUID, "web1", domain_xml(PTY + VIRTIO))

        first, second = self.got(), self.got(device="console1")

        self.assertNotEqual(first["console"], second["console"])
        self.assertEqual((first["device"], second["device"]), ("serial0", "console1"))

    def test_index_and_alias_are_the_same_device(self) -> None:
        """
        However a device is named, it is that one.
        """
        consoles = {self.got(device=name)["console"] for name in (None, "0", "serial0")}

        self.assertEqual(len(consoles), 1)

    def test_live_description_each_time(self) -> None:
        """
        The path is read anew whenever a console is opened: numbers are reused.
        """
        self.got()
        self.terminal.end("idle")
        self.pass_time(0.3)
        self.hypervisor.add(UUID, "web1", domain_xml(PTY.replace("pts/7", "pts/12")))

        self.got()

        self.assertEqual(
            [device.path for device, _ in self.opener.opened], ["/dev/pts/7", "/dev/pts/12"]
        )

    def test_asked_for_while_it_ends(self) -> None:
        """
        Who asks while the console is just ending gets a new one, once the old is gone.
        """
        first = self.got()
        self.terminal.end("idle")

        asking = self.get()
        self.assertNoResult(asking)
        self.assertEqual(len(self.opener.opened), 1)
        self.hypervisor.add(UUID, "web1", domain_xml(PTY.replace("pts/7", "pts/12")))
        self.pass_time(0.3)

        self.assertNotEqual(self.successResultOf(asking)["console"], first["console"])
        self.assertEqual(self.opener.opened[1][0].path, "/dev/pts/12")

    def test_too_many(self) -> None:
        """
        Their number has a limit.
        """
        self.agent._consoles.MOST = 1
        self.hypervisor.add(OTHER, "web2", domain_xml(name="web2"))
        self.got()

        said = self.refused(Unavailable, domain=OTHER)

        self.assertEqual(said, "host h1 has 1 consoles open already")
        self.assertEqual(Consoles.MOST, 2000)

    def test_moved_meanwhile(self) -> None:
        """
        A guest that moves to another host while its console is opened has none here.
        """
        self.workshop.starting = starting = Deferred()
        asking = self.get()
        self.hypervisor.set_state(UUID, SHUTOFF)
        self.agent._consoles.changed(UUID, "migrated")
        self.pass_time(0.1)
        self.workshop.starting = None
        starting.callback(None)
        self.pass_time(1)

        self.assertIn("another host", str(self.failureResultOf(asking, Conflict).value))
        self.assertEqual(self.workshop.running, [])
        self.hypervisor.set_state(UUID, RUNNING)
        self.got()

    def test_no_room(self) -> None:
        """
        If there is no place for its files, the device is closed again.
        """
        self.run_directory.chmod(0o700)
        os.rename(self.run_directory, f"{self.run_directory}-moved")
        self.addCleanup(os.rename, f"{self.run_directory}-moved", self.run_directory)

        self.assertIn("can't open another console", self.refused(Unavailable))

        self.assertRaises(OSError, os.fstat, self.opener.descriptors[0])
        self.flushLoggedErrors(OSError)

    def test_no_port(self) -> None:
        """
        Ports that are used up leave nothing open, and when one is free again it works.
        """
        self.workshop.starting = PortsExhausted(10000, 10001)

        said = self.refused(Unavailable)

        self.assertIn("no port left for another console (10000-10001)", said)
        self.assertRaises(OSError, os.fstat, self.opener.descriptors[0])
        self.assertEqual([path.name for path in self.run_directory.iterdir()], ["lock"])
        self.workshop.starting = None
        self.got()


class GuestTests(AgentTestCase):
    """
    Consoles wait for their guests.
    """

    def states(self) -> dict[str, str]:
        listed = self.successResultOf(self.ask("list_consoles"))["consoles"]
        return {one["console"]: one["state"] for one in listed}

    def test_guest_stops(self) -> None:
        """
        When libvirt tells that a guest has stopped its console waits, and no other.
        """
        self.hypervisor.add(OTHER, "web2", domain_xml(name="web2"))
        one, other = self.got(), self.got(domain=OTHER)

        self.hypervisor.set_state(UUID, SHUTOFF)
        self.pass_time(2)

        self.assertEqual(self.states(), {one["console"]: "waiting", other["console"]: "live"})
        self.assertEqual(self.api.of("console_is")[-1]["event"], "waiting")
        self.hypervisor.set_state(UUID, RUNNING)
        self.pass_time(0.1)
        self.assertEqual(self.api.of("console_is")[-1]["event"], "live")

    def test_asked_for_while_it_waits(self) -> None:
        """
        Whoever asks for the console of a guest that is off joins the one that waits, and sees
        how it starts; where there is none, he is told to start the guest first.
        """
        one = self.got()
        self.hypervisor.set_state(UUID, SHUTOFF)
        self.pass_time(2)

        self.assertEqual(self.got(user="bob")["console"], one["console"])
        self.assertEqual(self.got(domain=UUID.upper())["console"], one["console"])
        self.assertEqual(self.got(device="serial0")["console"], one["console"])
        self.assertIn("is not running (shutoff)", self.refused(Conflict, device="console1"))
        self.terminal.end("idle")
        self.pass_time(2)
        self.assertIn("is not running (shutoff)", self.refused(Conflict))

    def test_libvirt_comes_back(self) -> None:
        """
        A guest that ended while libvirt was away is noticed when it is back; the console of
        one that still runs is left alone.
        """
        self.hypervisor.add(OTHER, "web2", domain_xml(name="web2"))
        one, other = self.got(), self.got(domain=OTHER)
        self.hypervisor.set_away("libvirt is away")
        self.pass_time(2)
        self.assertEqual(len(self.workshop.running), 4)

        self.hypervisor._watchers, watchers = [], self.hypervisor._watchers
        self.hypervisor.set_state(UUID, SHUTOFF)
        self.hypervisor._watchers = watchers
        self.hypervisor.set_away("")
        self.pass_time(2)

        self.assertEqual(self.states(), {one["console"]: "waiting", other["console"]: "live"})

    def test_guest_is_gone_when_libvirt_comes_back(self) -> None:
        """
        One that was undefined meanwhile ends its console after a while.
        """
        self.got()
        self.hypervisor._watchers, watchers = [], self.hypervisor._watchers
        self.hypervisor.remove(UUID)
        self.hypervisor._watchers = watchers
        self.hypervisor.set_away("")
        self.pass_time(35)

        self.assertEqual(self.states(), {})
        self.assertEqual(self.workshop.running, [])

    def test_many_consoles_are_one_question(self) -> None:
        """
        However many there are, libvirt is asked once when it is back: it takes only so many
        questions at a time, and the others would be left out.
        """
        counting = self.agent._consoles._hypervisor = Counting()
        for number in range(10):
            uuid = f"{number:08}" + UUID[8:]
            counting.add(uuid, f"web{number}", domain_xml())
            self.got(domain=uuid)
        for number in range(10):
            counting.set_state(f"{number:08}" + UUID[8:], SHUTOFF)
        counting.asked = 0

        self.hypervisor.set_away("")
        self.pass_time(2)

        self.assertEqual(counting.asked, 0)
        self.assertEqual(len(self.workshop.running), 10)  # the terminals


class StoppingTests(AgentTestCase):
    """
    An agent that is stopped takes its consoles with it.
    """

    def test_everything_ends(self) -> None:
        """
        Each terminal may take leave; then nothing is left.
        """
        self.got()

        stopping = Deferred.fromCoroutine(self.agent.stop())
        self.assertNoResult(stopping)
        self.pass_time(0.3)

        self.successResultOf(stopping)
        self.assertEqual(self.terminal.orders("finish")[0]["reason"], "leaving")
        self.assertEqual(self.workshop.running, [])
        self.assertRaises(OSError, os.fstat, self.opener.descriptors[0])

    def test_no_new_ones(self) -> None:
        """
        One that is being stopped opens nothing any more.
        """
        self.got()
        Deferred.fromCoroutine(self.agent.stop())

        self.assertIn("is being stopped", self.refused(Unavailable))

    def test_one_that_is_just_being_opened(self) -> None:
        """
        What was begun before is waited for, and ended too.
        """
        self.workshop.starting = starting = Deferred()
        asking = self.get()

        stopping = Deferred.fromCoroutine(self.agent.stop())
        self.assertNoResult(stopping)
        starting.callback(None)
        self.pass_time(0.5)

        self.successResultOf(stopping)
        self.failureResultOf(asking, Unavailable)
        self.assertEqual(self.workshop.running, [])
        self.assertRaises(OSError, os.fstat, self.opener.descriptors[0])

    def test_one_whose_device_is_just_being_opened(self) -> None:
        """
        Nothing is started for it any more, and the device is closed.
        """
        self.opener.failing = opening = Deferred()
        asking = self.get()

        stopping = Deferred.fromCoroutine(self.agent.stop())
        opening.callback(None)
        self.pass_time(0.5)

        self.successResultOf(stopping)
        self.failureResultOf(asking, Unavailable)
        self.assertEqual(self.workshop.terminals, [])
        self.assertRaises(OSError, os.fstat, self.opener.descriptors[0])
