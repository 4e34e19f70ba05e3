"""
Tests for L{computeagent.rooms}.
"""

from __future__ import annotations

import os
import socket
import subprocess
import tempfile
from pathlib import Path
from shutil import rmtree

from twisted.trial.unittest import SynchronousTestCase

from computeagent.rooms import Room, Rooms, end_process, start_time


class RoomsTestCase(SynchronousTestCase):
    def setUp(self) -> None:
        # mktemp's paths are too long for unix sockets.
        self.base = Path(tempfile.mkdtemp(prefix="rooms-"))
        self.addCleanup(rmtree, self.base, ignore_errors=True)
        self.run_directory = self.base / "run"
        self.rooms = Rooms(self.run_directory)

    def sleeper(self) -> subprocess.Popen[bytes]:
        """
        Some process.
        """
        process = subprocess.Popen(["/bin/sleep", "60"])
        self.addCleanup(process.wait)
        self.addCleanup(process.kill)
        return process


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


class StateTests(RoomsTestCase):
    """
    What a later agent reads.
    """

    def setUp(self) -> None:
        super().setUp()
        self.rooms.prepare()
        self.room = self.rooms.make("0123456789ab")

    def test_written_and_read(self) -> None:
        """
        The state comes back as it was, and leaves no half-written file.
        """
        self.room.write_state({"uuid": "u", "processes": [[1, 2]]})

        state = self.room.read_state()
        self.assertEqual((state["uuid"], state["processes"]), ("u", [[1, 2]]))
        self.assertEqual([path.name for path in self.room.path.iterdir()], ["state.json"])

    def test_unreadable(self) -> None:
        """
        None, a broken one, or another release's is no state.
        """
        self.assertRaises(ValueError, self.room.read_state)
        for text in ("", "[]", "{}", '{"version": 2}', "{", "\xff"):
            (self.room.path / "state.json").write_bytes(text.encode("latin-1"))
            self.assertRaises(ValueError, self.room.read_state)


class SweepTests(RoomsTestCase):
    """
    What an agent that died has left is ended and taken away.
    """

    def setUp(self) -> None:
        super().setUp()
        self.rooms.prepare()

    def left(self, name: str, *processes: tuple[int, int]) -> Room:
        room = self.rooms.make(name)
        room.write_state({"processes": processes})
        return room

    def test_processes_are_ended(self) -> None:
        """
        Its children are killed, its room is gone.
        """
        process = self.sleeper()
        room = self.left("0123456789ab", (process.pid, start_time(process.pid) or 0))

        swept = self.rooms.sweep()

        self.assertEqual(swept, 1)
        self.assertEqual(process.wait(10), -9)
        self.assertFalse(room.path.exists())

    def test_reused_pid(self) -> None:
        """
        A process that has the pid by now, but started later, is somebody else.
        """
        process = self.sleeper()
        self.left("0123456789ab", (process.pid, (start_time(process.pid) or 0) - 1))

        self.rooms.sweep()

        self.assertIsNone(process.poll())

    def test_broken_states(self) -> None:
        """
        A room whose state can't be read is taken away as well.
        """
        self.rooms.make("00000000000a")
        for number, words in enumerate(
            ({}, {"processes": 1}, {"processes": [1]}, {"processes": [["x", None]]})
        ):
            self.rooms.make(f"{number:012x}").write_state(words)

        self.assertEqual(self.rooms.sweep(), 5)
        self.assertEqual([path.name for path in self.run_directory.iterdir()], ["lock"])

    def test_nothing_left(self) -> None:
        """
        After a good end there is nothing to sweep.
        """
        self.assertEqual(self.rooms.sweep(), 0)

    def test_what_is_not_ours_stays(self) -> None:
        """
        C{--run} pointed at somebody's home by mistake costs him nothing: only what is named
        as a console is taken away.
        """
        (self.run_directory / "Documents").mkdir()
        (self.run_directory / "Documents" / "thesis").touch()
        (self.run_directory / "0123456789AB").mkdir()

        swept = self.rooms.sweep()

        self.assertEqual(swept, 0)
        self.assertTrue((self.run_directory / "Documents" / "thesis").exists())

    def test_odd_pids(self) -> None:
        """
        A state with numbers that are no pids stops no agent from starting.
        """
        self.left("0123456789ab", (10**30, 1), (-1, 1), (0, 1))

        self.assertEqual(self.rooms.sweep(), 1)

    def test_symlinks_are_not_followed(self) -> None:
        """
        A link in its place does not lead the sweeping elsewhere.
        """
        elsewhere = self.base / "precious"
        elsewhere.mkdir()
        (elsewhere / "file").touch()
        (self.run_directory / "0123456789ab").symlink_to(elsewhere)

        self.rooms.sweep()

        self.assertTrue((elsewhere / "file").exists())


class ProcessTests(RoomsTestCase):
    """
    A pid and a start time name one process for good.
    """

    def test_start_time(self) -> None:
        """
        It is the same each time, and there is none of what does not run.
        """
        process = self.sleeper()

        self.assertEqual(start_time(process.pid), start_time(process.pid))
        self.assertIsNotNone(start_time(os.getpid()))
        process.kill()
        os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
        self.assertIsNone(start_time(process.pid))
        process.wait()
        self.assertIsNone(start_time(process.pid))

    def test_ending_nobody(self) -> None:
        """
        Who is gone already need not be ended.
        """
        process = self.sleeper()
        process.kill()
        process.wait()

        end_process(process.pid, 1)
