"""
Consoles that come back: the guest goes and returns, and so does its console, in the same tab.
"""

from __future__ import annotations

import os
import pty
import signal
import subprocess
from pathlib import Path

import requests
from twisted.trial.unittest import SynchronousTestCase
from websockets.exceptions import WebSocketException

from computeagent.remembering import UNSURE
from demo.guest import Guest
from tests.real.daemons import AllInOne
from tests.real.parts import (
    MISSING,
    PATIENCE,
    console_children_of,
    new_guest,
    shared_libvirt,
    until,
)
from tests.real.viewer import Viewer

TIMES = 10

MARK = f"\r\n\x1b[0;7m {UNSURE} \x1b[0m\r\n"


def log_of(name: str) -> Path:
    """
    Where QEMU writes what a guest says: the truth to compare with.
    """
    return shared_libvirt().shared / f"{name}.log"


class ComingBack:
    """
    A guest with a log, its console, and somebody who watches.
    """

    name: str

    def setUp(self) -> None:
        self.log = log_of(self.name)
        # A kernel that is not quiet says much, from its first moment on.
        self.guest: Guest = new_guest(self, self.name, log=self.log, kernel_arguments="")
        self.console = AllInOne(self)
        self.console.until_active(self.guest)
        self.viewer = Viewer(self, self.console.api.url(self.guest))

    def until_line(self, state: str, words: str) -> int:
        """
        @return: how much of the output had come when the viewer was told.
        """

        def told() -> bool:
            line = self.viewer.event("line") or {}
            return line.get("state") == state and words in str(line.get("message"))

        self.viewer.until(told, f"it is told {words!r}")
        return len(self.viewer.output)

    def until_it_minds_its_button(self) -> None:
        """
        The prompt can be there before what listens to the power button.
        """
        self.viewer.log_in(self.guest)
        self.viewer.type(
            "until ls -l /proc/[0-9]*/fd 2> /dev/null | grep -q input/event; do usleep 50000; done;"
            " echo minds-$((6*7))\r"
        )
        self.viewer.until_seen("minds-42")

    def assert_like_log(self, since: int) -> None:
        """
        Everything that the viewer has had since then is everything that the guest has said
        since it was started.
        """
        until(lambda: b"login:" in self.log.read_bytes(), "the guest says everything")

        def same() -> bool:
            return self.viewer.output[since:] == self.log.read_bytes()

        try:
            self.viewer.until(same, "the viewer has it all")
        except AssertionError:
            said, seen = self.log.read_bytes(), self.viewer.output[since:]
            raise AssertionError(
                f"{len(said)} bytes said, {len(seen)} seen, the first {said.find(seen[:200])}"
            ) from None
        assert self.log.stat().st_size > 5000


class GuestTests(ComingBack, SynchronousTestCase):
    """
    The guest goes, and is back.
    """

    skip = MISSING
    name = "return1"

    def test_destroyed_and_started(self) -> None:
        """
        Ten times: each time the viewer is told, stays, and misses nothing of the boot.
        """
        places = set()
        for _ in range(TIMES):
            places.add(self.guest.ptys()[0])
            self.guest.destroy()
            at = self.until_line("waiting", "switched off")
            self.guest.start()
            self.until_line("live", "back")
            self.viewer.until_seen("login:", at)
            self.assert_like_log(at)

        self.assertIsNone(self.viewer.closed)
        self.assertEqual(len(self.viewer.events_named("hello")), 1)
        self.assertEqual(len(console_children_of(self.console.pid)), 2)
        self.viewer.log_in(self.guest)

    def test_shut_off(self) -> None:
        """
        By its power button. Whoever asks for its console while it is off joins those who wait,
        and sees it boot.
        """
        self.until_it_minds_its_button()
        self.guest.shutdown()
        at = self.until_line("waiting", "shut off")
        self.console.until(lambda: self.console.api.status(self.guest) == "SHUTOFF", "it is known")
        second = Viewer(self, self.console.api.url(self.guest))
        self.guest.start()
        self.viewer.until_seen("login:", at)
        self.assert_like_log(at)
        second.until(lambda: second.output == self.viewer.output, "it has seen the same")

    def test_reboot(self) -> None:
        """
        In the same QEMU nothing breaks, and not a byte is missing; it is said for a while.
        """
        booted = self.viewer.until_seen("login:")
        self.until_it_minds_its_button()
        self.guest.reboot()
        at = self.viewer.until_seen("login:", booted)
        self.guest.reset()
        self.viewer.until_seen("login:", at)

        logged = self.log.read_bytes().index(b"login:") + len("login:")
        self.viewer.until(
            lambda: self.viewer.output[booted:] == self.log.read_bytes()[logged:], "it is the same"
        )
        notices = [event["message"] for event in self.viewer.events_named("notice")]
        self.assertIn("The guest is rebooting.", notices)
        self.assertIsNone(self.viewer.closed)

    def test_undefined(self) -> None:
        """
        A guest that is taken away takes its console with it, in the end.
        """
        self.viewer.until_seen("login:")
        self.guest.destroy()
        self.guest.undefine()

        self.assertEqual(self.viewer.until_closed(), 1000)
        end = self.viewer.event("end")
        assert end is not None
        self.assertEqual(end["reason"], "guest-ended")
        self.assertIn("does not exist", end["message"])
        self.console.until(lambda: not console_children_of(self.console.pid), "nothing is left")


