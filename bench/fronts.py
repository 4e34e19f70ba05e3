"""
The proxies that L{bench.proxy} compares, each in front of L{bench.echoes}, each as
C{nobody} if we are root, with what its distribution sets for the number of its threads.

    python -m bench.fronts PORT TLS-PORT CERTIFICATE KEY BACKEND-PORT TERMINAL-PORT COUNT

is our own, with C{COUNT} grants for the backend, and the one after these for a real terminal
(L{bench.terminal}); L{path} and L{cookie} are what a client needs for one.
"""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from bench.processes import cost, family

NGINX = """
worker_processes auto; daemon off; pid {folder}/nginx.pid; error_log {folder}/nginx.log;
worker_rlimit_nofile 16384;
events {{ worker_connections 8000; }}
http {{
  access_log off;
  client_body_temp_path {folder}/a; proxy_temp_path {folder}/b; fastcgi_temp_path {folder}/c;
  uwsgi_temp_path {folder}/d; scgi_temp_path {folder}/e;
  map $http_upgrade $connection_upgrade {{ default upgrade; '' ''; }}
  upstream backend {{ server 127.0.0.1:{backend}; keepalive 64; }}
  upstream terminal {{ server 127.0.0.1:{terminal}; keepalive 64; }}
  server {{
    listen 127.0.0.1:{port} backlog=4096; listen 127.0.0.1:{tls} ssl backlog=4096;
    ssl_certificate {folder}/certificate.pem; ssl_certificate_key {folder}/key.pem;
    location / {{
      proxy_pass http://backend; proxy_http_version 1.1; proxy_read_timeout 600;
      proxy_set_header Upgrade $http_upgrade; proxy_set_header Connection $connection_upgrade;
    }}
    location {console} {{
      proxy_pass http://terminal/; proxy_http_version 1.1; proxy_set_header Connection "";
      proxy_set_header Authorization "Bearer {secret}";
    }}
  }}
}}
"""

HAPROXY = """
global
  maxconn 5000
defaults
  mode http
  timeout connect 5s
  timeout client 600s
  timeout server 600s
  timeout tunnel 600s
listen here
  bind 127.0.0.1:{port} backlog 4096
  bind 127.0.0.1:{tls} backlog 4096 ssl crt {folder}/both.pem
  use_backend terminal if {{ path {console} }}
  default_backend backend
backend backend
  server backend 127.0.0.1:{backend}
backend terminal
  http-request set-path /
  http-request set-header Authorization "Bearer {secret}"
  server terminal 127.0.0.1:{terminal}
"""

USER = "nobody"

SECRET = "s" * 43
"""What backends want to see."""


def grant(index: int) -> str:
    return f"g{index:016x}"


def token(index: int) -> str:
    return f"t{index}".ljust(43, "x")


def path(index: int) -> str:
    """What is asked for to have the WebSocket of one console."""
    return f"/?token={token(index)}"


def page(index: int) -> str:
    """The path of a console's page."""
    return f"/console/{grant(index)}/"


def cookie(index: int) -> str:
    """@return: as a browser has it after the exchange."""
    from consoleproxy.cookies import Cookies

    return Cookies(b"k" * 32, "/").make(grant(index), secure=False).partition(";")[0]


class Front:
    """
    @ivar name: C{direct}, C{nginx}, C{haproxy} or C{ours}.
    @ivar resting: bytes of memory that it had before anybody came; what it keeps of earlier
        connections is no rest.
    """

    def __init__(
        self, name: str, folder: Path, ports: Sequence[int], backends: Sequence[int], count: int
    ) -> None:
        """
        @param folder: has C{certificate.pem}, C{key.pem} and C{both.pem}.
        @param ports: for plain and for TLS.
        @param backends: the ports of a backend and a terminal.
        @param count: of consoles.
        """
        self.name = name
        self.port, self.tls = ports
        self.resting = 0
        backend, terminal = backends
        self._process: subprocess.Popen[bytes] | None = None
        if name == "direct":
            self.port = self.tls = backend
            return
        words = {"folder": folder, "port": self.port, "tls": self.tls, "backend": backend}
        words |= {"terminal": terminal, "console": page(count), "secret": SECRET}
        if name == "nginx":
            (folder / "nginx.conf").write_text(NGINX.format(**words))
            argv = ["nginx", "-c", f"{folder}/nginx.conf", "-e", f"{folder}/nginx.log"]
        elif name == "haproxy":
            (folder / "haproxy.cfg").write_text(HAPROXY.format(**words))
            argv = ["haproxy", "-db", "-f", f"{folder}/haproxy.cfg"]
        else:
            argv = [sys.executable, "-m", "bench.fronts", str(self.port), str(self.tls)]
            argv += [
                f"{folder}/certificate.pem",
                f"{folder}/key.pem",
                *map(str, (*backends, count)),
            ]
        if os.geteuid() == 0:
            argv = ["setpriv", f"--reuid={USER}", f"--regid={USER_GROUP}", "--clear-groups", *argv]
        log = (folder / f"{name}.out").open("wb")
        self._process = subprocess.Popen(argv, stdout=log, stderr=log, stdin=subprocess.DEVNULL)
        log.close()
        for _ in range(200):
            time.sleep(0.05)
            with socket.socket() as trial:
                if not trial.connect_ex(("127.0.0.1", self.port)):
                    time.sleep(0.5)
                    self.resting = cost(family(self.roots)).pss
                    return
            if self._process.poll() is not None:
                break
        raise SystemExit(f"{name} does not start: {(folder / f'{name}.out').read_text()[-2000:]}")

    @property
    def roots(self) -> list[int]:
        return [] if self._process is None else [self._process.pid]

    def stop(self) -> None:
        if self._process is not None:
            self._process.terminate()
            self._process.wait(10)


USER_GROUP = "nogroup"


def main(
    port: str, tls: str, certificate: str, key: str, backend: str, terminal: str, count: str
) -> None:
    from twisted.internet import reactor
    from twisted.python.log import startLogging

    from consolebus.memory import MemoryBroker, MemoryBus
    from consoleproxy.composing import make_proxy
    from consoleproxy.tap import ProxyOptions
    from groundwork.listening import listening
    from groundwork.monotonic import MonotonicClock
    from groundwork.settled import settle_when_running
    from groundwork.site import BoundedSite

    startLogging(sys.stderr)
    clock = MonotonicClock(reactor)
    broker = MemoryBroker(clock)
    options = ProxyOptions()
    cookie_key = Path(certificate).parent / "cookie.key"
    options.parseOptions(["--cookie-key", str(cookie_key)])
    proxy, resource = make_proxy(reactor, options, MemoryBus(broker, clock))
    proxy.startService()
    for index in range(int(count) + 1):
        proxy.authorize_console(
            None,  # type: ignore[arg-type]
            grant=grant(index),
            console=f"c{index}",
            digest=digest_of(token(index)),
            host="127.0.0.1",
            port=int(backend if index < int(count) else terminal),
            secret=SECRET,
            mode="rw",
            user="bench",
            expires_in=1e6,
        )
    site = BoundedSite(resource, reactor)
    for endpoint in (
        f"tcp:{port}:interface=127.0.0.1:backlog=4096",
        f"ssl:{tls}:interface=127.0.0.1:backlog=4096:certKey={certificate}:privateKey={key}",
    ):
        listening(endpoint, site).startService()
    settle_when_running(reactor)
    reactor.run()  # type: ignore[attr-defined]


def digest_of(text: str) -> str:
    from hashlib import sha256

    return sha256(text.encode("ascii")).hexdigest()


if __name__ == "__main__":
    main(*sys.argv[1:])
