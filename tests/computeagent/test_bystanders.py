"""
Tests for L{computeagent.bystanders}: who else has a pty open.
"""

from __future__ import annotations

import os
import socket
import subprocess
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from computeagent.bystanders import Bystander, find_bystanders, pty_of

NOBODY = 4194304  # one more than there can be


def _own_name() -> str:
    return Path("/proc/self/comm").read_text().rstrip("\n")


class BystanderTests(SynchronousTestCase):
    """
    A pty, and who has it open.
    """

    def setUp(self) -> None:
        master, self.device = os.openpty()
        self.addCleanup(os.close, master)
        self.addCleanup(os.close, self.device)
        pty = pty_of(self.device)
        assert pty is not None
        self.pty = pty

    def test_no_pty(self) -> None:
        """
        A socket, as some serial devices are, has one reader by its nature.
        """
        with socket.socket() as other:
            self.assertIsNone(pty_of(other.fileno()))

    def test_ourselves(self) -> None:
        """
        The agent is no bystander, nor are its children.
        """
        with subprocess.Popen(["sleep", "60"], stdin=self.device) as child:
            self.addCleanup(child.kill)
            self.assertEqual(find_bystanders([self.pty], os.getpid()), {})
            child.kill()

    def test_somebody_else(self) -> None:
        """
        Anybody else is, with his name.
        """
        with subprocess.Popen(["sleep", "60"], stdin=self.device) as child:
            self.addCleanup(child.kill)
            # For an agent that is nobody here, we and our child are two strangers.
            found = find_bystanders([self.pty], NOBODY)[self.pty]
            strangers = [Bystander(child.pid, "sleep"), Bystander(os.getpid(), _own_name())]
            self.assertIn(found, strangers)
            child.kill()

    def test_adopted(self) -> None:
        """
        A socat of an earlier agent is no child of ours, and no bystander either.
        """
        with subprocess.Popen(["sleep", "60"], stdin=self.device) as child:
            self.addCleanup(child.kill)
            ours = [child.pid, os.getpid()]
            self.assertEqual(find_bystanders([self.pty], NOBODY, ours), {})
            child.kill()

    def test_others_ptys(self) -> None:
        """
        Who has others open does not matter.
        """
        master, device = os.openpty()
        self.addCleanup(os.close, master)
        other = pty_of(device)
        assert other is not None
        os.close(device)

        self.assertEqual(find_bystanders([other], NOBODY), {})