class AlwaysTests(SynchronousTestCase):
    """
    C{attach = always}.
    """

    skip = MISSING

    def test_whole_boot(self) -> None:
        """
        Who comes when the guest has long booted finds everything it has said since it was
        started; also after nobody was there for longer than the idle time.
        """
        log = log_of("always1")
        console = AllInOne(self, "--attach-guest", "always*", "--idle-timeout", "1")
        guest = new_guest(self, "always1", log=log, kernel_arguments="")
        until(lambda: b"login:" in log.read_bytes(), "it has booted")
        console.until_active(guest)

        viewer = Viewer(self, console.api.url(guest))
        viewer.until(lambda: len(viewer.output) >= log.stat().st_size, "it has everything")
        said, logged = viewer.output, log.read_bytes()
        if UNSURE.encode() in said:
            # So busy a machine that the guest was held late: something twice, and nothing missing.
            before, after = said.split(b"\r\n\x1b[0;7m " + UNSURE.encode() + b" \x1b[0m\r\n")
            self.assertTrue(logged.startswith(before) and logged.endswith(after), said)
            self.assertGreaterEqual(len(before) + len(after), len(logged))
        else:
            self.assertEqual(said, logged)
        self.assertEqual(viewer.hello["offset"], 0)
        viewer.close()
        [terminal] = console.children("ajaxterm")
        console.until(lambda: "Grant" in console.log, "it is logged")
        place, headers = viewer.place, viewer.headers
        console.until(
            lambda: requests.get(place, headers=headers, timeout=PATIENCE).status_code == 403,
            "leave to attach has ended",
        )
        self.assertEqual(console.children("ajaxterm"), [terminal])

    def test_restart(self) -> None:
        """
        A new agent opens the consoles of those that run, when it reaches libvirt.
        """
        guest = new_guest(self, "always2")
        console = AllInOne(self, "--attach", "always")
        console.until(lambda: console.children("socat"), "it is attached")
        viewer = Viewer(self, console.api.url(guest))
        viewer.log_in(guest)


class LogTests(SynchronousTestCase):
    """
    Consoles that are opened late, of guests of which libvirt keeps a log.
    """

    skip = MISSING

    def setUp(self) -> None:
        self.log = log_of("logged1")
        self.guest = new_guest(self, "logged1", log=self.log, kernel_arguments="")
        self.console = AllInOne(self, "--idle-timeout", "1")
        self.console.until_active(self.guest)
        until(lambda: b"login:" in self.log.read_bytes(), "it has booted")

    def test_quiet(self) -> None:
        """
        Everything since the boot is there, and goes on without a seam; also in a second
        console, opened when the first has ended.
        """
        for number in range(2):
            viewer = Viewer(self, self.console.api.url(self.guest))
            viewer.until(lambda: viewer.output == self.log.read_bytes(), "it is all there")  # noqa: B023
            if not number:
                viewer.log_in(self.guest)
            viewer.type("echo seam-$((6*7))\r")
            viewer.until_seen("seam-42")
            viewer.until(lambda: viewer.output == self.log.read_bytes(), "it is the same")  # noqa: B023
            viewer.close()
            self.console.until(lambda: not self.console.rooms(), "it has ended")

    def test_talking(self) -> None:
        """
        Of a guest that does not stop, nothing is missing; what may come twice is marked.
        """
        viewer = Viewer(self, self.console.api.url(self.guest))
        viewer.log_in(self.guest)
        viewer.type("i=1000000; while :; do seq $i $((i+999)); i=$((i+1000)); done\r")
        viewer.until_seen("1001000")
        viewer.close()
        self.console.until(lambda: not self.console.rooms(), "it has ended")

        viewer = Viewer(self, self.console.api.url(self.guest))
        at = viewer.until_seen(MARK)
        viewer.until(lambda: len(viewer.output) > at + 50_000, "it goes on")

        log = self.log.read_bytes()
        before, _, after = viewer.output.partition(MARK.encode())
        self.assertTrue(log.startswith(before), "what came before is the log")
        came_again = log.find(after[:4000])
        self.assertGreater(came_again, 0)
        self.assertLessEqual(came_again, len(before), "nothing is missing")


