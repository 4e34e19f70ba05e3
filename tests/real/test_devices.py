"""
A device path that is not the guest's terminal is refused, whoever says it.

libvirt keeps what it knows of a running guest in a status file, and believes it when it is
started anew.  So a forged path comes to the agent in a live XML of a real libvirt.
"""

from __future__ import annotations

import os
import pty
import shutil
import tempfile
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from demo.libvirtd import PrivateLibvirt
from tests.real.daemons import AllInOne
from tests.real.parts import MISSING, new_guest, until
from tests.real.viewer import Viewer


class ForgedPathTests(SynchronousTestCase):
    """
    Each is refused with the right status and a sentence, and logged; and the
    true one is opened again.
    """

    skip = MISSING

    def setUp(self) -> None:
        self.libvirt = PrivateLibvirt()
        self.addCleanup(self.libvirt.stop)
        self.libvirt.start()
        self.guest = new_guest(self, "forged1", libvirt=self.libvirt)
        self.other = new_guest(self, "forged2", libvirt=self.libvirt)
        self.folder = Path(tempfile.mkdtemp(prefix="ajaxconsole-forged-"))
        self.addCleanup(shutil.rmtree, self.folder)
        [self.true_path] = self.guest.ptys()
        self.current = self.true_path

    def forge(self, path: str) -> None:
        """
        Have libvirt believe that C{path} is the guest's terminal.
        """
        self.libvirt.kill()
        status = self.libvirt.directory / "run/libvirt/qemu" / f"{self.guest.name}.xml"
        text = status.read_text()
        assert f"'{self.current}'" in text, text
        status.write_text(text.replace(f"'{self.current}'", f"'{path}'"))
        self.current = path
        self.libvirt.start()
        assert f"<source path='{path}'/>" in self.guest.live_xml(), self.guest.live_xml()

    def test_forged_paths(self) -> None:
        """
        A symlink to the true terminal, a file, a path through a symlinked folder,
        another guest's terminal, somebody's login session, no path at all.
        """
        link, file, through = self.folder / "link", self.folder / "file", self.folder / "through"
        link.symlink_to(self.true_path)
        file.write_text("do not touch")
        through.symlink_to("/dev/pts")
        master, session = pty.openpty()
        self.addCleanup(os.close, master)
        self.addCleanup(os.close, session)
        [others] = self.other.ptys()
        number = self.true_path.rpartition("/")[2]
        forgeries = {
            "a symlink": str(link),
            "a file": str(file),
            "through a symlinked folder": str(through / number),
            "around": f"/dev/pts/../pts/{number}",
            "another guest's": others,
            "somebody's session": os.ttyname(session),
            "the multiplexer": "/dev/pts/ptmx",
            "not there": "/dev/pts/999999",
        }
        console = AllInOne(self, connect=self.libvirt.uri)
        console.until_active(self.guest)

        for what, path in forgeries.items():
            self.forge(path)
            console.until(
                lambda: "libvirt" not in console.api.ask(self.guest.uuid).text,
                "libvirt is back",
            )
            logged = console.log.count("of forged1")
            answer = console.api.ask(self.guest.uuid)
            self.assertIn(answer.status_code, (409, 503), f"{what}: {answer.text}")
            self.assertRegex(answer.text, "terminal|number|gone", what)
            self.assertNotIn("Traceback", answer.text)
            self.assertEqual(console.rooms(), [], what)
            until(lambda: console.log.count("of forged1") > logged, f"{what} is logged")  # noqa: B023

        self.assertEqual(file.read_text(), "do not touch")
        self.forge(self.true_path)
        console.until(lambda: console.api.ask(self.guest.uuid).status_code == 200, "it is opened")
        Viewer(self, console.api.url(self.guest)).log_in(self.guest)
