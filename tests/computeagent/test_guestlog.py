"""
Tests for L{computeagent.guestlog}: what a guest said before, and where it ends.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
import tty
from pathlib import Path
from shutil import rmtree

from twisted.trial.unittest import SynchronousTestCase

from computeagent import guestlog
from computeagent.guestlog import Before, LogRefused, read_log

UUID = "0d2f2f9e-9a58-4c5e-8a3a-1f1e5f3c2d77"
OTHER = "1d2f2f9e-9a58-4c5e-8a3a-1f1e5f3c2d77"


class LogTestCase(SynchronousTestCase):
    """
    A guest's terminal, and a file that some process has open.
    """

    def setUp(self) -> None:
        self.guest, self.device = os.openpty()
        self.addCleanup(os.close, self.guest)
        self.addCleanup(os.close, self.device)
        tty.setraw(self.device)
        self.patch(guestlog, "PATIENCE", 30.0)  # the machine may be busy
        self.folder = Path(tempfile.mkdtemp(prefix="guestlog-")).resolve()
        self.addCleanup(rmtree, self.folder)
        self.path = self.folder / "web1.log"

    def hold(self, path: Path, flags: int = os.O_WRONLY, uuid: str = UUID) -> None:
        """
        Have a process named as a guest's QEMU hold it open.
        """
        held = os.open(path, flags)
        program = "print(flush=True); input()"
        process = subprocess.Popen(
            [sys.executable, "-S", "-E", "-c", program, "-uuid", uuid],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            pass_fds=[held],
        )
        os.close(held)
        assert process.stdout is not None
        process.stdout.readline()  # it has begun

        def end() -> None:
            process.kill()
            process.communicate()

        self.addCleanup(end)

    def read(self, most: int = 1000000) -> Before:
        return read_log(str(self.path), UUID, self.device, most)


class ReadingTests(LogTestCase):
    """
    The joint of log and line.
    """

    def said(self, log: bytes, kept: bytes) -> None:
        self.path.write_bytes(log)
        self.hold(self.path)
        os.write(self.guest, kept)

    def test_nothing_kept(self) -> None:
        """
        Where the guest is quiet since we hold its line, the log is what came before.
        """
        self.said(b"Booting.\r\nlogin: ", b"")

        self.assertEqual(self.read(), Before(b"Booting.\r\nlogin: ", True))

    def test_some_kept(self) -> None:
        """
        What the line will bring is not told twice.
        """
        self.said(b"Booting.\r\nlogin: ", b"login: ")

        self.assertEqual(self.read(), Before(b"Booting.\r\n", True))
        self.assertEqual(os.read(self.device, 100), b"login: ")

    def test_last_of_it(self) -> None:
        """
        Of a long one the end is enough.
        """
        self.said(bytes(range(256)) * 100, b"")

        self.assertEqual(self.read(300), Before((bytes(range(256)) * 2)[-300:], True))

    def test_more_than_can_be_counted(self) -> None:
        """
        Where more is kept than the kernel tells, it isn't sure; all of the log is given, so
        that nothing is missing.
        """
        self.patch(guestlog, "PATIENCE", 0.1)
        self.said(b"x" * 9000, b"x" * 6000)

        self.assertEqual(self.read(), Before(b"x" * 9000, False))

    def test_guest_that_does_not_stop(self) -> None:
        """
        Where the guest is never quiet it isn't sure either.
        """
        self.patch(guestlog, "PATIENCE", 0.1)
        self.said(b"x" * 9000, b"")
        sizes = iter(range(1, 1000))
        self.patch(guestlog, "_seen", lambda log, device: (next(sizes), 0))

        self.assertEqual(self.read().sure, False)

    def test_guest_that_talks_since_we_listen(self) -> None:
        """
        Where it had said nothing when we came, nothing was said before.
        """
        self.patch(guestlog, "PATIENCE", 0.1)
        self.said(b"x" * 9000, b"")
        sizes = iter(range(0, 100000, 10))
        self.patch(guestlog, "_seen", lambda log, device: (next(sizes), 5))

        self.assertEqual(self.read(), Before(b"", True))

    def test_since(self) -> None:
        """
        What is known of it already is left out.
        """
        self.said(b"Booting.\r\nlogin: ", b"in: ")

        self.assertEqual(read_log(str(self.path), UUID, self.device, 100, 10).output, b"log")
        # It was longer once, so it was begun anew.
        self.assertEqual(len(read_log(str(self.path), UUID, self.device, 100, 99).output), 13)

    def test_begun_anew(self) -> None:
        """
        What virtlogd has put aside is the beginning of what is wanted, where the log goes on
        over the guest's lives.
        """
        older = self.folder / "web1.log.0"
        older.write_bytes(b"x" * 90 + b"A panic, ")
        self.said(b"and the end of it", b"it")
        path = str(self.path)

        self.assertEqual(self.read(22), Before(b"panic, and the end of ", True))
        self.assertEqual(self.read(15), Before(b"and the end of ", True))
        missed = read_log(path, UUID, self.device, 1000, 92)
        self.assertEqual(missed, Before(b"panic, and the end of ", True))
        other = read_log(path, UUID, self.device, 1000, None, appends=False)
        self.assertEqual(other, Before(b"and the end of ", True))
        os.chown(older, 65534, 65534)
        self.assertEqual(self.read(), Before(b"and the end of ", True))
        older.unlink()
        self.assertEqual(self.read(), Before(b"and the end of ", True))

    def test_busy_host(self) -> None:
        """
        Where we get no processor ourselves, a moment without news proves nothing.
        """
        self.said(b"Booting.\r\nlogin: ", b"in: ")
        sleep = time.sleep
        self.patch(guestlog, "PATIENCE", 0.3)
        self.patch(time, "sleep", lambda seconds: sleep(3 * seconds))

        self.assertEqual(self.read().sure, False)


class RefusingTests(LogTestCase):
    """
    An agent that is root must not be led to read what is none of the guest's.
    """

    def refused(self, path: Path | str | None = None) -> str:
        wanted = str(self.path if path is None else path)
        error = self.assertRaises(LogRefused, read_log, wanted, UUID, self.device, 100)
        return str(error)

    def test_nobody_writes_it(self) -> None:
        """
        A file that this guest's QEMU does not have open to write is refused, as is one that
        it only reads, or that another guest writes.
        """
        self.path.write_bytes(b"secret")
        self.assertIn("not being written", self.refused())
        self.hold(self.path, os.O_RDONLY)
        self.assertIn("not being written", self.refused())
        self.hold(self.path, os.O_WRONLY, OTHER)
        self.assertIn("not being written", self.refused())

        self.hold(self.path)
        self.assertEqual(self.read().output, b"secret")

    def test_links(self) -> None:
        """
        Nothing is reached by a link: not the file, not its folder, not a second name of it.
        """
        self.path.write_bytes(b"secret")
        self.hold(self.path)
        link, through = self.folder / "link", self.folder / "through"
        link.symlink_to(self.path)
        through.symlink_to(self.folder)

        self.assertIn("not a plain file", self.refused(link))
        self.assertIn("can't be opened", self.refused(through / "web1.log"))
        os.link(self.path, self.folder / "second")
        self.assertIn("with one name", self.refused())

    def test_what_is_no_file(self) -> None:
        """
        A pipe, a device, a folder, nothing, and no path.
        """
        os.mkfifo(self.path)

        self.assertIn("not a plain file", self.refused())
        self.assertIn("not a plain file", self.refused("/dev/zero"))
        self.assertIn("not a plain file", self.refused(self.folder))
        self.assertIn("No such file", self.refused(self.folder / "none"))
        for path in ("web1.log", f"{self.folder}/../x", "//etc/passwd", "/", ""):
            self.assertTrue(self.refused(path), path)
