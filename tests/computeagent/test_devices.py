"""
Tests for L{computeagent.devices}: what is opened, and what is refused.

The terminals are real, and their guests are processes that bear a QEMU's name.
"""

from __future__ import annotations

import fcntl
import os
import pty
import socket
import tempfile
import termios
from pathlib import Path
from shutil import rmtree
from uuid import uuid4

from twisted.trial.unittest import SkipTest, SynchronousTestCase

from computeagent import devices
from computeagent.devices import CannotOpen, DeviceRefused, has_hung_up, open_device
from computeagent.domainxml import SerialDevice
from tests.computeagent.fakeqemu import FakeQemu


def terminal(path: str) -> SerialDevice:
    return SerialDevice("serial0", "serial", "pty", path=path)


def unix(path: str) -> SerialDevice:
    return SerialDevice("serial0", "serial", "unix", path=path)


def tcp(port: int, host: str = "127.0.0.1") -> SerialDevice:
    return SerialDevice("serial0", "serial", "tcp", host=host, port=port)


class DevicesTestCase(SynchronousTestCase):
    """
    @ivar qemu: the guest's.
    """

    def setUp(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="devices-"))
        self.addCleanup(rmtree, self.folder)
        self.uuid = str(uuid4())
        self.qemu = self.start(self.uuid, "one.sock")

    def start(self, uuid: str, name: str) -> FakeQemu:
        qemu = FakeQemu(uuid, self.folder / name)
        self.addCleanup(qemu.end)
        return qemu

    def opened(self, device: SerialDevice, uuid: str | None = None) -> int:
        descriptor = open_device(device, uuid or self.uuid)
        self.addCleanup(os.close, descriptor)
        return descriptor

    def refused(self, device: SerialDevice, uuid: str | None = None) -> str:
        """
        @return: why; nothing stays open.
        """
        before = len(os.listdir("/proc/self/fd"))
        why = self.assertRaises(DeviceRefused, open_device, device, uuid or self.uuid)
        self.assertEqual(len(os.listdir("/proc/self/fd")), before)
        return str(why)

    def cannot(self, device: SerialDevice) -> str:
        before = len(os.listdir("/proc/self/fd"))
        why = self.assertRaises(CannotOpen, open_device, device, self.uuid)
        self.assertEqual(len(os.listdir("/proc/self/fd")), before)
        return str(why)


class PtyTests(DevicesTestCase):
    """
    The number of a terminal may be somebody's ssh session by now.
    """

    def test_the_guests_own(self) -> None:
        """
        The guest's terminal is opened: raw, for both directions, not for children by
        accident, and not as our own controlling terminal.
        """
        opened = self.opened(terminal(self.qemu.pty))

        self.assertEqual(os.ttyname(opened), self.qemu.pty)
        local = termios.tcgetattr(opened)[3]
        self.assertFalse(local & (termios.ECHO | termios.ICANON))
        self.assertEqual(fcntl.fcntl(opened, fcntl.F_GETFL) & os.O_ACCMODE, os.O_RDWR)
        self.assertTrue(os.get_blocking(opened))
        self.assertFalse(os.get_inheritable(opened))

    def test_another_guests(self) -> None:
        """
        Another guest's terminal is not opened, however alike.
        """
        other = self.start(str(uuid4()), "other.sock")

        said = self.refused(terminal(other.pty))

        self.assertEqual(
            said, f"{other.pty} is not a terminal of this guest: its QEMU does not hold it"
        )

    def test_somebodys_session(self) -> None:
        """
        Nor is one that no guest has.
        """
        master, slave = pty.openpty()
        self.addCleanup(os.close, master)
        self.addCleanup(os.close, slave)
        before = termios.tcgetattr(slave)

        self.assertIn("not a terminal of this guest", self.refused(terminal(os.ttyname(slave))))

        self.assertEqual(termios.tcgetattr(slave), before)

    def test_guest_without_a_process(self) -> None:
        """
        Nor is any, where the guest has no QEMU.
        """
        self.assertIn(
            "its QEMU does not hold it", self.refused(terminal(self.qemu.pty), str(uuid4()))
        )

    def test_odd_paths(self) -> None:
        """
        Only C{/dev/pts/} and a number is a path of a terminal: no symlink, no file, nothing
        through another folder, no other device.
        """
        link, file, through = self.folder / "link", self.folder / "file", self.folder / "pts"
        link.symlink_to(self.qemu.pty)
        file.touch()
        through.symlink_to("/dev/pts")
        number = self.qemu.pty.rpartition("/")[2]
        for path in (
            str(link),
            str(file),
            str(through / number),
            f"/dev/pts/../pts/{number}",
            f"/dev//pts/{number}",
            f"/dev/pts/0{number}",
            f"/dev/pts/{number}/",
            f"/dev/pts/{number}\n",
            "/dev/pts/ptmx",
            "/dev/ptmx",
            "/dev/tty",
            "/dev/null",
            "/dev/pts/",
            "/dev/pts/-1",
            "/dev/pts/" + "9" * 11,
            number,
            "x" * 5000,
        ):
            said = self.refused(terminal(path))
            self.assertIn("is no /dev/pts/ and a number", said)
            self.assertLess(len(said), 150)

    def test_gone(self) -> None:
        """
        A number that nobody has now is gone, which is no forgery.
        """
        self.assertEqual(self.cannot(terminal("/dev/pts/999999")), "/dev/pts/999999 is gone")

    def test_no_path_yet(self) -> None:
        """
        A guest that is just starting or ending has no terminal on the host; that is no
        forgery either.
        """
        self.assertEqual(
            self.cannot(terminal("")), "it has no terminal on the host yet, or no more"
        )

    def test_process_ends_while_it_is_looked_at(self) -> None:
        """
        Another process that ends in the midst of the search, one of a guest that is just
        migrating for one, does not matter.
        """
        found = list(devices.qemus_of(self.uuid))
        self.patch(devices, "qemus_of", lambda uuid: [2**22 + 1, *found])

        self.opened(terminal(self.qemu.pty))

    def test_not_devpts(self) -> None:
        """
        A folder that only looks like the one of terminals is none.
        """
        for path, kind in (("/dev/pts", "devpts"), ("/proc", "proc")):
            folder = os.open(path, os.O_PATH)
            self.addCleanup(os.close, folder)
            self.assertEqual(devices._file_system(folder), kind)
        self.patch(devices, "_file_system", lambda descriptor: "tmpfs")

        self.assertEqual(
            self.refused(terminal(self.qemu.pty)), "/dev/pts is not a devpts file system"
        )

    def test_no_right(self) -> None:
        """
        An agent that may not open terminals is told what it has to be.
        """
        if os.geteuid() != 0:
            raise SkipTest("only root can become somebody else")
        os.seteuid(65534)
        self.addCleanup(os.seteuid, 0)

        self.assertIn("run it as root, or as the user", self.cannot(terminal(self.qemu.pty)))

    def test_guest_ends(self) -> None:
        """
        The terminal of a guest that has ended is gone, or another's.
        """
        path = self.qemu.pty
        self.qemu.end()

        try:
            os.close(open_device(terminal(path), self.uuid))
        except (DeviceRefused, CannotOpen):
            return
        self.fail("it was opened")

    def test_hung_up(self) -> None:
        """
        Of an open terminal it can be told whether its guest is gone.
        """
        opened = self.opened(terminal(self.qemu.pty))
        self.assertFalse(has_hung_up(opened))

        self.qemu.end()

        self.assertTrue(has_hung_up(opened))


