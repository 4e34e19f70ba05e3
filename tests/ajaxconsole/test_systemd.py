"""
The units in C{systemd/}: systemd understands them, they start what there is, and they leave
their daemons little.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

ROOT = Path(__file__).resolve().parent.parent.parent
UNITS = sorted((ROOT / "systemd").glob("*.service"))
EXPOSURE = {"ajaxconsole": 3.5, "computeagent": 3.5, "consoleapi": 2.0, "consoleproxy": 2.0}
"""Of ten, as C{systemd-analyze security} counts; what is not confined at all has 9.6."""


def directives(unit: Path, name: str) -> list[str]:
    """
    @return: what a unit says of C{name}.
    """
    return re.findall(rf"^{name}=(.*)$", unit.read_text(), re.MULTILINE)


class UnitTests(SynchronousTestCase):
    skip = None if shutil.which("systemd-analyze") else "systemd-analyze is not installed"

    def setUp(self) -> None:
        """
        With the commands where they are here.
        """
        self.folder = Path(tempfile.mkdtemp(prefix="units-"))
        self.addCleanup(shutil.rmtree, self.folder)
        bin = str(Path(sys.executable).parent)
        self.units = []
        for unit in UNITS:
            self.units.append(self.folder / unit.name)
            self.units[-1].write_text(unit.read_text().replace("/opt/ajaxconsole/bin", bin))

    def analyze(self, *words: Any) -> str:
        """
        @return: what C{systemd-analyze} says, which must be content.
        """
        done = subprocess.run(
            ["systemd-analyze", *map(str, words)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=60,
            text=True,
        )
        self.assertEqual(done.returncode, 0, done.stdout)
        return done.stdout

    def test_understood(self) -> None:
        """
        Nothing in them is unknown, or does not exist.
        """
        self.assertEqual([unit.stem for unit in self.units], sorted(EXPOSURE))
        said = self.analyze("verify", *self.units)
        self.assertEqual([line for line in said.splitlines() if str(self.folder) in line], [])

    def test_confined(self) -> None:
        """
        Each has no more than it needs, by systemd's own measure.
        """
        for unit in self.units:
            said = self.analyze("security", "--offline=true", "--no-pager", unit)
            found = re.search(r"Overall exposure level for \S+: ([0-9.]+)", said)
            assert found is not None, said
            self.assertLessEqual(float(found[1]), EXPOSURE[unit.stem], unit.name)


class DirectiveTests(SynchronousTestCase):
    """
    What the daemons rely on.
    """

    def test_agents_leave_their_consoles(self) -> None:
        """
        Where consoles outlive the agent, systemd lets them, and keeps what the next one needs.
        """
        for name in ("computeagent", "ajaxconsole"):
            unit = ROOT / "systemd" / f"{name}.service"
            self.assertEqual(directives(unit, "KillMode"), ["process"])
            self.assertEqual(directives(unit, "RuntimeDirectory"), ["ajaxconsole"])
            self.assertEqual(directives(unit, "RuntimeDirectoryPreserve"), ["yes"])

    def test_others_are_nobody(self) -> None:
        """
        Proxy and API run as a user that sysusers makes, without any capability.
        """
        users = (ROOT / "systemd" / "ajaxconsole.sysusers").read_text()
        for name in ("consoleproxy", "consoleapi"):
            unit = ROOT / "systemd" / f"{name}.service"
            [user] = directives(unit, "User")
            self.assertRegex(users, rf"(?m)^u {user} ")
            self.assertEqual(directives(unit, "CapabilityBoundingSet"), [""])

    def test_all_is_as_small(self) -> None:
        """
        No unit lacks what the others have.
        """
        self.assertTrue(UNITS)
        for unit in UNITS:
            self.assertEqual(directives(unit, "NoNewPrivileges"), ["yes"], unit.name)
            self.assertEqual(directives(unit, "ProtectSystem"), ["strict"], unit.name)
            self.assertEqual(directives(unit, "SystemCallFilter"), ["@system-service"], unit.name)
