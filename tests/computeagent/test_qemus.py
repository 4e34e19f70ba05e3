"""
Tests for L{computeagent.qemus} and L{computeagent.listeners}: who holds a guest's line, and who
only says so.
"""

from __future__ import annotations

import os
import socket
import tempfile
from pathlib import Path
from shutil import rmtree
from uuid import uuid4

from twisted.trial.unittest import SkipTest, SynchronousTestCase

from computeagent import qemus
from computeagent.listeners import inodes_listening
from computeagent.qemus import qemus_of
from tests.computeagent.fakeqemu import FakeQemu

NOBODY = 65534


class QemusTests(SynchronousTestCase):
    def setUp(self) -> None:
        if os.geteuid() != 0:
            raise SkipTest("only root can become somebody else")
        self.folder = Path(tempfile.mkdtemp(prefix="qemus-"))
        self.addCleanup(rmtree, self.folder)
        self.patch(qemus, "PID_FILES", self.folder)
        self.uuid = str(uuid4())

    def start(self, user: int | None = None) -> FakeQemu:
        place = Path(tempfile.mkdtemp(prefix="qemu-"))
        self.addCleanup(rmtree, place)
        place.chmod(0o777)
        qemu = FakeQemu(self.uuid, place / "one.sock", user)
        self.addCleanup(qemu.end)
        return qemu

    def found(self) -> set[int]:
        return set(qemus_of(self.uuid))

    def test_noted(self) -> None:
        """
        Whoever only calls himself so is not believed, before the guest has ended or after.
        """
        right, wrong = self.start(NOBODY), self.start(NOBODY)
        (self.folder / "web1.pid").write_text(f"{right.pid}")
        (self.folder / "web2.pid").write_text("1")
        (self.folder / "odd.pid").write_text("x")

        self.assertEqual(self.found(), {right.pid})
        (self.folder / "web1.pid").unlink()
        self.assertEqual(self.found(), set())
        self.assertNotIn(wrong.pid, self.found())

    def test_ours(self) -> None:
        """
        One of root's, or of our own, need not be noted: who could be that can do anything here.
        """
        ours = self.start()
        (self.folder / "web2.pid").write_text("1")

        self.assertEqual(self.found(), {ours.pid})

    def test_nothing_is_noted(self) -> None:
        """
        Where libvirt's files can't be seen, the command line is all there is.
        """
        qemu = self.start(NOBODY)
        self.assertEqual(self.found(), {qemu.pid})
        rmtree(self.folder)
        self.assertEqual(self.found(), {qemu.pid})
        self.folder.mkdir()

    def test_notes_of_anybody(self) -> None:
        """
        A folder where others can write says nothing.
        """
        qemu = self.start(NOBODY)
        (self.folder / "web2.pid").write_text("1")
        self.folder.chmod(0o777)

        self.assertEqual(self.found(), {qemu.pid})


class ListenersTests(SynchronousTestCase):
    def listen(self, address: str, port: int = 0) -> tuple[int, str]:
        """
        @return: the port, and the inode.
        """
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        listening = socket.socket(family)
        self.addCleanup(listening.close)
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind((address, port))
        listening.listen()
        return listening.getsockname()[1], str(os.fstat(listening.fileno()).st_ino)

    def test_each_address(self) -> None:
        """
        The same port on two addresses is two.
        """
        port, first = self.listen("127.0.0.1")
        _, second = self.listen("127.0.0.2", port)

        self.assertEqual(inodes_listening("127.0.0.1", port), [first])
        self.assertEqual(inodes_listening("127.0.0.2", port), [second])
        self.assertEqual(inodes_listening("127.0.0.3", port), [])

    def test_every_address(self) -> None:
        """
        Who listens everywhere is met where nobody listens for himself.
        """
        port, everywhere = self.listen("0.0.0.0")

        self.assertEqual(inodes_listening("127.0.0.3", port), [everywhere])

    def test_ipv6(self) -> None:
        """
        The newer way of writing is understood too; who listens on all of IPv6 may be
        met by IPv4.
        """
        if not socket.has_ipv6:
            raise SkipTest("there is no IPv6 here")
        port, loopback = self.listen("::1")
        other, everywhere = self.listen("::")

        self.assertEqual(inodes_listening("::1", port), [loopback])
        self.assertEqual(inodes_listening("::1", other), [everywhere])
        self.assertEqual(inodes_listening("127.0.0.1", other), [everywhere])
