"""
A throwaway RabbitMQ for tests: one node, on 127.0.0.1 only, with ports, name
and folders of its own, beside whatever else runs on the machine.

It blocks; from a trial test, start it with C{deferToThread}.  A start takes 7
to 17 seconds (measured on two cores), so tests that do no harm to the broker
use L{shared_rabbit}.
"""

from __future__ import annotations

import atexit
import functools
import json
import os
import secrets
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

_SERVER = Path("/usr/lib/rabbitmq/bin/rabbitmq-server")
"""
The one in C{/usr/sbin} is Debian's wrapper, which changes to another user and
to folders of the system's.
"""

MISSING = None if _SERVER.exists() and shutil.which("epmd") else "rabbitmq-server is not installed"
"""For a test's C{skip}."""

_PROTOCOL_HEADER = b"AMQP\x00\x00\x09\x01"


class Rabbit:
    """
    Also a context manager, that starts and stops.

    @ivar port: where it speaks AMQP; the same over every restart.
    @ivar tls_port: and where over TLS, if it does.
    @ivar log: the broker's log.
    """

    def __init__(
        self,
        patience: float = 120.0,
        password: str = "guest",
        definitions: Mapping[str, Any] | None = None,
        tls: Mapping[str, str] | None = None,
    ) -> None:
        """
        @param definitions: users, vhosts and permissions as RabbitMQ exports them, in place of
            C{guest} alone.
        @param tls: paths, C{cacertfile}, C{certfile} and C{keyfile}: it speaks TLS as well,
            with those who show a certificate of that authority.
        @param patience: seconds that a start may take.
        @param password: of the user C{guest}; letters and digits.
        """
        self._patience = patience
        self._password = password
        self._folder = Path(tempfile.mkdtemp(prefix="rabbit-"))
        self._definitions = definitions
        self._tls = tls
        self.port, self.tls_port, self._dist_port, self._epmd_port = _free_ports(4)
        self._name = f"rabbit-{os.getpid()}-{self.port}@localhost"
        self._cookie = secrets.token_hex(16)
        self._server: subprocess.Popen[bytes] | None = None
        self._epmd: subprocess.Popen[bytes] | None = None
        self.log = self._folder / "log" / f"{self._name}.log"

    @property
    def url(self) -> str:
        return f"amqp://guest:{self._password}@127.0.0.1:{self.port}/"

    @property
    def pid(self) -> int:
        assert self._server is not None
        return self._server.pid

    def __enter__(self) -> Rabbit:
        self.start()
        return self

    def __exit__(self, *exc: object) -> None:
        self.stop()

    def start(self) -> None:
        """
        Start, also again after L{kill}; returns when the broker speaks AMQP.
        """
        atexit.register(self.stop)
        try:
            self._start_epmd()
            self._start_server()
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        """
        End it, and remove its folder.  May be called in any state.
        """
        self.kill()
        if self._epmd is not None:
            self._epmd.kill()
            self._epmd.wait()
            self._epmd = None
        shutil.rmtree(self._folder, ignore_errors=True)
        atexit.unregister(self.stop)

    def kill(self) -> None:
        """
        C{kill -9}.
        """
        if self._server is not None:
            self._server.kill()
            self._server.wait()
            self._server = None

    def pause(self) -> None:
        """
        Hang, with the connections open.
        """
        os.kill(self.pid, signal.SIGSTOP)
        # On a busy machine its threads may go on for a moment.
        tasks = Path(f"/proc/{self.pid}/task")
        while any(") T " not in (task / "stat").read_text() for task in tasks.iterdir()):
            time.sleep(0.01)

    def resume(self) -> None:
        os.kill(self.pid, signal.SIGCONT)

    def _start_epmd(self) -> None:
        """
        RabbitMQ would start one by itself, which would then stay.
        """
        if self._epmd is None:
            self._epmd = subprocess.Popen(
                ["epmd", "-address", "127.0.0.1", "-port", str(self._epmd_port)],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
            )
            self._wait_for(self._epmd, lambda: _is_listening(self._epmd_port))

    def _start_server(self) -> None:
        assert self._server is None
        for name in ("home", "log", "mnesia", "plugins"):
            (self._folder / name).mkdir(parents=True, exist_ok=True)
        # Erlang terms load faster than the newer format of RabbitMQ's own.
        settings = ["{log, [{console, [{enabled, false}]}]}"]
        settings.append(f'{{default_pass, <<"{self._password}">>}}')
        if self._definitions is not None:
            path = self._folder / "definitions.json"
            path.write_text(json.dumps(self._definitions))
            settings.append(f'{{load_definitions, "{path}"}}')
        if self._tls is not None:
            files = ", ".join(f'{{{name}, "{path}"}}' for name, path in self._tls.items())
            settings.append(f'{{ssl_listeners, [{{"127.0.0.1", {self.tls_port}}}]}}')
            peers = "{verify, verify_peer}, {fail_if_no_peer_cert, true}"
            settings.append(f"{{ssl_options, [{files}, {peers}]}}")
        (self._folder / "advanced.config").write_text(f"[{{rabbit, [{', '.join(settings)}]}}].\n")
        (self._folder / "enabled_plugins").write_text("[].\n")
        (self._folder / "rabbitmq-env.conf").write_text("")
        (self._folder / "inetrc").write_text(
            '{lookup, [file]}.\n{host, {127,0,0,1}, ["localhost"]}.\n'
        )
        with (self._folder / "output").open("wb") as output:
            self._server = subprocess.Popen(
                [str(_SERVER)],
                env=self._environment(),
                cwd=self._folder,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
            )
        self._wait_for(self._server, lambda: _speaks_amqp(self.port))

    def _environment(self) -> dict[str, str]:
        folder = str(self._folder)
        return {
            "PATH": os.environ.get("PATH", os.defpath),
            "LANG": "C.UTF-8",
            "HOME": f"{folder}/home",
            # The script then becomes the server, whose pid we so know.
            "detached": "1",
            "ERL_EPMD_ADDRESS": "127.0.0.1",
            "ERL_EPMD_PORT": str(self._epmd_port),
            "ERL_INETRC": f"{folder}/inetrc",
            "RABBITMQ_NODENAME": self._name,
            "RABBITMQ_NODE_IP_ADDRESS": "127.0.0.1",
            "RABBITMQ_NODE_PORT": str(self.port),
            "RABBITMQ_DIST_PORT": str(self._dist_port),
            "RABBITMQ_MNESIA_BASE": f"{folder}/mnesia",
            "RABBITMQ_LOG_BASE": f"{folder}/log",
            "RABBITMQ_PID_FILE": f"{folder}/pid",
            "RABBITMQ_PLUGINS_EXPAND_DIR": f"{folder}/plugins",
            "RABBITMQ_ENABLED_PLUGINS_FILE": f"{folder}/enabled_plugins",
            "RABBITMQ_CONFIG_FILE": f"{folder}/none.conf",
            "RABBITMQ_ADVANCED_CONFIG_FILE": f"{folder}/advanced.config",
            "RABBITMQ_CONF_ENV_FILE": f"{folder}/rabbitmq-env.conf",
            "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": (
                f"+S 1:1 -kernel inet_dist_use_interface {{127,0,0,1}} -setcookie {self._cookie}"
            ),
        }

    def _wait_for(self, process: subprocess.Popen[bytes], ready: Callable[[], bool]) -> None:
        patience = time.monotonic() + self._patience
        while not ready():
            if process.poll() is not None:
                raise RuntimeError(f"{process.args!r} ended: {self._output()}")
            if time.monotonic() > patience:
                raise RuntimeError(f"{process.args!r} does not get ready: {self._output()}")
            time.sleep(0.05)

    def _output(self) -> str:
        try:
            return (self._folder / "output").read_text(errors="replace")[-2000:]
        except OSError:
            return "no output"


@functools.cache
def shared_rabbit() -> Rabbit:
    """
    One for all the tests of this process that leave it as they found it;
    started at the first call, stopped at the process's end.
    """
    rabbit = Rabbit()
    rabbit.start()
    return rabbit


def _free_ports(count: int) -> list[int]:
    """
    Ports that nobody has now; all are held until all are found.
    """
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [each.getsockname()[1] for each in sockets]
    for each in sockets:
        each.close()
    return ports


def _is_listening(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
    except OSError:
        return False
    return True


def _speaks_amqp(port: int) -> bool:
    """
    Whether the broker answers our greeting with a method, its own.
    """
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=5) as connection:
            connection.sendall(_PROTOCOL_HEADER)
            return connection.recv(1) == b"\x01"
    except OSError:
        return False