class SocketTests(DevicesTestCase):
    """
    A path to a socket can be bent; who accepted is asked of the kernel.
    """

    def test_the_guests_own(self) -> None:
        """
        The guest's own unix socket and TCP port are joined.
        """
        for device in (unix(self.qemu.socket), tcp(self.qemu.port), tcp(self.qemu.port, "0.0.0.0")):
            opened = self.opened(device)

            with socket.socket(fileno=os.dup(opened)) as joined:
                joined.getpeername()
                self.assertIsNone(joined.gettimeout())
            self.assertTrue(os.get_blocking(opened))
            self.assertFalse(os.get_inheritable(opened))
            self.assertFalse(has_hung_up(opened))

        self.qemu.end()
        self.assertTrue(has_hung_up(opened))

    def test_another_address(self) -> None:
        """
        The guest's port on one address is not the same port on another one.
        """
        with socket.socket() as other:
            other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            other.bind(("127.0.0.2", self.qemu.port))
            other.listen()

            said = self.refused(tcp(self.qemu.port, "127.0.0.2"))
            self.assertIn("127.0.0.2, port", said)
            self.opened(tcp(self.qemu.port))

    def test_another_guests(self) -> None:
        """
        What another guest, or anybody else, listens on is not.
        """
        other = self.start(str(uuid4()), "other.sock")
        with socket.create_server(("127.0.0.1", 0)) as ours:
            for device, words in (
                (unix(other.socket), "is not held by this guest's QEMU"),
                (tcp(other.port), "is not listened on by this guest's QEMU"),
                (tcp(ours.getsockname()[1]), "is not listened on by this guest's QEMU"),
            ):
                self.assertIn(words, self.refused(device))

    def test_link_to_another_guests(self) -> None:
        """
        Neither is one that a link leads to, in the last part or before it.
        """
        other = self.start(str(uuid4()), "other.sock")
        (self.folder / "link.sock").symlink_to(other.socket)
        (self.folder / "through").symlink_to(self.folder)

        self.assertIn("is no socket", self.refused(unix(str(self.folder / "link.sock"))))
        said = self.refused(unix(str(self.folder / "through" / "other.sock")))
        self.assertIn("is not held by this guest's QEMU", said)

    def test_no_socket(self) -> None:
        """
        A file, a folder, a path that is odd, or none, is no socket.
        """
        (self.folder / "file").touch()
        for path in (str(self.folder / "file"), str(self.folder), "/dev/null"):
            self.assertIn("is no socket", self.refused(unix(path)))
        for path in ("", "one.sock", f"{self.folder}/../x/one.sock", f"{self.folder}//one.sock"):
            self.assertIn("is no absolute path", self.refused(unix(path)))

    def test_nobody_listens(self) -> None:
        """
        A socket that nobody listens on any more can't be opened.
        """
        self.assertIn("No such file", self.cannot(unix(str(self.folder / "gone.sock"))))
        self.qemu.end()
        self.assertIn("does not accept us", self.cannot(unix(self.qemu.socket)))
        self.assertIn("not listened on", self.refused(tcp(self.qemu.port)))

    def test_other_types(self) -> None:
        """
        What is none of these is not opened at all.
        """
        device = SerialDevice("serial0", "serial", "file", path="/etc/passwd")

        self.assertIn("of type file can't be opened", self.refused(device))
