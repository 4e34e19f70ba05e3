"""
The proxies that L{bench.proxy} compares, each in front of L{bench.echoes}, each as
C{nobody} if we are root, with what its distribution sets for the number of its threads.

    python -m bench.fronts PORT TLS-PORT CERTIFICATE KEY BACKEND-PORT COUNT

is our own, with C{COUNT} grants; L{path} and L{cookie} are what a client needs for one.
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
  server {{
    listen 127.0.0.1:{port} backlog=4096; listen 127.0.0.1:{tls} ssl backlog=4096;
    ssl_certificate {folder}/certificate.pem; ssl_certificate_key {folder}/key.pem;
    location / {{
      proxy_pass http://backend; proxy_http_version 1.1; proxy_read_timeout 600;
      proxy_set_header Upgrade $http_upgrade; proxy_set_header Connection $connection_upgrade;
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
  server backend 127.0.0.1:{backend}
"""

USER = "nobody"


def grant(index: int) -> str:
    return f"g{index:016x}"


def token(index: int) -> str:
    return f"t{index}".ljust(43, "x")


def path(index: int) -> str:
    """What is asked for to have the WebSocket of one console."""
    return f"/?token={token(index)}"


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

    def __init__(self, name: str, folder: Path, ports: Sequence[int], backend: int, count: int):
        """
        @param folder: has C{certificate.pem}, C{key.pem} and C{both.pem}.
        @param ports: for plain and for TLS.
        @param count: of consoles.
        """
        self.name = name
        self.port, self.tls = ports
        self.resting = 0
        self._process: subprocess.Popen[bytes] | None = None
        if name == "direct":
            self.port = self.tls = backend
            return
        words = {"folder": folder, "port": self.port, "tls": self.tls, "backend": backend}
        if name == "nginx":
            (folder / "nginx.conf").write_text(NGINX.format(**words))
            argv = ["nginx", "-c", f"{folder}/nginx.conf", "-e", f"{folder}/nginx.log"]
        elif name == "haproxy":
            (folder / "haproxy.cfg").write_text(HAPROXY.format(**words))
            argv = ["haproxy", "-db", "-f", f"{folder}/haproxy.cfg"]
        else:
            argv = [sys.executable, "-m", "bench.fronts", str(self.port), str(self.tls)]
            argv += [f"{folder}/certificate.pem", f"{folder}/key.pem", str(backend), str(count)]
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


def main(port: str, tls: str, certificate: str, key: str, backend: str, count: str) -> None:
    from twisted.internet import reactor
    from twisted.python.log import startLogging

    from consolebus.memory import MemoryBroker, MemoryBus
    from consoleproxy.composing import make_proxy
    from consoleproxy.tap import ProxyOptions
    from groundwork.listening import listening
    from groundwork.monotonic import MonotonicClock
    from groundwork.site import BoundedSite

    startLogging(sys.stderr)
    clock = MonotonicClock(reactor)
    broker = MemoryBroker(clock)
    options = ProxyOptions()
    cookie_key = Path(certificate).parent / "cookie.key"
    options.parseOptions(["--cookie-key", str(cookie_key)])
    proxy, resource = make_proxy(reactor, options, MemoryBus(broker, clock))
    proxy.startService()
    for index in range(int(count)):
        proxy.authorize_console(
            None,  # type: ignore[arg-type]
            grant=grant(index),
            console=f"c{index}",
            digest=digest_of(token(index)),
            host="127.0.0.1",
            port=int(backend),
            secret="s" * 43,
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
    reactor.run()  # type: ignore[attr-defined]


def digest_of(text: str) -> str:
    from hashlib import sha256

    return sha256(text.encode("ascii")).hexdigest()


if __name__ == "__main__":
    main(*sys.argv[1:])
