"""
An ajaxterm as a process of its own, on a guest and with an agent that are the test.
"""

from __future__ import annotations

import json
import os
import socket
import tempfile
from hashlib import sha256
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from tests.real.processes import PATIENCE, Process


class GuestFixture(SynchronousTestCase):
    """
    C{ajaxterm --http-fd ... --tty-fd ... --control-fd ...}, as the agent starts it; the agent
    and the guest are the test.
    """

    def setUp(self) -> None:
        self.folder = tempfile.TemporaryDirectory()
        self.addCleanup(self.folder.cleanup)
        self.http = self.listening(socket.socket())
        self.port = self.http.getsockname()[1]
        self.tty = self.listening(socket.socket(socket.AF_UNIX), "tty.sock")
        self.control = self.listening(socket.socket(socket.AF_UNIX), "control.sock")

    def listening(self, one: socket.socket, name: str = "") -> socket.socket:
        self.addCleanup(one.close)
        one.bind(os.path.join(self.folder.name, name) if name else ("127.0.0.1", 0))
        if name:
            os.chmod(one.getsockname(), 0o600)
        one.listen()
        one.setblocking(False)
        return one

    def start(self, *argv: str) -> Process:
        fds = (self.http.fileno(), self.tty.fileno(), self.control.fileno())
        names = ("--http-fd", "--tty-fd", "--control-fd")
        handed = [word for pair in zip(names, map(str, fds), strict=True) for word in pair]
        process = Process(self, *handed, *argv, fds=fds)
        for one in (self.http, self.tty, self.control):
            one.close()
        return process

    def join(self, name: str) -> socket.socket:
        joined = socket.socket(socket.AF_UNIX)
        self.addCleanup(joined.close)
        joined.settimeout(PATIENCE)
        joined.connect(os.path.join(self.folder.name, name))
        return joined

    def order(self, agent: socket.socket, **words: object) -> dict[str, Any]:
        agent.sendall(json.dumps({"id": 1, **words}).encode() + b"\n")
        answer: dict[str, Any] = json.loads(agent.makefile("rb").readline())
        return answer

    def grant(self, agent: socket.socket, secret: str) -> None:
        answer = self.order(
            agent,
            do="grant",
            grant=f"g-{secret}",
            digest=sha256(secret.encode()).hexdigest(),
            mode="rw",
            user="ann",
            lifetime=60,
        )
        self.assertEqual(answer, {"id": 1, "done": {}})
