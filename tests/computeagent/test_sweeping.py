"""
Tests for L{computeagent.sweeping} and L{computeagent.pids}, on real processes.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from shutil import rmtree
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from computeagent import sweeping
from computeagent.kept import processes_in
from computeagent.pids import Running, hold, start_time, this_boot
from computeagent.rooms import Room, Rooms
from computeagent.sweeping import sweep

OBEDIENT = """
import socket, sys
listening = socket.socket(fileno=3)
print(flush=True)
while (order := listening.accept()[0].makefile().readline()) == "":
    pass
sys.exit(7 if '"finish"' in order and "Bye." in order else 1)
"""
"""A terminal, as far as its end goes."""


class ProcessTestCase(SynchronousTestCase):
    def setUp(self) -> None:
        base = Path(tempfile.mkdtemp(prefix="sweeping-"))
        self.addCleanup(rmtree, base, ignore_errors=True)
        self.rooms = Rooms(base)
        self.rooms.prepare()
        self.addCleanup(self.rooms.release)

    def start(self, *command: str, **how: Any) -> subprocess.Popen[bytes]:
        process = subprocess.Popen(command, **how)
        self.addCleanup(process.wait)
        self.addCleanup(process.kill)
        return process

    def sleeper(self) -> subprocess.Popen[bytes]:
        return self.start("/bin/sleep", "60")

    def left(self, name: str, *processes: object, boot: str | None = None) -> Room:
        room = self.rooms.make(name)
        room.write("state", {"processes": processes, "boot": boot or this_boot()})
        return room


class SweepTests(ProcessTestCase):
    """
    What nobody goes on with is ended and taken away.
    """

    def test_told_before(self) -> None:
        """
        A terminal is told to finish, in words for its viewers; one that is there already is
        not waited for any longer.
        """
        room = self.rooms.make("0123456789ab")
        with room.listen(room.control) as listening:
            listening.setblocking(True)
            program = f"import os; os.dup2({listening.fileno()}, 3)\n{OBEDIENT}"
            process = self.start(
                sys.executable, "-c", program, pass_fds=[listening.fileno()], stdout=subprocess.PIPE
            )
        assert process.stdout is not None
        with process.stdout as saying:
            saying.readline()
        room.write("state", {"processes": [_pair(process)], "boot": this_boot()})
        began = time.monotonic()

        self.assertEqual(sweep([room], "Bye."), 1)

        self.assertEqual(process.wait(), 7)
        self.assertLess(time.monotonic() - began, sweeping.PATIENCE)
        self.assertFalse(room.path.exists())

    def test_killed_if_need_be(self) -> None:
        """
        One that does not heed it is killed, in bounded time; so is one that can't be told.
        """
        self.patch(sweeping, "PATIENCE", 0.1)
        deaf, lone = self.sleeper(), self.sleeper()
        room = self.left("0123456789ab", _pair(deaf))
        with room.listen(room.control):
            sweep([room, self.left("0123456789ac", _pair(lone))])

        self.assertEqual((deaf.wait(10), lone.wait(10)), (-9, -9))

    def test_reused_pid(self) -> None:
        """
        A process that has the pid by now, but started later, or in another run of the
        host, is somebody else.
        """
        process = self.sleeper()
        pid, started = _pair(process)

        sweep(
            [
                self.left("0123456789ab", [pid, started - 1]),
                self.left("0123456789ac", [pid, started], boot="another"),
            ]
        )

        self.assertIsNone(process.poll())

    def test_broken_states(self) -> None:
        """
        A room whose state makes no sense is taken away as well.
        """
        rooms = [self.rooms.make("00000000000a")]
        for number, words in enumerate((1, [1], ["x", None], [True, 1], [10**30, 1], [-1, 1])):
            rooms.append(self.left(f"{number:012x}"[::-1], words))

        self.assertEqual(sweep(rooms), 7)

        self.assertEqual(list(self.rooms.left_over()), [])

    def test_processes_are_found_in_every_version(self) -> None:
        """
        Whatever another release writes down, its processes are in the same place.
        """
        room = self.rooms.make("0123456789ab")
        room.write("state", {"version": 99, "processes": [[5, 6]], "boot": this_boot(), "x": 1})

        self.assertEqual(processes_in(room), [Running(5, 6)])


class RunningTests(ProcessTestCase):
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

    def test_held(self) -> None:
        """
        What runs can be held, what has ended or is another one can't, and costs no descriptor.
        """
        process = self.sleeper()
        pid, started = _pair(process)
        held = hold(Running(pid, started))
        assert held is not None
        os.close(held)
        before = os.listdir("/proc/self/fd")

        self.assertIsNone(hold(Running(pid, started - 1)))
        process.kill()
        process.wait()
        self.assertIsNone(hold(Running(pid, started)))
        self.assertEqual(os.listdir("/proc/self/fd"), before)


def _pair(process: subprocess.Popen[bytes]) -> list[int]:
    return [process.pid, start_time(process.pid) or 0]
