"""
A process that holds what a guest's QEMU holds, and is named as one: a terminal, a unix socket
and a TCP port.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

_HOLD = """
import json, os, pty, socket, sys
master, slave = pty.openpty()
path = os.ttyname(slave)
os.close(slave)
unix = socket.socket(socket.AF_UNIX)
unix.bind(sys.argv[1])
unix.listen()
tcp = socket.socket()
tcp.bind(("127.0.0.1", 0))
tcp.listen()
print(json.dumps([path, tcp.getsockname()[1]]), flush=True)
sys.stdin.read()
"""


class FakeQemu:
    """
    @ivar pty: the path of its terminal.
    @ivar socket: the path of its unix socket.
    @ivar port: its TCP port.
    @ivar pid: its own.
    """

    def __init__(self, uuid: str, socket: Path, user: int | None = None) -> None:
        """
        @param uuid: of the guest, as libvirt gives it on QEMU's command line.
        @param user: who it runs as.
        """
        self.socket = str(socket)
        # Not by its name in our virtual environment, where that user may not be able to look.
        python = os.path.realpath(sys.executable)
        self._process = subprocess.Popen(
            [python, "-S", "-E", "-c", _HOLD, self.socket, "-name", "x", "-uuid", uuid],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            user=user,
        )
        self.pid = self._process.pid
        assert self._process.stdout is not None
        self.pty, self.port = json.loads(self._process.stdout.readline())

    def end(self) -> None:
        self._process.kill()
        self._process.communicate()
