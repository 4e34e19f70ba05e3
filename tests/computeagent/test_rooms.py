"""
Tests for L{computeagent.rooms}.
"""

from __future__ import annotations

import os
import socket
import tempfile
from pathlib import Path
from shutil import rmtree

from twisted.trial.unittest import SynchronousTestCase

from computeagent.rooms import Rooms


class RoomsTestCase(SynchronousTestCase):
    def setUp(self) -> None:
        # mktemp's paths are too long for unix sockets.
        self.base = Path(tempfile.mkdtemp(prefix="rooms-"))
        self.addCleanup(rmtree, self.base, ignore_errors=True)
        self.run_directory = self.base / "run"
        self.rooms = Rooms(self.run_directory)


class RoomsTests(RoomsTestCase):
    """
    The runtime directory belongs to one agent, and to nobody else.
    """

    def test_prepared(self) -> None:
        """
        It is made with all that leads there, for the agent alone.
        """
        self.rooms = Rooms(self.base / "a" / "b")
        self.rooms.prepare()

        self.assertEqual((self.base / "a" / "b").stat().st_mode & 0o777, 0o700)

    def test_modes_are_mended(self) -> None:
        """
        One that was there already is closed to others.
        """
        self.run_directory.mkdir(mode=0o755)

        self.rooms.prepare()

        self.assertEqual(self.run_directory.stat().st_mode & 0o777, 0o700)

    def test_open_to_everybody(self) -> None:
        """
        A directory of everybody's, as /tmp is, is refused and stays as it is.
        """
        self.run_directory.mkdir()
        self.run_directory.chmod(0o1777)

        error = self.assertRaises(OSError, self.rooms.prepare)

        self.assertIn("name a directory in it", str(error))
        self.assertEqual(self.run_directory.stat().st_mode & 0o7777, 0o1777)

    def test_second_agent(self) -> None:
        """
        A second agent is kept out, and told why, until the first one leaves.
        """
        self.rooms.prepare()
        second = Rooms(self.run_directory)

        error = self.assertRaises(OSError, second.prepare)
        self.assertIn("another agent is using", str(error))
        self.rooms.release()

        second.prepare()
        second.release()

    def test_bad_paths(self) -> None:
        """
        A path that is relative, or too long for the sockets in it, is refused.
        """
        for path in (Path("run"), Path("/" + "x" * 70)):
            error = self.assertRaises(OSError, Rooms(path).prepare)
            self.assertIn("must be absolute and at most 70 bytes", str(error))

    def test_link(self) -> None:
        """
        A link in its place, which somebody else may have put there, is refused.
        """
        elsewhere = self.base / "elsewhere"
        elsewhere.mkdir(mode=0o755)
        self.run_directory.symlink_to(elsewhere)

        error = self.assertRaises(OSError, self.rooms.prepare)

        self.assertIn("is no directory of its own", str(error))
        self.assertEqual(elsewhere.stat().st_mode & 0o777, 0o755)

    def test_room(self) -> None:
        """
        A console's room is closed to others, its sockets listen and do not block.
        """
        self.rooms.prepare()
        room = self.rooms.make("0123456789ab")

        with room.listen(room.tty) as listening:
            self.assertFalse(listening.getblocking())
            with socket.socket(socket.AF_UNIX) as joined:
                joined.connect(str(room.tty))
            self.assertEqual(room.tty.stat().st_mode & 0o777, 0o600)
        self.assertEqual(room.path.stat().st_mode & 0o777, 0o700)

        room.clear()
        self.assertFalse(room.path.exists())

    def test_two_of_a_name(self) -> None:
        """
        Two consoles never share a room, nor do two sockets a path.
        """
        self.rooms.prepare()
        room = self.rooms.make("0123456789ab")
        room.listen(room.tty).close()

        self.assertRaises(OSError, self.rooms.make, "0123456789ab")
        self.assertRaises(OSError, room.listen, room.tty)


class FileTests(RoomsTestCase):
    """
    What a later agent reads.
    """

    def setUp(self) -> None:
        super().setUp()
        self.rooms.prepare()
        self.room = self.rooms.make("0123456789ab")

    def test_written_and_read(self) -> None:
        """
        It comes back as it was, closed to others, and leaves no half-written file.
        """
        self.room.write("state", {"uuid": "u"})
        self.room.write("state", {"uuid": "v"})

        self.assertEqual(self.room.read("state"), {"uuid": "v"})
        self.assertEqual(self.room.names(), ["state"])
        [path] = self.room.path.iterdir()
        self.assertEqual(path.stat().st_mode & 0o777, 0o600)

    def test_forgotten(self) -> None:
        """
        What is over is taken away, also if it is gone already.
        """
        self.room.write("g0", {})

        self.room.forget("g0")
        self.room.forget("g0")

        self.assertEqual(self.room.names(), [])

    def test_unreadable(self) -> None:
        """
        None, or one that is broken, is not believed.
        """
        self.assertRaises(ValueError, self.room.read, "state")
        for text in ("", "[]", "{", "\xff", "[" * 100_000):
            (self.room.path / "state.json").write_bytes(text.encode("latin-1"))
            self.assertRaises(ValueError, self.room.read, "state")

    def test_log(self) -> None:
        """
        A child may say things while nobody listens: it neither waits nor dies, and a later
        agent reads them.
        """
        reading, writing = self.room.make_log()
        self.addCleanup(os.close, writing)
        os.close(reading)
        os.write(writing, b"alone\n")
        with self.assertRaises(BlockingIOError):
            while True:
                os.write(writing, b"x" * 4096)

        later = self.room.open_log()
        self.addCleanup(os.close, later)
        self.assertEqual(os.read(later, 6), b"alone\n")
        self.room.vacate()
        self.assertRaises(OSError, self.room.open_log)

    def test_not_ours(self) -> None:
        """
        Nor is a link, somebody else's file, or what is no file; and nobody waits for one that
        never speaks.
        """
        path = self.room.path / "state.json"
        (self.base / "elsewhere").write_text("{}")
        path.symlink_to(self.base / "elsewhere")
        self.assertRaises(ValueError, self.room.read, "state")
        path.unlink()
        os.mkfifo(path)
        self.assertRaises(ValueError, self.room.read, "state")
        if os.geteuid() == 0:
            path.unlink()
            path.write_text("{}")
            self.assertEqual(self.room.read("state"), {})
            os.chown(path, 65534, -1)
            self.assertRaises(ValueError, self.room.read, "state")

    def test_what_is_not_ours_stays(self) -> None:
        """
        C{--run} pointed at somebody's home by mistake costs him nothing: only what is named
        as a console is looked at, and no link is followed.
        """
        (self.run_directory / "Documents").mkdir()
        (self.run_directory / "0123456789AB").mkdir()
        (self.run_directory / "ffffffffffff").symlink_to(self.base)

        self.assertEqual(list(self.rooms.left_over()), [self.room])
