"""
Whom the benchmarks compare: each serves guests' ptys to clients in its own way.

    raw          socat, from TCP to the pty: the floor
    ttyd         one ttyd for each console
    ttyd+nginx   nginx before those, which finds the port by the token
    websockify   one websockify, and a socat for each console: the way of nova-serialproxy
    ours         the whole house (L{bench.household}): proxy, ajaxterm, socat

Programs are looked for in PATH; C{TTYD} and C{WEBSOCKIFY} in the environment name them
elsewhere.
"""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from bench.houses import HouseProcess
from bench.wire import PAGE, TTYD, Refused, Tcp, WebSocket

PATIENCE = 20.0


class NotInstalled(Exception):
    """That peer can't take part; the sentence says why."""


def program(name: str) -> str:
    wanted = os.environ.get(name.upper()) or name
    found = shutil.which(wanted, path=os.environ.get("PATH", "") + ":/usr/sbin:/sbin")
    if found is None:
        raise NotInstalled(f"{name} is not installed; bench/README.md says how to get it")
    return found


_next_port = 21000 + os.getpid() % 5000


def free_port() -> int:
    global _next_port
    while True:
        _next_port += 1
        with socket.socket() as tried:
            tried.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                tried.bind(("127.0.0.1", _next_port))
                return _next_port
            except OSError:
                continue


class Peer:
    """
    @ivar ptys: of the guests.
    @ivar ports: one for each console.
    """

    def __init__(self, folder: Path, ptys: Sequence[str]) -> None:
        self.folder = folder
        self.ptys = ptys
        self.ports = [free_port() for _ in ptys]
        self._processes: list[subprocess.Popen[bytes]] = []
        self._log = (folder / "log").open("wb")

    def start(self) -> None:
        """Start what serves all consoles."""

    def open(self, index: int) -> None:
        """Start what serves one; it need not be ready when this is done."""

    def connect(self, index: int) -> Tcp:
        """@raise Refused: it is not there, or not yet."""
        raise NotImplementedError

    def connect_as_page(self, index: int) -> Tcp:
        """By what the peer's own page speaks, if that is something else."""
        return self.connect(index)

    def roots(self) -> list[int]:
        """@return: the processes that were started."""
        return [process.pid for process in self._processes]

    def stop(self) -> None:
        for process in self._processes:
            process.terminate()
        for process in self._processes:
            try:
                process.wait(5)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        self._log.close()

    def until_connected(self, index: int, as_page: bool = False) -> Tcp:
        deadline = time.monotonic() + PATIENCE
        while True:
            try:
                return self.connect_as_page(index) if as_page else self.connect(index)
            except Refused:
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.001)

    def _spawn(self, *argv: object) -> None:
        self._processes.append(
            subprocess.Popen(
                [str(word) for word in argv],
                stdin=subprocess.DEVNULL,
                stdout=self._log,
                stderr=self._log,
            )
        )


class Raw(Peer):
    def open(self, index: int) -> None:
        listen = f"TCP-LISTEN:{self.ports[index]},bind=127.0.0.1,reuseaddr"
        self._spawn(program("socat"), listen, f"{self.ptys[index]},raw,echo=0")

    def connect(self, index: int) -> Tcp:
        return Tcp(self.ports[index])


class Ttyd(Peer):
    def open(self, index: int) -> None:
        # Its command gets a pty of its own, which must be raw too: or else that echoes,
        # waits for ends of lines, and adds carriage returns.
        command = ["socat", "-,raw,echo=0", f"{self.ptys[index]},raw,echo=0"]
        self._spawn(program("ttyd"), "-W", "-d3", "-i", "lo", "-p", self.ports[index], *command)

    def connect(self, index: int) -> Tcp:
        return WebSocket(self.ports[index], "/ws", "tty", TTYD)


NGINX = """
daemon off; worker_processes auto; pid {folder}/pid; error_log {folder}/error.log;
events {{ worker_connections 4096; }}
http {{
  access_log off; client_body_temp_path {folder}/b; proxy_temp_path {folder}/p;
  fastcgi_temp_path {folder}/f; uwsgi_temp_path {folder}/u; scgi_temp_path {folder}/s;
  map_hash_bucket_size 128; map_hash_max_size 4096;
  map $arg_token $console {{ default ""; {map} }}
  server {{
    listen 127.0.0.1:{port};
    location / {{
      if ($console = "") {{ return 403; }}
      proxy_pass http://$console;
      proxy_http_version 1.1;
      proxy_set_header Host $http_host;
      proxy_set_header Upgrade $http_upgrade;
      proxy_set_header Connection upgrade;
      proxy_read_timeout 300s;
    }}
  }}
}}
"""


class TtydBehindNginx(Ttyd):
    def start(self) -> None:
        self._port = free_port()
        tokens = (f"T{index} 127.0.0.1:{port};" for index, port in enumerate(self.ports))
        configuration = self.folder / "nginx.conf"
        configuration.write_text(
            NGINX.format(folder=self.folder, port=self._port, map=" ".join(tokens))
        )
        self._spawn(program("nginx"), "-c", configuration, "-p", self.folder)

    def connect(self, index: int) -> Tcp:
        return WebSocket(self._port, f"/ws?token=T{index}", "tty", TTYD)


class Websockify(Peer):
    def start(self) -> None:
        self._port = free_port()
        tokens = self.folder / "tokens"
        lines = (f"T{index}: 127.0.0.1:{port}\n" for index, port in enumerate(self.ports))
        tokens.write_text("".join(lines))
        listen = f"127.0.0.1:{self._port}"
        source = ("--token-plugin", "TokenFile", "--token-source", tokens)
        self._spawn(program("websockify"), *source, listen)

    def open(self, index: int) -> None:
        listen = f"TCP-LISTEN:{self.ports[index]},bind=127.0.0.1,reuseaddr,fork"
        self._spawn(program("socat"), listen, f"{self.ptys[index]},raw,echo=0")

    def connect(self, index: int) -> Tcp:
        return WebSocket(self._port, f"/?token=T{index}", "binary")


class Ours(Peer):
    def start(self) -> None:
        self._tokens: dict[int, str] = {}
        self._house = HouseProcess(self.folder, free_port())
        for index, pty in enumerate(self.ptys):
            self._house.ask(do="guest", index=index, pty=pty)

    def open(self, index: int) -> None:
        self._tokens[index] = self._house.ask(do="open", index=index, mode="rw")["token"]

    def connect(self, index: int) -> Tcp:
        # What the guest has said before is asked for, as the others' ptys have kept it.
        path = f"/?token={self._tokens[index]}&replay=65536"
        return WebSocket(self._house.port, path, "binary")

    def connect_as_page(self, index: int) -> Tcp:
        path = f"/?token={self._tokens[index]}"
        return WebSocket(self._house.port, path, "ajaxterm.v1", PAGE)

    def roots(self) -> list[int]:
        return [self._house.process.pid]

    def stop(self) -> None:
        self._house.end()
        super().stop()


PEERS: Mapping[str, Callable[[Path, Sequence[str]], Peer]] = {
    "raw": Raw,
    "ttyd": Ttyd,
    "ttyd+nginx": TtydBehindNginx,
    "websockify": Websockify,
    "ours": Ours,
}
