"""
The real parts that the tests in this folder share: a libvirtd, guests, daemons
in processes of their own, viewers, a browser.

These tests block, so they are C{SynchronousTestCase}s; nothing of ours runs in
their process.  Whatever waits here waits for a condition, and gives up after
L{PATIENCE}.
"""

from __future__ import annotations

import atexit
import contextlib
import functools
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import urlsplit

import bcrypt
import requests
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, connect

from demo.guest import PASSWORD, USER, Guest
from demo.libvirtd import PrivateLibvirt
from tests.real.known import known

T = TypeVar("T")

PATIENCE = 60.0
"""Seconds; the machine may be busy."""

ROOT = Path(__file__).resolve().parent.parent.parent

MISSING = next(
    (
        f"{program} is not installed"
        for program in ("libvirtd", "qemu-system-x86_64", "socat")
        if shutil.which(program) is None
    ),
    "only root can run a libvirtd" if os.geteuid() != 0 else None,
)
"""For a test's C{skip}."""


def until(condition: Callable[[], T], what: str, patience: float = PATIENCE) -> T:
    """
    Wait until C{condition} gives something true.
    """
    deadline = time.monotonic() + patience
    while True:
        found = condition()
        if found:
            return found
        if time.monotonic() > deadline:
            raise AssertionError(f"waited in vain until {what}")
        time.sleep(0.02)


@functools.cache
def shared_libvirt() -> PrivateLibvirt:
    """
    One for all tests that leave it running.
    """
    libvirt = PrivateLibvirt()
    libvirt.start()
    atexit.register(libvirt.stop)
    return libvirt


def new_guest(case: Any, name: str, **how: Any) -> Guest:
    """
    A running guest, gone after the test.
    """
    guest = Guest(how.pop("libvirt", None) or shared_libvirt(), name, **how)
    guest.start()

    def gone() -> None:
        with contextlib.suppress(Exception):
            guest.destroy()
        with contextlib.suppress(Exception):
            guest.undefine()

    case.addCleanup(gone)
    return guest


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as trying:
        port: int = trying.getsockname()[1]
        return port


def children_of(pid: int) -> list[int]:
    """
    @return: all descendants of a process.
    """
    parents: dict[int, list[int]] = {}
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            with contextlib.suppress(OSError):
                words = Path(f"/proc/{entry}/stat").read_text().rpartition(")")[2].split()
                parents.setdefault(int(words[1]), []).append(int(entry))
    found, wanted = [], [pid]
    while wanted:
        children = parents.get(wanted.pop(), [])
        found += children
        wanted += children
    return found


def listening_ports(pids: Iterable[int]) -> list[int]:
    """
    @return: the TCP ports on which these processes listen.
    """
    rows = Path("/proc/net/tcp").read_text("ascii").splitlines()[1:]
    sockets = {
        f"socket:[{words[9]}]": int(words[1].rpartition(":")[2], 16)
        for words in map(str.split, rows)
        if words[3] == "0A"
    }
    ports = set()
    for pid in pids:
        with contextlib.suppress(OSError):
            for entry in os.scandir(f"/proc/{pid}/fd"):
                port = sockets.get(os.readlink(entry.path))
                if port is not None:
                    ports.add(port)
    return sorted(ports)


def command_of(pid: int) -> list[str]:
    try:
        return Path(f"/proc/{pid}/cmdline").read_text().split("\0")[:-1]
    except OSError:
        return []


class Daemon:
    """
    A daemon of ours in a process of its own, ended after the test.

    When it is ended, no secret that was met so far may be in its log, nor in the
    command lines and environments of it and its children; and no child may be left.

    @ivar directory: of its own, for its runtime files, and its log.
    """

    def __init__(self, case: Any, name: str, *arguments: str) -> None:
        """
        @param name: C{up} for C{ajaxconsole up}, or a plugin's for C{twistd}.
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
                [*command, *arguments],
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
        @return: its descendants that run C{program}, a part of their command.
        """
        return [pid for pid in children_of(self.pid) if any(program in w for w in command_of(pid))]

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
            left = [command_of(pid) for pid in children if command_of(pid)]
            if left:
                raise AssertionError(f"{self.name} left these running: {left}")
        known.search(f"the log of {self.name}", self.log)

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


def token_of(url: str) -> str:
    match = re.search(r"[?&]token=([^&]+)", url)
    assert match is not None, url
    return known.add("token", match[1])


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
        super().__init__(case, "up", *words, *arguments)
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


