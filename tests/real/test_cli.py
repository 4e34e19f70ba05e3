"""
The command line, against a real guest: what it prints, what it ends with, and a
console in a terminal that survives its proxy.
"""

from __future__ import annotations

import contextlib
import json
import os
import pty
import re
import select
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from demo.guest import PASSWORD, USER
from tests.rabbit import MISSING as MISSING_RABBIT
from tests.rabbit import shared_rabbit
from tests.real.clients import Stand
from tests.real.daemons import Fleet
from tests.real.known import known
from tests.real.parts import MISSING, PATIENCE, new_guest, shared_libvirt
from tests.real.viewer import Viewer, token_of

AJAXCONSOLE = str(Path(sys.executable).parent / "ajaxconsole")


class InTerminal:
    """
    A program in a terminal of its own.

    @ivar seen: all that it put there.
    """

    def __init__(self, case: Any, *command: str, **environment: str) -> None:
        master, slave = pty.openpty()
        self._master = master
        case.addCleanup(os.close, master)
        self.process = subprocess.Popen(
            command,
            stdin=slave,
            stdout=slave,
            stderr=slave,
            env={"PATH": os.environ["PATH"], "NO_PROXY": "*", "TERM": "xterm", **environment},
            start_new_session=True,
        )
        os.close(slave)
        case.addCleanup(self.end)
        self.seen = b""

    def type(self, keys: str) -> None:
        os.write(self._master, keys.encode())

    def until_seen(self, words: str, after: int = 0) -> int:
        wanted = words.encode()
        deadline = time.monotonic() + PATIENCE
        while wanted not in self.seen[after:]:
            if time.monotonic() > deadline or not self._read():
                raise AssertionError(f"never saw {words!r}, but {self.seen[-1500:]!r}")
        return self.seen.index(wanted, after) + len(wanted)

    def ended(self) -> int:
        while self._read():
            pass
        return self.process.wait(PATIENCE)

    def end(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()

    def _read(self) -> bool:
        if select.select([self._master], [], [], 1.0)[0]:
            with contextlib.suppress(OSError):
                piece = os.read(self._master, 65536)
                self.seen += piece
                return bool(piece)
            return False
        return self.process.poll() is None


class CommandTests(SynchronousTestCase):
    skip = MISSING

    def setUp(self) -> None:
        self.stand = Stand(self, guests=2)
        config = self.stand.directory / ".config"
        config.mkdir()
        self.config = config / "ajaxconsole.toml"
        self.configure("bob")

    def configure(self, user: str) -> None:
        self.config.write_text(f'url = "{self.stand.root}"\ntoken = "{self.stand.tokens[user]}"\n')
        self.config.chmod(0o600)

    def run_command(self, *words: str, **environment: str) -> Any:
        return self.stand.run(AJAXCONSOLE, *words, **environment)

    def told(self, *words: str) -> Any:
        done = self.run_command(*words, "--json")
        self.assertEqual(done.returncode, 0, done.stderr)
        return json.loads(done.stdout)

    def terminal(self, *words: str) -> InTerminal:
        return InTerminal(self, AJAXCONSOLE, *words, HOME=str(self.stand.directory))

    def test_commands(self) -> None:
        (guest,) = self.told("list")
        console = self.told("open", "web1", "--read-only")
        token_of(console["url"])
        viewer = Viewer(self, self.stand.daemon.api.url(self.stand.guest))
        viewer.log_in(self.stand.guest)
        watcher = Viewer(self, console["url"])
        log = self.told("log", "web1")
        (session,) = self.told("sessions")
        closed = self.told("close", "web1")

        self.assertEqual((guest["name"], guest["status"]), ("web1", "ACTIVE"))
        self.assertEqual((console["mode"], watcher.hello["mode"]), ("ro", "ro"))
        self.assertIn("login:", log["output"])
        self.assertEqual((session["viewers"], session["users"]), (2, ["ann", "bob"]))
        self.assertEqual(closed["closed"], [session["id"]])
        self.assertEqual(viewer.until_closed(), 1000)

    def test_for_people(self) -> None:
        listed = self.run_command("list").stdout
        url = self.run_command("open", "web1").stdout.strip()
        token_of(url)

        self.assertRegex(
            listed, r"(?m)^NAME +STATUS +HOST +ID\nweb1 +ACTIVE +h[0-9]+ +[0-9a-f-]{36}$"
        )
        Viewer(self, url).log_in(self.stand.guest)
        self.assertIn("login:", self.run_command("log", "web1").stdout)

    def test_what_it_ends_with(self) -> None:
        wrong = self.stand.directory / "wrong-token"
        wrong.write_text(known.add("API token", "a-token-that-is-wrong"))
        for status, words, sentence in (
            (1, ["log", "web1"], "nothing was recorded"),
            (2, ["open"], "GUEST"),
            (2, ["list", "--url", "ftp://x"], "http"),
            (3, ["open", "secret1"], "no guest named secret1"),
            (3, ["close", "web1"], "no such console"),
            (4, ["list", "--token-file", str(wrong)], "token is not known"),
            (5, ["list", "--url", "http://127.0.0.1:1/"], "can't be reached"),
        ):
            done = self.run_command(*words)
            self.assertEqual(done.returncode, status, (words, done.stdout, done.stderr))
            self.assertIn(sentence, done.stderr)
            self.assertNotIn("Traceback", done.stderr)

    def test_clouds_yaml(self) -> None:
        self.config.unlink()
        place = self.stand.directory / ".config/openstack"
        place.mkdir()
        auth = f'{{endpoint: "{self.stand.root}v2.1/", token: "{self.stand.tokens["bob"]}"}}'
        (place / "clouds.yaml").write_text(
            f"clouds:\n  mine:\n    auth_type: admin_token\n    auth: {auth}\n"
        )

        self.assertEqual(self.run_command("list", "--os-cloud", "mine").returncode, 0)
        self.assertEqual(self.run_command("list", OS_CLOUD="mine").returncode, 0)

    def test_doctor(self) -> None:
        done = self.run_command("doctor", "--connect", shared_libvirt().uri, "--json")

        findings = {one["check"]: one for one in json.loads(done.stdout)}
        self.assertEqual(done.returncode, 0, done.stdout)
        self.assertEqual(findings["guest web1"]["outcome"], "ok")
        self.assertIn("of type pty", findings["guest web1"]["message"])
        self.assertEqual(findings["socat"]["outcome"], "ok")

    def test_config_that_others_may_read(self) -> None:
        self.config.chmod(0o644)

        done = self.run_command("list")

        self.assertEqual(done.returncode, 2)
        self.assertIn("chmod 600", done.stderr)

    def test_attach(self) -> None:
        terminal = self.terminal("attach", "web1")
        terminal.type("\r")
        at = terminal.until_seen("login:")
        terminal.type(f"{USER}\r")
        at = terminal.until_seen("Password:", at)
        terminal.type(f"{PASSWORD}\r")
        at = terminal.until_seen("# ", at)
        # It speaks once it is in the foreground, so that Control and C are for it.
        terminal.type("sh -c 'echo go-$((6*7)); exec sleep 600'\r")
        at = terminal.until_seen("go-42", at)
        terminal.type("\x03")
        at = terminal.until_seen("# ", at)
        terminal.type("~?")
        terminal.until_seen("leave; the console stays open", at)
        terminal.type("~.")

        self.assertEqual(terminal.ended(), 0)

    def test_read_only(self) -> None:
        self.configure("eve")
        terminal = self.terminal("attach", "web1", "--escape", "^]")
        viewer = Viewer(self, self.stand.daemon.api.url(self.stand.guest))
        viewer.log_in(self.stand.guest)
        terminal.until_seen("# ")
        terminal.type("echo never-typed\r")
        viewer.type("echo told-$((6*7))\r")
        terminal.until_seen("told-42")
        terminal.type("\x1d.")

        self.assertEqual(terminal.ended(), 0)
        self.assertNotIn(b"never-typed", viewer.output)

    def test_console_that_is_ended(self) -> None:
        terminal = self.terminal("attach", "web1")
        terminal.type("\r")
        terminal.until_seen("login:")

        self.told("close", "web1")

        self.assertEqual(terminal.ended(), 0)
        self.assertIn(b"closed", terminal.seen)


class ProxyTests(SynchronousTestCase):
    """
    While its proxy is killed and started again.
    """

    skip = MISSING or MISSING_RABBIT

    def test_no_byte_is_lost_or_repeated(self) -> None:
        """
        The guest counts; somebody types; and all of it is there, once.
        """
        guest = new_guest(self, "web1")
        fleet = Fleet(self, shared_rabbit().url)
        fleet.until_active(guest)
        home = Path(self.mktemp())
        (home / ".config").mkdir(parents=True)
        config = home / ".config/ajaxconsole.toml"
        config.write_text(
            f'url = "{fleet.api.root}"\nuser = "ann"\npassword = "{fleet.password}"\n'
        )
        config.chmod(0o600)
        Viewer(self, fleet.api.url(guest)).log_in(guest)
        terminal = InTerminal(self, AJAXCONSOLE, "attach", "web1", HOME=str(home.absolute()))
        at = terminal.until_seen("# ")
        terminal.type("stty -echo; for i in $(seq 30000); do echo line-$i-; done; cat\r")
        at = terminal.until_seen("line-500-", at)

        for number in range(2):
            fleet.proxy.kill()
            terminal.type(f"typed-while-away-{number}\r")
            fleet.proxy = fleet.start("consoleproxy")
            at = terminal.until_seen("connecting again", at)
            at = terminal.until_seen("line-", at)
        terminal.until_seen("line-30000-", at)
        for number in range(2):
            terminal.until_seen(f"typed-while-away-{number}")
        terminal.type("\x03\r~.")

        self.assertEqual(terminal.ended(), 0)
        shown = re.sub(rb"\r\n\[the connection is gone.*?again\]\r\n", b"", terminal.seen)
        counted = [int(number) for number in re.findall(rb"line-(\d+)-", shown)]
        self.assertEqual(counted, list(range(1, 30001)))
        for number in range(2):
            self.assertEqual(shown.count(f"typed-while-away-{number}".encode()), 1)
        self.assertNotIn(b"are gone", terminal.seen)
