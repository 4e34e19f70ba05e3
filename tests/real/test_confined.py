"""
Under what the units in C{systemd/} leave them, the daemons do their work.

There is no systemd here to confine anything; what it would do by prctl(2) and capset(2) is done
by C{setpriv} and by hand.
"""

from __future__ import annotations

import re
import shutil
import sys
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from tests.real.daemons import AllInOne
from tests.real.parts import MISSING, ROOT, new_guest
from tests.real.viewer import Viewer

NO_WRITABLE_CODE = """
import ctypes, os, sys
PR_SET_MDWE, PR_MDWE_REFUSE_EXEC_GAIN = 65, 1
if ctypes.CDLL(None, use_errno=True).prctl(PR_SET_MDWE, PR_MDWE_REFUSE_EXEC_GAIN, 0, 0, 0):
    sys.exit(os.strerror(ctypes.get_errno()))
os.execv(sys.argv[1], sys.argv[1:])
"""
"""As C{MemoryDenyWriteExecute} (Linux 6.3; systemd has a filter of system calls)."""


class ConfinedTests(SynchronousTestCase):
    """
    All in one, which needs what each of them does.
    """

    skip = MISSING or (None if shutil.which("setpriv") else "setpriv is not installed")

    def test_console(self) -> None:
        """
        A guest's terminal is verified and opened, a child becomes another user, and is ended.
        """
        unit = (ROOT / "systemd" / "ajaxconsole.service").read_text()
        found = re.search("^CapabilityBoundingSet=(.+)$", unit, re.MULTILINE)
        assert found is not None
        wanted = [name.removeprefix("CAP_").lower() for name in found[1].split()]
        within = [
            "setpriv",
            "--no-new-privs",
            "--inh-caps=-all",
            f"--bounding-set=-all,{','.join('+' + name for name in wanted)}",
            *(sys.executable, "-c", NO_WRITABLE_CODE),
        ]
        guest = new_guest(self, "confined1")

        console = AllInOne(self, within=within)
        console.until_active(guest)
        viewer = Viewer(self, console.api.url(guest))
        viewer.log_in(guest)
        viewer.type("echo typed-$((40+2))\r")
        viewer.until_seen("typed-42")

        [terminal] = console.children("ajaxterm")
        for pid in (console.pid, terminal):
            status = Path(f"/proc/{pid}/status").read_text()
            self.assertIn("NoNewPrivs:\t1\n", status)
        bounding = re.search("CapBnd:\t([0-9a-f]+)", status)
        assert bounding is not None
        self.assertEqual(int(bounding[1], 16).bit_count(), len(wanted))
        self.assertIn("Uid:\t65534\t", status)
