"""
Our daemons in processes of their own, as a user would start them.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar

import bcrypt
import requests

from demo.guest import Guest
from demo.libvirtd import PrivateLibvirt
from tests.real.known import known
from tests.real.parts import (
    PATIENCE,
    ROOT,
    children_of,
    command_of,
    console_children_of,
    free_port,
    shared_libvirt,
    until,
)
from tests.real.viewer import token_of

T = TypeVar("T")


class Daemon:
    """
    A daemon of ours in a process of its own, ended after the test.

    When it is ended, no secret that was met so far may be in its log, nor in the
    command lines and environments of it and its children; and no child may be left.

    @ivar directory: of its own, for its runtime files, and its log.
    """

    def __init__(self, case: Any, name: str, *arguments: str, within: Sequence[str] = ()) -> None:
        """
        @param name: C{up} for C{ajaxconsole up}, or a plugin's for C{twistd}.
        @param within: a command that runs it, in place of itself.
        """
        self.name = name
        self.directory = Path(tempfile.mkdtemp(prefix=f"ajaxconsole-test-{name}-"))
        self.directory.chmod(0o755)
        bin = Path(sys.executable).parent
        command = [str(bin / "twistd"), "-n", "--pidfile", "", name]
        if name == "up":
            command = [str(bin / "ajaxconsole"), "up"]
        self._log = self.directory / "log"
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(
                [*within, *command, *arguments],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                cwd=ROOT,
                start_new_session=True,
            )
        case.addCleanup(self._finish)

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def log(self) -> str:
        return self._log.read_text(errors="replace")

    def until_logged(self, words: str, times: int = 1) -> None:
        self.until(lambda: self.log.count(words) >= times, f"it logs {words!r}")

    def until(self, condition: Callable[[], T], what: str) -> T:
        """
        As L{until}; but it ends early where the daemon does.
        """

        def checked() -> T:
            if self._process.poll() is not None:
                raise AssertionError(f"{self.name} ended:\n{self.log[-3000:]}")
            return condition()

        try:
            return until(checked, what)
        except AssertionError as failure:
            raise AssertionError(f"{failure}\n{self.name} logged:\n{self.log[-3000:]}") from None

    def children(self, program: str) -> list[int]:
        """
        @return: those of its consoles' processes that run C{program}, a part of their command.
        """
        children = console_children_of(self.pid)
        return [pid for pid in children if any(program in w for w in command_of(pid))]

    def descriptors(self) -> int:
        return len(os.listdir(f"/proc/{self.pid}/fd"))

    def search(self) -> None:
        """
        @raise Leak: see L{known}.
        """
        known.search(f"the log of {self.name}", self.log)
        known.search_processes([self.pid, *children_of(self.pid)])

    def stop(self) -> None:
        if self._process.poll() is None:
            self.search()
            children = children_of(self.pid)
            self._process.send_signal(signal.SIGTERM)
            try:
                self._process.wait(PATIENCE)
            except subprocess.TimeoutExpired:
                self.kill()
                raise AssertionError(f"{self.name} does not end:\n{self.log[-3000:]}") from None
            # A foundry hears of its agent's end, so its own comes after that.
            until(
                lambda: not any(command_of(pid) for pid in children),
                f"{self.name}'s children have ended: {[command_of(pid) for pid in children]}",
                patience=20,
            )
        known.search(f"the log of {self.name}", self.log)

    def leave(self) -> None:
        """
        Stop it in an orderly way, whatever it leaves.
        """
        self._process.send_signal(signal.SIGTERM)
        self._process.wait(PATIENCE)

    def kill(self) -> None:
        """
        C{kill -9}, it and nothing else.
        """
        self._process.kill()
        self._process.wait()

    def _finish(self) -> None:
        children = children_of(self.pid)
        try:
            self.stop()
            if "Traceback (most recent call last)" in self.log:
                raise AssertionError(f"a traceback is in its log:\n{self.log[-6000:]}")
        finally:
            for pid in children:
                if "ajaxterm" in command_of(pid) or "socat" in command_of(pid):
                    os.kill(pid, signal.SIGKILL)
            shutil.rmtree(self.directory, ignore_errors=True)


class Api:
    """
    The HTTP API, as a client sees it.
    """

    def __init__(self, root: str, auth: tuple[str, str] | None = None) -> None:
        """
        @param root: such as C{http://127.0.0.1:8774/}.
        """
        self.root = root
        self._session = requests.Session()
        self._session.trust_env = False
        self._session.auth = auth
        if auth is not None:
            known.add("password", auth[1])

    def get(self, path: str, **how: Any) -> requests.Response:
        return self._session.get(self.root + path, timeout=PATIENCE, **how)

    def post(self, path: str, **how: Any) -> requests.Response:
        return self._session.post(self.root + path, timeout=PATIENCE, **how)

    def delete(self, path: str) -> requests.Response:
        return self._session.delete(self.root + path, timeout=PATIENCE)

    def is_up(self) -> bool:
        try:
            return self.get("v2.1/").status_code == 200
        except requests.ConnectionError:
            return False

    def status(self, guest: Guest) -> str:
        answer = self.get(f"v2.1/servers/{guest.uuid}")
        return str(answer.json()["server"]["status"]) if answer.status_code == 200 else ""

    def ask(self, uuid: str) -> requests.Response:
        """
        Ask for a guest's console.
        """
        wanted = {"remote_console": {"protocol": "serial", "type": "serial"}}
        answer = self.post(
            f"v2.1/servers/{uuid}/remote-consoles",
            json=wanted,
            headers={"OpenStack-API-Version": "compute 2.8"},
        )
        if answer.status_code == 200:
            token_of(answer.json()["remote_console"]["url"])
        return answer

    def url(self, guest: Guest) -> str:
        """
        @return: of a new grant on its console.
        """
        answer = self.ask(guest.uuid)
        if answer.status_code != 200:
            raise AssertionError(f"no console: {answer.status_code} {answer.text}")
        return str(answer.json()["remote_console"]["url"])


class AllInOne(Daemon):
    """
    C{ajaxconsole up}, which has taken its guests in when the constructor returns.

    @ivar api: its API.
    @ivar run: its runtime directory.
    """

    def __init__(
        self,
        case: Any,
        *arguments: str,
        connect: str | None = None,
        auth: tuple[str, str] | None = None,
        within: Sequence[str] = (),
    ) -> None:
        port = free_port()
        run = Path(tempfile.mkdtemp(prefix="ajaxconsole-run-"))
        case.addCleanup(shutil.rmtree, run, True)
        self.run = run / "host"
        first, last = 20000 + 100 * (port % 100), 20099 + 100 * (port % 100)
        defaults = {
            "--listen": f"tcp:{port}:interface=127.0.0.1",
            "--connect": connect or shared_libvirt().uri,
            "--host": f"h{port}",
            "--run": str(self.run),
            "--portrange": f"{first}-{last}",
        }
        if auth is None:
            defaults["--auth"] = "none"
        given = [word for word in arguments if word.startswith("--")]
        words = [w for name, v in defaults.items() if name not in given for w in (name, v)]
        super().__init__(case, "up", *words, *arguments, within=within)
        self.api = Api(f"http://127.0.0.1:{port}/", auth)
        self.port = port
        self.until(self.api.is_up, "the API answers")

    def until_active(self, guest: Guest) -> None:
        self.until(lambda: self.api.status(guest) == "ACTIVE", f"{guest.name} is known to run")

    def rooms(self) -> list[str]:
        """
        @return: the runtime directories of its consoles.
        """
        return [entry.name for entry in self.run.iterdir() if entry.is_dir()]


class Fleet:
    """
    Agent, proxy and API in processes of their own, over a real RabbitMQ.

    @ivar settings: the file they share; the broker's password is in it, and not in
        a command line.
    @ivar api: the API, for the user C{ann}.
    @ivar run: the agent's runtime directory.
    """

    USER = "ann"

    def __init__(
        self,
        case: Any,
        broker_url: str,
        libvirt: PrivateLibvirt | None = None,
        agent_log_level: str = "info",
        at_stop: str = "end",
        more: str = "",
    ) -> None:
        """
        @param more: settings of the agent.
        """
        directory = Path(tempfile.mkdtemp(prefix="ajaxconsole-fleet-"))
        case.addCleanup(shutil.rmtree, directory, True)
        self._case = case
        self.password = known.add("password", f"ann's {os.urandom(8).hex()}")
        hashed = bcrypt.hashpw(self.password.encode(), bcrypt.gensalt(4)).decode()
        users = directory / "users.htpasswd"
        users.write_text(f"{self.USER}:{hashed}\n")
        self.proxy_port, self.api_port = free_port(), free_port()
        self.host = f"fleet-{self.api_port}"
        first = 22000 + 50 * (self.api_port % 100)
        self.run = directory / "run"
        self.settings = directory / "settings.toml"
        self.settings.write_text(f"""\
[computeagent]
bus = "{broker_url}"
connect = "{(libvirt or shared_libvirt()).uri}"
host = "{self.host}"
address = "127.0.0.1"
portrange = "{first}-{first + 49}"
run = "{directory}/run"
at-stop = "{at_stop}"
terminal-log-level = "{agent_log_level}"
{more}

[consoleproxy]
bus = "{broker_url}"
listen = "tcp:{self.proxy_port}:interface=127.0.0.1"
cookie-key = "{directory}/cookie-key"

[consoleapi]
bus = "{broker_url}"
listen = "tcp:{self.api_port}:interface=127.0.0.1"
proxy-url = "http://127.0.0.1:{self.proxy_port}/"
users = "{users}"
""")
        self.settings.chmod(0o600)
        self.api = Api(f"http://127.0.0.1:{self.api_port}/", (self.USER, self.password))
        self.agent = self.start("computeagent")
        self.proxy = self.start("consoleproxy")
        self.consoleapi = self.start("consoleapi")
        self.consoleapi.until(self.api.is_up, "the API answers")

    def start(self, name: str) -> Daemon:
        return Daemon(self._case, name, "--config", str(self.settings))

    def until_active(self, guest: Guest) -> None:
        self.consoleapi.until(
            lambda: self.api.status(guest) == "ACTIVE", f"{guest.name} is known to run"
        )