class NoticeTests(SynchronousTestCase):
    """
    What is said about a line.
    """

    skip = MISSING

    def notice(self, viewer: Viewer, name: str) -> str:
        said = [e for e in viewer.events_named("notice") if e["name"] == name]
        return str(said[-1]["message"]) if said else ""

    def test_virsh_console(self) -> None:
        """
        One beside us is found, and said; and when it is gone that is said too.
        """
        guest = new_guest(self, "virsh1")
        console = AllInOne(self)
        console.until_active(guest)
        viewer = Viewer(self, console.api.url(guest))
        viewer.log_in(guest)
        # Debian's libvirtd locks a device for it, where our own one has no place yet.
        (shared_libvirt().directory / "run/lock").mkdir(exist_ok=True)
        master, slave = pty.openpty()
        self.addCleanup(os.close, master)
        virsh = subprocess.Popen(
            ["virsh", "-c", shared_libvirt().uri, "console", guest.uuid],
            stdin=slave,
            stdout=slave,
            stderr=slave,
        )
        os.close(slave)
        self.addCleanup(virsh.wait)
        self.addCleanup(virsh.kill)

        viewer.until(lambda: self.notice(viewer, "other-reader"), "it is said")
        self.assertIn("'virsh console'", self.notice(viewer, "other-reader"))
        virsh.kill()
        viewer.until(lambda: not self.notice(viewer, "other-reader"), "it is taken back")

    def test_silent(self) -> None:
        """
        A guest with no login on its line is explained, after half a minute.
        """
        guest = new_guest(self, "silent1", kernel_arguments="quiet rdinit=/bin/sleep -- 100000")
        console = AllInOne(self)
        console.until_active(guest)
        viewer = Viewer(self, console.api.url(guest))

        viewer.until(lambda: self.notice(viewer, "silent"), "it is said")
        self.assertIn("serial-getty@ttyS0", self.notice(viewer, "silent"))
        self.assertEqual(viewer.output, b"")

    def test_no_answer(self) -> None:
        """
        So is one that does not answer what is typed, until it says something again.
        """
        guest = new_guest(self, "silent2")
        console = AllInOne(self)
        console.until_active(guest)
        viewer = Viewer(self, console.api.url(guest))
        viewer.log_in(guest)
        viewer.type("stty -echo; cat > /dev/null\r")
        viewer.until_seen("cat > /dev/null")

        def typed_in_vain() -> str:
            viewer.type(" ")
            return self.notice(viewer, "silent")

        viewer.until(typed_in_vain, "it is said")
        at = len(viewer.output)
        viewer.type("\x03")
        viewer.until_seen("# ", at)
        viewer.until(lambda: not self.notice(viewer, "silent"), "it is taken back")


class PartsTests(ComingBack, SynchronousTestCase):
    """
    The guest goes on; what carries it dies.
    """

    skip = MISSING
    name = "return2"

    def test_killed_in_turn(self) -> None:
        """
        socat is replaced unseen; ajaxterm is replaced, and said; the guest and its login
        session notice neither.
        """
        self.viewer.log_in(self.guest)
        self.viewer.type("kept=session\r")
        for number in range(3):
            for program in ("socat", "ajaxterm"):
                [pid] = self.console.children(program)
                os.kill(pid, signal.SIGKILL)
                # What is typed to one that is just dying is gone with it.
                self.console.until(
                    lambda: [one for one in self.console.children(program) if one != pid],  # noqa: B023
                    "another one is there",
                )
                if program == "ajaxterm":
                    self.viewer.until_closed()
                    self.console.until(self.reconnected, "the viewer is taken again")
                    self.assertFalse(self.viewer.hello["resumed"])
                at = len(self.viewer.output)
                self.viewer.type(f"echo $kept-{number}-{program}\r")
                self.viewer.until_seen(f"session-{number}-{program}", at)

    def test_terminal_dies_while_the_guest_is_off(self) -> None:
        """
        The next one knows that the guest is off, and waits for it too.
        """
        self.viewer.log_in(self.guest)
        self.guest.destroy()
        self.until_line("waiting", "switched off")
        [terminal] = self.console.children("ajaxterm")
        os.kill(terminal, signal.SIGKILL)
        self.viewer.until_closed()
        self.console.until(self.reconnected, "the viewer is taken again")
        self.viewer.until(lambda: self.viewer.line == "waiting", "it is told")
        at = len(self.viewer.output)

        self.guest.start()

        self.viewer.until_seen("login:", at)
        self.assert_like_log(at)

    def reconnected(self) -> bool:
        try:
            self.viewer.reconnect()
        except (OSError, WebSocketException):
            return False
        return True
