"""
C{ajaxconsole end-consoles}: what a stopped agent has left.
"""

from __future__ import annotations

import io
import subprocess
import sys
import tempfile
from pathlib import Path
from shutil import rmtree

from twisted.trial.unittest import SynchronousTestCase

from ajaxconsole import ending
from ajaxconsole.outcome import DONE, Problem
from computeagent.pids import start_time, this_boot
from computeagent.rooms import Rooms


class EndingTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.base = Path(tempfile.mkdtemp(prefix="ending-"))
        self.addCleanup(rmtree, self.base, ignore_errors=True)
        self.rooms = Rooms(self.base)
        self.rooms.prepare()
        self.addCleanup(self.rooms.release)

    def test_ended(self) -> None:
        """
        Its processes are, its files are gone, and another agent can have the directory.
        """
        process = subprocess.Popen(["/bin/sleep", "60"])
        self.addCleanup(process.wait)
        self.addCleanup(process.kill)
        room = self.rooms.make("0123456789ab")
        running = [process.pid, start_time(process.pid)]
        room.write("state", {"boot": this_boot(), "processes": [running]})
        self.rooms.release()
        said = io.StringIO()
        self.patch(sys, "stdout", said)

        self.assertEqual(ending.run(["--run", str(self.base)]), DONE)

        self.assertEqual(said.getvalue(), "ended: 1\n")
        self.assertEqual(process.wait(10), -9)
        self.assertFalse(room.path.exists())
        self.rooms.prepare()

    def test_agent_is_running(self) -> None:
        """
        Its consoles are its business.
        """
        room = self.rooms.make("0123456789ab")

        refused = self.assertRaises(Problem, ending.run, ["--run", str(self.base)])

        self.assertIn("another agent is using", str(refused))
        self.assertTrue(room.path.exists())

    def test_no_directory(self) -> None:
        """
        A name that is mistyped makes no directory.
        """
        refused = self.assertRaises(Problem, ending.run, ["--run", str(self.base / "none")])

        self.assertIn("name the agent's by --run", str(refused))
        self.assertFalse((self.base / "none").exists())
