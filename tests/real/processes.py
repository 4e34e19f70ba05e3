"""
An ajaxterm as a process of its own, and a viewer of it.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from twisted.trial.unittest import SynchronousTestCase
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, connect

PATIENCE = 20.0
ROOT = Path(__file__).resolve().parent.parent.parent


class Process:
    """
    One C{ajaxterm}; ended with its test.
    """

    def __init__(self, case: SynchronousTestCase, *argv: str, fds: tuple[int, ...] = ()) -> None:
        self._errors = tempfile.TemporaryFile()
        self.popen = subprocess.Popen(
            [sys.executable, "-m", "ajaxterm", *argv],
            cwd=ROOT,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            pass_fds=fds,
            text=True,
        )
        case.addCleanup(self.end)

    def end(self) -> None:
        if self.popen.poll() is None:
            self.popen.kill()
            self.popen.wait()
        assert self.popen.stdout is not None
        self.popen.stdout.close()
        self._errors.close()

    def url(self) -> str:
        """
        @return: the first line that it prints.
        """
        assert self.popen.stdout is not None
        return self.popen.stdout.readline().strip()

    def ended(self) -> int:
        """
        @return: its status, as soon as it has one.
        """
        return self.popen.wait(PATIENCE)

    def log(self) -> str:
        self._errors.seek(0)
        return self._errors.read().decode()

    def memory(self) -> int:
        """
        @return: the bytes that it holds of the machine's memory.
        """
        status = Path(f"/proc/{self.popen.pid}/status").read_text()
        found = re.search(r"VmRSS:\s+(\d+) kB", status)
        assert found is not None
        return int(found[1]) * 1024


class Tab:
    """
    One viewer.
    """

    def __init__(self, case: SynchronousTestCase, socket: ClientConnection) -> None:
        case.addCleanup(socket.close)
        self._socket = socket
        self.output = b""
        self.events: list[dict[str, Any]] = []
        self.code: int | None = None
        self.say({"do": "attach", "resume": None, "offset": None})

    @classmethod
    def at(cls, case: SynchronousTestCase, url: str, **headers: str) -> Tab:
        target = url.replace("http:", "ws:").replace("/?", "/ws?")
        wanted: Any = ["ajaxterm.v1"]
        return cls(case, connect(target, subprotocols=wanted, additional_headers=headers))

    def close(self) -> None:
        self._socket.close()

    def say(self, words: object) -> None:
        self._socket.send(json.dumps(words))

    def type(self, keys: str) -> None:
        self._socket.send(keys.encode())

    def listen(self) -> bool:
        """
        Take one message.

        @return: C{False} at the end.
        """
        try:
            message = self._socket.recv(PATIENCE)
        except ConnectionClosed as closed:
            self.code = closed.rcvd.code if closed.rcvd is not None else None
            return False
        if isinstance(message, bytes):
            self.output += message
        else:
            self.events.append(json.loads(message))
        return True

    def until(self, seen: bytes) -> None:
        deadline = time.monotonic() + PATIENCE
        while seen not in self.output:
            if time.monotonic() > deadline or not self.listen():
                raise AssertionError(f"{seen!r} was never seen, but {self.output[-300:]!r}")

    def until_the_end(self) -> None:
        while self.listen():
            pass
