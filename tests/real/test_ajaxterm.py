"""
An ajaxterm as a process of its own: a command on a real pseudo-terminal, and a guest whose
agent is the test.
"""

from __future__ import annotations

import json
import os
import signal
import threading
import time
from pathlib import Path

import requests
from playwright.sync_api import Page, sync_playwright
from twisted.trial.unittest import SynchronousTestCase
from websockets.exceptions import ConnectionClosed

from tests.real.guestterminal import GuestFixture
from tests.real.processes import PATIENCE, Process, Tab

CHROMIUM = "/usr/bin/chromium"


class CommandTests(SynchronousTestCase):
    """
    C{ajaxterm -- COMMAND}.
    """

    def test_type_and_see(self) -> None:
        """
        The printed URL leads to the page and to a shell, which computes; its end is the end
        of the program, with its status.
        """
        process = Process(self, "--", "sh")
        url = process.url()

        page = requests.get(url, timeout=PATIENCE)
        tab = Tab.at(self, url)
        tab.say({"do": "size", "rows": 33, "columns": 111})
        tab.type("echo $((6*7)); stty size\r")
        tab.until(b"\n42\r\n33 111\r\n")
        tab.type("exit 3\r")
        tab.until_the_end()

        self.assertIn("<title>", page.text)
        self.assertNotIn("token", page.url)
        self.assertEqual((tab.events[-1]["reason"], tab.code), ("line-ended", 1000))
        self.assertEqual(process.ended(), 3)
        self.assertNotIn(url.partition("token=")[2], process.log())

    def test_last_output_is_seen(self) -> None:
        """
        A command prints much and ends at once: its viewer sees all of it.
        """
        process = Process(self, "--", "sh", "-c", "read go; seq 1 100000")
        tab = Tab.at(self, process.url())

        tab.type("go\r")
        tab.until_the_end()

        self.assertTrue(tab.output.endswith(b"\n99999\r\n100000\r\n"), tab.output[-50:])
        self.assertEqual(process.ended(), 0)

    def test_unused_it_ends(self) -> None:
        """
        With C{--idle-timeout 1} and nobody there it ends, and its command with it.
        """
        process = Process(self, "--idle-timeout", "1", "--", "sh", "-c", "echo $$; sleep 1000")
        tab = Tab.at(self, process.url())
        tab.until(b"\r\n")
        command = int(tab.output.split()[0])
        tab.close()

        self.assertEqual(process.ended(), 0)

        self.assertRaises(ProcessLookupError, self.wait_for, command)
        self.assertNotIn("Traceback", process.log())

    def wait_for(self, pid: int) -> None:
        """
        @raise ProcessLookupError: it has ended, as is wanted.
        """
        for _ in range(200):
            os.kill(pid, 0)
            time.sleep(0.05)

    def test_stopped(self) -> None:
        """
        SIGTERM: the viewers are told that it may come back, and nothing is wrong.
        """
        process = Process(self, "--", "sh")
        tab = Tab.at(self, process.url())
        tab.until(b"$ " if os.geteuid() else b"# ")

        process.popen.send_signal(signal.SIGTERM)
        tab.until_the_end()

        self.assertEqual((tab.events[-1]["retry"], tab.code), (True, 1001))
        process.ended()
        self.assertNotIn("Traceback", process.log())

    def test_recorded(self) -> None:
        """
        With C{--record} all that was seen is in a file, which is its owner's alone, and what was
        typed is not; the page is told so.
        """
        folder = Path(self.mktemp()).absolute()
        folder.mkdir()
        process = Process(self, "--record", str(folder), "--", "sh", "-c", "read x; seq 1 20000")
        tab = Tab.at(self, process.url())
        tab.type("go\r")
        tab.until_the_end()
        self.assertEqual(process.ended(), 0)

        [cast] = folder.iterdir()
        header, *events = (json.loads(line) for line in cast.read_text().splitlines())
        self.assertTrue(tab.events[0]["recording"])
        self.assertEqual(header["version"], 2)
        self.assertEqual({kind for _, kind, _ in events}, {"o"})
        self.assertEqual("".join(text for _, _, text in events).encode(), tab.output)
        self.assertEqual(cast.stat().st_mode & 0o777, 0o600)

    def test_record_that_can_not_be(self) -> None:
        """
        Where nothing can be written it does not begin, and says why.
        """
        process = Process(self, "--record", "/proc/self", "--", "sh")

        self.assertEqual(process.ended(), 1)

        self.assertIn("recording can't be written", process.log())
        self.assertNotIn("Traceback", process.log())

    def test_logged_out(self) -> None:
        """
        With C{--logout eof}, whoever ends the session by hand leaves the shells within shells,
        until there is a login prompt.
        """
        script = "PS1='# ' sh; PS1='# ' sh; echo; printf 'web1 login: '; exec sleep 100"
        process = Process(self, "--logout", "eof", "--", "sh", "-c", script)
        tab = Tab.at(self, process.url())
        tab.until(b"# ")

        tab.say({"do": "end_session"})
        tab.until_the_end()

        states = [event["state"] for event in tab.events if event["event"] == "logout"]
        self.assertEqual(states, ["trying", "out"])
        self.assertEqual((tab.events[-1]["reason"], tab.code), ("closed", 1000))
        self.assertEqual(process.ended(), 0)

    def test_command_that_reads_nothing(self) -> None:
        """
        A paste of 24 MiB into a command that does not read costs no memory, and the viewer
        is not taken for dead.
        """
        process = Process(self, "--", "sh", "-c", "stty raw -echo; echo ready; exec sleep 1000")
        tab = Tab.at(self, process.url())
        tab.until(b"ready")
        before = process.memory()

        def paste() -> None:
            try:
                for _ in range(24 * 16):
                    tab.type("x" * 65536)
            except (ConnectionClosed, OSError):
                pass

        pasting = threading.Thread(target=paste, daemon=True)
        pasting.start()
        pasting.join(2)

        self.assertTrue(pasting.is_alive())
        self.assertLess(process.memory() - before, 6 << 20)
        process.end()
        pasting.join(PATIENCE)


