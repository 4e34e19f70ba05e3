"""
Tests for L{computeagent.remembering}: a new terminal is told what was said before it.
"""

from __future__ import annotations

import os
from base64 import b64decode

from twisted.internet.defer import Deferred

from computeagent.guestlog import Before, LogRefused
from computeagent.hypervisor import RUNNING, SHUTOFF
from tests.computeagent.descriptions import PTY, UUID, domain_xml
from tests.computeagent.stage import AgentTestCase

LOGGED = PTY.replace("<target", "<log file='/var/log/web1.log' append='off'/><target")


class RememberingTests(AgentTestCase):
    """
    A guest of which libvirt keeps a log.
    """

    def setUp(self) -> None:
        super().setUp()
        self.hypervisor.add(UUID, "web1", domain_xml(LOGGED))

    def told(self) -> bytes:
        parts = self.terminal.orders("prefill")
        return b"".join(b64decode(str(part["output"])) for part in parts)

    def test_told(self) -> None:
        """
        All of it, in parts that fit; before the guest is joined.
        """
        self.before = Before(b"0123456789" * 10000, True)

        self.got()

        self.assertEqual(self.told(), b"0123456789" * 10000)
        self.assertEqual(len(self.terminal.orders("prefill")), 4)
        self.assertEqual(self.terminal.orders("mark"), [])
        self.assertEqual(len(self.workshop.socats), 1)

    def test_not_sure(self) -> None:
        """
        Where it can't be joined with what follows for sure, a mark says so.
        """
        self.before = Before(b"Booting.", False)

        self.got()

        self.assertEqual([order for order, _ in self.terminal.given[:2]], ["prefill", "mark"])

    def test_terminal_dies_of_it(self) -> None:
        """
        A terminal that took another's place and dies while it is told has its place taken too.
        """
        self.got()
        self.before = reading = Deferred()
        self.terminal.child.die()
        self.pass_time(1)
        self.terminal.child.die()

        self.before = Before(b"Booting.", True)
        reading.callback(self.before)
        self.pass_time(10)

        self.assertEqual(len(self.workshop.terminals), 3)
        self.assertEqual(len(self.workshop.running), 2)
        self.assertEqual(self.told(), b"Booting.")
        self.got(user="bob")

    def test_no_descriptor(self) -> None:
        """
        Nor does a lack of descriptors.
        """
        self.patch(os, "dup", lambda _: os.open("/nowhere", os.O_RDONLY))

        self.got()

        self.assertEqual(self.terminal.orders("prefill"), [])
        self.assertEqual(len(self.flushLoggedErrors()), 0)

    def test_refused(self) -> None:
        """
        A log that is not to be trusted keeps no console shut.
        """
        self.before = LogRefused("/etc/shadow is not being written by this guest's QEMU")

        self.got()

        self.assertEqual(self.told(), b"")
        self.assertEqual(len(self.workshop.socats), 1)

    def test_no_log(self) -> None:
        """
        Most guests have none.
        """
        self.before = Before(b"not asked for", True)
        self.hypervisor.add(UUID, "web1", domain_xml())

        self.got()

        self.assertEqual(self.told(), b"")

    def test_guest_comes_back(self) -> None:
        """
        What it said before its new device was held comes out of the log too, and before it is
        joined.
        """
        self.got()
        self.hypervisor.set_state(UUID, SHUTOFF)
        self.pass_time(2)
        self.before = Before(b"Booting.", True)
        self.hypervisor.set_state(UUID, RUNNING)
        self.pass_time(0)

        [missed] = self.terminal.orders("missed")
        self.assertEqual(b64decode(str(missed["output"])), b"Booting.")
        self.assertEqual(self.since, [None, 0])
        self.assertEqual(len(self.workshop.socats), 2)

    def test_log_that_goes_on(self) -> None:
        """
        Of a log with the guest's former lives in it what was said in those is not told again;
        and nothing, where it isn't known what that is.
        """
        log = self.run_directory / "web1.log"
        log.write_bytes(b"x" * 1000)
        goes_on = LOGGED.replace("/var/log/web1.log", str(log)).replace("'off'", "'on'")
        self.hypervisor.add(UUID, "web1", domain_xml(goes_on))
        self.got()
        for _ in range(2):
            self.hypervisor.set_state(UUID, SHUTOFF)
            self.pass_time(2)
            self.hypervisor.set_state(UUID, RUNNING)
            self.pass_time(0)
            log.unlink(missing_ok=True)

        self.assertEqual(self.since, [None, 1000])
        self.assertEqual(len(self.workshop.socats), 3)

    def test_another_terminal(self) -> None:
        """
        One in place of a terminal that died has lost what that had; it is told too.
        """
        self.got()
        self.before = Before(b"Booting.", True)

        self.terminal.child.die()
        self.pass_time(0)

        self.assertEqual(len(self.workshop.terminals), 2)
        self.assertEqual(self.told(), b"Booting.")
        self.assertEqual(len(self.workshop.socats), 2)
