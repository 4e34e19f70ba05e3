"""
A house (L{bench.household}) as a process, for benchmarks that block.
"""

from __future__ import annotations

import json
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Any


class HouseProcess:
    """
    @ivar port: the proxy's.
    @ivar log: path of its log.
    @ivar door: path of the socket that takes orders.
    """

    def __init__(self, folder: Path, port: int) -> None:
        self.port = port
        self.log = folder / "house.log"
        self.door = folder / "house.door"
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "bench.house", str(port), str(self.door)],
                # It ends when that does: else, if we die, its agent would open by path
                # whatever gets the number of a guest's pty next, and read half of that.
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=log,
            )
        self._socket = socket.socket(socket.AF_UNIX)
        self._socket.settimeout(60.0)
        for _ in range(200):
            try:
                self._socket.connect(str(self.door))
                break
            except OSError:
                time.sleep(0.1)
        else:
            self.end()
            raise RuntimeError(f"the house does not come up: {self.log.read_text()[-2000:]}")
        self._answers = self._socket.makefile("r")

    def ask(self, **words: object) -> dict[str, Any]:
        self._socket.sendall(json.dumps(words).encode() + b"\n")
        answer: dict[str, Any] = json.loads(self._answers.readline())
        if "failed" in answer:
            raise RuntimeError(f"{words} failed: {answer['failed']}")
        return answer

    def end(self) -> None:
        self.process.terminate()
        try:
            self.process.wait(20)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        assert self.process.stdin is not None
        self.process.stdin.close()
        self._socket.close()