class BrowserTests(SynchronousTestCase):
    """
    The page in Chromium.
    """

    skip = None if Path(CHROMIUM).exists() else "there is no Chromium"

    def test_page_lives_under_its_policy(self) -> None:
        """
        Typing, colours, another size and light colours: all of it without anything that the
        strict Content-Security-Policy forbids, which Chromium would complain of.
        """
        process = Process(self, "--", "sh")
        complaints: list[str] = []

        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(
                executable_path=CHROMIUM,
                args=["--no-sandbox", "--disable-gpu", "--disable-background-networking"],
            )
            page = browser.new_page()
            page.on("console", lambda message: complaints.append(message.text))
            page.on("pageerror", lambda error: complaints.append(str(error)))
            answer = page.goto(process.url())
            self.until(page, "ajaxterm.state().name === 'connected'")
            page.keyboard.type("printf '\\033[31mred\\033[7m\\033[38;2;9;200;30mrgb\\033[m\\n'\n")
            page.set_viewport_size({"width": 700, "height": 400})
            page.emulate_media(color_scheme="light")
            page.keyboard.type("echo $((6*7))\n")
            self.until(page, "ajaxterm.text().includes('\\n42\\n')")
            coloured = page.evaluate(
                "getComputedStyle(document.querySelector('.xterm-fg-1')).color"
            )
            browser.close()

        assert answer is not None
        self.assertNotIn("unsafe", answer.headers["content-security-policy"])
        self.assertEqual(complaints, [])
        self.assertRegex(coloured, r"^rgb\(1[0-9]{2}, [0-9]{1,2}, [0-9]{1,2}\)$")

    def until(self, page: Page, condition: str) -> None:
        # Page.wait_for_function evaluates a string in the page, which is forbidden there.
        deadline = time.monotonic() + PATIENCE
        while not page.evaluate(condition):
            if time.monotonic() > deadline:
                raise AssertionError(f"never: {condition}")
            time.sleep(0.05)


class GuestTests(GuestFixture):
    """
    C{ajaxterm --http-fd ... --tty-fd ... --control-fd ...}, as the agent starts it.
    """

    def test_guest(self) -> None:
        """
        What a socat sends is seen, what is typed gets to it; who is revoked is cut.
        """
        self.start("--title", "web1 serial0")
        agent, socat = self.join("control.sock"), self.join("tty.sock")
        self.grant(agent, "s3")
        socat.sendall(b"login: ")

        url = f"http://127.0.0.1:{self.port}/"
        self.assertEqual(requests.get(url, timeout=PATIENCE).status_code, 403)
        tab = Tab.at(self, f"{url}ws", Authorization="Bearer s3")
        tab.until(b"login: ")
        tab.type("ann\r")
        self.assertEqual(socat.recv(100), b"ann\r")
        agent.sendall(b'{"id": 2, "do": "revoke", "grant": "g-s3"}\n')
        tab.until_the_end()

        self.assertEqual(tab.events[0]["title"], "web1 serial0")
        self.assertEqual(tab.code, 4003)

    def test_idle(self) -> None:
        """
        It ends when nobody comes, tells its agent so, and leaves the agent's paths alone.
        """
        process = self.start("--idle-timeout", "1")
        agent = self.join("control.sock")

        said = json.loads(agent.makefile("rb").readline())

        self.assertEqual(said, {"event": "ended", "reason": "idle"})
        self.assertEqual(process.ended(), 0)
        self.assertEqual(sorted(os.listdir(self.folder.name)), ["control.sock", "tty.sock"])
        mode = os.stat(os.path.join(self.folder.name, "tty.sock")).st_mode
        self.assertEqual(mode & 0o777, 0o600)

    def test_it_becomes_somebody_else(self) -> None:
        """
        Started by root it gives up its rights, has a session of its own, and serves.
        """
        if os.geteuid() != 0:
            self.skipTest("only root can become somebody else")
        process = self.start("--user", "65534:65534")
        agent = self.join("control.sock")
        self.grant(agent, "s")
        page = requests.get(
            f"http://127.0.0.1:{self.port}/",
            headers={"Authorization": "Bearer s"},
            timeout=PATIENCE,
        )

        self.assertEqual(page.status_code, 200)
        status = Path(f"/proc/{process.popen.pid}/status").read_text()
        for field in ("Uid", "Gid"):
            self.assertIn(f"{field}:\t65534\t65534\t65534\t65534", status)
        self.assertRegex(status, r"Groups:\s*\n")
        self.assertEqual(os.getsid(process.popen.pid), process.popen.pid)

    def test_it_can_not_become_somebody_else(self) -> None:
        """
        Where that can not be, it ends with a sentence.
        """
        process = self.start("--user", "4294967295:0")

        self.assertEqual(process.ended(), 1)

        self.assertIn("can't become user 4294967295", process.log())
        self.assertNotIn("Traceback", process.log())
