"""
A stage for the page: a real ajaxterm whose guest and agent are the test, with doors to it
as the proxy's are.

    browser ---> door ---> ajaxterm <--- line: the test
                              ^--------- control: the test

With C{PAGE_BEHIND} in the environment nginx and our own proxy are before the door; see
L{tests.real.behind}.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import socket
import tempfile
import threading
from hashlib import sha256
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from tests.real.behind import Behind, way
from tests.real.parts import PATIENCE, until
from tests.real.processes import Process


class Stage:
    """
    @ivar line: what a socat would be.
    """

    def __init__(self, case: SynchronousTestCase, *argv: str) -> None:
        folder = tempfile.TemporaryDirectory()
        case.addCleanup(folder.cleanup)
        self._case = case
        self._doors: list[Door] = []
        self._behind = Behind(case, way()) if way() else None
        listening = {"http": socket.socket()}
        listening["http"].bind(("127.0.0.1", 0))
        self.port = listening["http"].getsockname()[1]
        for name in ("tty", "control"):
            listening[name] = socket.socket(socket.AF_UNIX)
            listening[name].bind(os.path.join(folder.name, name))
        words, fds = [], []
        for name, one in listening.items():
            one.listen()
            one.setblocking(False)
            words += [f"--{name}-fd", str(one.fileno())]
            fds.append(one.fileno())
        self.process = Process(case, *words, "--title", "web1 serial0", *argv, fds=tuple(fds))
        for one in listening.values():
            one.close()
        self._agent = _joined(case, os.path.join(folder.name, "control"))
        self._answers = self._agent.makefile("rb")
        case.addCleanup(self._answers.close)
        self.line = Line(_joined(case, os.path.join(folder.name, "tty")))
        case.addCleanup(self.line.close)

    def order(self, **words: object) -> dict[str, Any]:
        """
        As the agent; the events it hears meanwhile are passed over.
        """
        self._agent.sendall(json.dumps({"id": 1, **words}).encode() + b"\n")
        for said in self._answers:
            answer: dict[str, Any] = json.loads(said)
            if "event" not in answer:
                self._case.assertIn("done", answer)
                return answer
        raise AssertionError("the agent's connection is gone")

    def until_told(self, event: str) -> dict[str, Any]:
        """
        As the agent; what it hears before is passed over.
        """
        for said in self._answers:
            heard: dict[str, Any] = json.loads(said)
            if heard.get("event") == event:
                return heard
        raise AssertionError("the agent's connection is gone")

    def door(self, user: str, mode: str = "rw") -> Door:
        """
        @return: where that user comes in, by a grant of its own.
        """
        secret = sha256(user.encode()).hexdigest()
        self.order(
            do="grant",
            grant=f"g-{user}",
            digest=sha256(secret.encode()).hexdigest(),
            mode=mode,
            user=user,
            lifetime=600,
        )
        door = Door(self.port, secret)
        self._take(door)
        if self._behind is not None:
            inner = Door(self.port, None)
            self._take(inner)
            inner.direct = door.direct
            inner.url = self._behind.url(user, secret, inner.port)
            return inner
        return door

    def _take(self, door: Door) -> None:
        self._case.addCleanup(door.close)
        self._doors.append(door)

    def cut(self) -> None:
        """End all connections of viewers, without a word."""
        for door in self._doors:
            door.cut()


class Line:
    """
    The test's end of the line.

    @ivar typed: what came from the viewers.
    """

    def __init__(self, joined: socket.socket) -> None:
        self._socket = joined
        self._reads = threading.Event()
        self._reads.set()
        self._over = False
        self.typed = b""
        self._reading = threading.Thread(target=self._read, daemon=True)
        self._reading.start()

    def say(self, output: bytes) -> None:
        """As the guest."""
        self._socket.sendall(output)

    def hold(self, held: bool) -> None:
        """Take nothing more, or go on."""
        if held:
            self._reads.clear()
        else:
            self._reads.set()

    def until_typed(self, keys: bytes) -> None:
        """All that was typed ends with C{keys}."""
        until(lambda: self.typed.endswith(keys), f"{keys!r} is typed, not {self.typed[-100:]!r}")

    def close(self) -> None:
        self._over = True
        self._reads.set()
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()
        self._reading.join(PATIENCE)

    def _read(self) -> None:
        while not self._over:
            self._reads.wait()
            try:
                piece = self._socket.recv(65536)
            except TimeoutError:
                continue
            except OSError:
                return
            if not piece:
                return
            self.typed += piece


class Door:
    """
    A small proxy in front of an ajaxterm, which adds the secret of a grant.

    @ivar url: of the page.
    @ivar direct: of the same, for clients that are no browsers.
    @ivar port: where it listens.
    @ivar upgrades: C{pass}, C{refuse}, or C{break}: cut soon after they came up.
    @ivar upgraded: how many WebSockets were let through.
    """

    def __init__(self, port: int, secret: str | None) -> None:
        """
        @param secret: C{None} if a proxy of ours is before it, which adds the secret.
        """
        self._port = port
        self._secret = secret
        self.upgrades = "pass"
        self.upgraded = 0
        self._sockets: list[socket.socket] = []
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listening.getsockname()[1]
        self.url = self.direct = f"http://127.0.0.1:{self.port}/console/g1/"
        self._spawn(self._accept)

    def close(self) -> None:
        self._listening.close()
        self.cut()

    def cut(self) -> None:
        """End all connections, without a word."""
        for one in self._sockets:
            with contextlib.suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
            one.close()
        self._sockets = []

    def _spawn(self, target: Any, *arguments: Any) -> None:
        threading.Thread(target=target, args=arguments, daemon=True).start()

    def _accept(self) -> None:
        while True:
            try:
                browser, _ = self._listening.accept()
            except OSError:
                return
            self._spawn(self._serve, browser)

    def _serve(self, browser: socket.socket) -> None:
        head = b""
        while b"\r\n\r\n" not in head:
            piece = browser.recv(65536)
            if not piece:
                browser.close()
                return
            head += piece
        head, _, rest = head.partition(b"\r\n\r\n")
        is_upgrade = b"\r\nupgrade: websocket" in head.lower()
        if is_upgrade and self.upgrades == "refuse":
            browser.sendall(b"HTTP/1.1 501 Not Implemented\r\nContent-Length: 0\r\n\r\n")
            browser.close()
            return
        head = head.replace(b" /console/g1/", b" /", 1)
        if not is_upgrade:
            head = re.sub(rb"(?i)\r\nconnection:[^\r]*", b"", head) + b"\r\nConnection: close"
        if self._secret is not None:
            head += b"\r\nAuthorization: Bearer " + self._secret.encode()
        try:
            server = socket.create_connection(("127.0.0.1", self._port))
        except OSError:
            browser.close()
            return
        self._sockets += [browser, server]
        server.sendall(head + b"\r\n\r\n" + rest)
        self._spawn(_pump, browser, server)
        if is_upgrade:
            self.upgraded += 1
            if self.upgrades == "break":
                threading.Timer(0.5, self.cut).start()
        _pump(server, browser)


def _pump(source: socket.socket, sink: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while piece := source.recv(65536):
            sink.sendall(piece)
    for one in (source, sink):
        with contextlib.suppress(OSError):
            one.shutdown(socket.SHUT_RDWR)


def _joined(case: SynchronousTestCase, path: str) -> socket.socket:
    one = socket.socket(socket.AF_UNIX)
    case.addCleanup(one.close)
    one.settimeout(PATIENCE)
    one.connect(path)
    return one