class Viewer:
    """
    A client that attaches by a URL as the page does.

    @ivar output: the bytes of the guest that it has seen.
    @ivar events: from JSON.
    @ivar closed: the close code, once it is.
    """

    def __init__(self, case: Any, url: str, resume: str | None = None) -> None:
        """
        @param resume: a key to try, which nobody gave us.
        """
        exchanged = exchange(url)
        assert exchanged.status_code == 303, f"{exchanged.status_code} {exchanged.text}"
        parts = urlsplit(url)
        place = f"{parts.netloc}/{exchanged.headers['Location']}"
        cookies = "; ".join(f"{c.name}={c.value}" for c in exchanged.cookies)
        for cookie in exchanged.cookies:
            known.add("cookie", str(cookie.value))
        self.place = f"http://{place}"
        self.headers = {"Cookie": cookies}
        self.output = b""
        self.events: list[dict[str, Any]] = []
        self.closed: int | None = None
        self.closing = ""
        case.addCleanup(self.close)
        self._attach(resume, None)

    def reconnect(self) -> None:
        """
        As the page does after its connection broke: it goes on where it was.
        """
        offset = self.first + len(self.output)
        self.closed = None
        self._attach(self.hello["resume"], offset)

    @property
    def first(self) -> int:
        """
        The offset of the first byte it saw.
        """
        first = next(event for event in self.events if event["event"] == "hello")
        return int(first["offset"])

    def _attach(self, resume: str | None, offset: int | None) -> None:
        parts = urlsplit(self.place)
        self._ws: ClientConnection = connect(
            f"ws://{parts.netloc}{parts.path}ws",
            additional_headers=self.headers,
            origin=f"http://{parts.netloc}",  # type: ignore[arg-type]
            subprotocols=["ajaxterm.v1"],  # type: ignore[list-item]
            compression=None,
            max_size=None,
            proxy=None,
            # Its answer would wait behind whatever a test does not read.
            ping_interval=None,
            open_timeout=PATIENCE,
        )
        greeted = self._greetings()
        self._ws.send(json.dumps({"do": "attach", "resume": resume, "offset": offset}))
        self.until(lambda: self._greetings() > greeted, "it is greeted")
        known.add("resume key", self.hello["resume"])

    def _greetings(self) -> int:
        return sum(event["event"] == "hello" for event in self.events)

    @property
    def hello(self) -> dict[str, Any]:
        hello = self.event("hello")
        assert hello is not None
        return hello

    def event(self, name: str) -> dict[str, Any] | None:
        """
        @return: the last one of that name.
        """
        return next((e for e in reversed(self.events) if e["event"] == name), None)

    def type(self, keys: str) -> None:
        self._ws.send(keys.encode())

    def until(self, condition: Callable[[], T], what: str, patience: float = PATIENCE) -> T:
        deadline = time.monotonic() + patience
        while not (found := condition()):
            if time.monotonic() > deadline or self.closed is not None:
                raise AssertionError(
                    f"waited in vain until {what}; closed: {self.closed} {self.closing}, "
                    f"the end of what it saw: {self.output[-1000:]!r}"
                )
            self._take()
        return found

    def until_seen(self, words: str, after: int = 0) -> int:
        """
        @return: where in the output C{words} end.
        """
        wanted = words.encode()
        self.until(lambda: wanted in self.output[after:], f"it sees {words!r}")
        return self.output.index(wanted, after) + len(wanted)

    def until_closed(self) -> int:
        return self.until(lambda: self.closed or 0, "it is closed")

    def log_in(self, guest: Guest) -> None:
        """
        Wake the getty, and log in; leaves a prompt.
        """
        before = len(self.output)
        if b"login:" not in self.output:
            self.type("\r")
        at = self.until_seen("login:", 0 if b"login:" in self.output else before)
        self.type(f"{USER}\r")
        at = self.until_seen("Password:", at)
        self.type(f"{PASSWORD}\r")
        self.until_seen("# ", at)

    def close(self) -> None:
        with contextlib.suppress(Exception):
            self._ws.close()

    def _take(self) -> None:
        """
        Take one message, or wait for a moment.
        """
        try:
            message = self._ws.recv(timeout=0.1)
        except TimeoutError:
            return
        except ConnectionClosed as closed:
            self.closed = closed.rcvd.code if closed.rcvd is not None else 1006
            self.closing = str(closed)
            return
        if isinstance(message, bytes):
            self.output += message
        else:
            self.events.append(json.loads(message))


def exchange(url: str) -> requests.Response:
    """
    Show a URL's token, as a browser does first.
    """
    with requests.Session() as session:
        session.trust_env = False
        return session.get(url, allow_redirects=False, timeout=PATIENCE)


@contextlib.contextmanager
def browser() -> Iterator[Any]:
    """
    A Chromium of Playwright's.
    """
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(
            executable_path="/usr/bin/chromium",
            args=["--no-sandbox", "--disable-gpu", "--disable-background-networking"],
        )
        try:
            yield chromium
        finally:
            chromium.close()


class Fleet:
    """
    Agent, proxy and API in processes of their own, over a real RabbitMQ.

    @ivar settings: the file they share; the broker's password is in it, and not in
        a command line.
    @ivar api: the API, for the user C{ann}.
    """

    USER = "ann"

    def __init__(
        self,
        case: Any,
        broker_url: str,
        libvirt: PrivateLibvirt | None = None,
        agent_log_level: str = "info",
    ) -> None:
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
        self.settings = directory / "settings.toml"
        self.settings.write_text(f"""\
[computeagent]
bus = "{broker_url}"
connect = "{(libvirt or shared_libvirt()).uri}"
host = "{self.host}"
address = "127.0.0.1"
portrange = "{first}-{first + 49}"
run = "{directory}/run"
terminal-log-level = "{agent_log_level}"

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
