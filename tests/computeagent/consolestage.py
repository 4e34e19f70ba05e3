"""
One console, on a workshop whose children are none.
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

from computeagent.console import CLOSED, Console
from computeagent.domainxml import SerialDevice
from computeagent.guestline import GuestLine
from computeagent.memoryhost import MemoryHost
from computeagent.place import Place
from computeagent.rooms import Rooms
from tests.computeagent.descriptions import UUID, domain_xml
from tests.computeagent.fakes import FakeWorkshop, Opener


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
        place = Place(UUID, "web1", "serial0")
        self.opener = Opener()
        self.addCleanup(self.opener.close)
        self.line = GuestLine(
            self.clock,
            self.hypervisor,
            self.workshop,
            self.opener,
            place,
            self.room,
            SerialDevice("serial0", "serial", "pty", "/dev/pts/7"),
            self.device,
        )
        self.console = Console(
            self.clock,
            self.workshop,
            "0123456789ab",
            place,
            self.room,
            self.line,
            lambda console, words: self.told.append(words),
        )
        # libvirt's words reach it as they do in an agent.
        self.hypervisor.watch(lambda uuid, what: self.console.happened(what), lambda: None)

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
