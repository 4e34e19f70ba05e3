"""
A proxy as a process of its own, that knows one grant: who shows it the token comes to the
ajaxterm whose agent and guest are the test.

    python -m tests.real.proxied BACKEND      prints the port that it listens on
"""

from __future__ import annotations

import subprocess
import sys
import threading
from typing import Any

from consolebus.memory import MemoryBroker, MemoryBus
from consoleproxy.tap import ProxyOptions, make_proxy
from groundwork.monotonic import MonotonicClock
from groundwork.site import BoundedSite
from tests.consoleproxy.stage import NAME, SECRET, TOKEN, some_grant
from tests.real.guestterminal import GuestFixture
from tests.real.processes import ROOT


class Cat(threading.Thread):
    """
    A guest that says what it hears.

    @ivar heard: all of it.
    """

    def __init__(self, socat: Any) -> None:
        super().__init__(daemon=True)
        self._socat = socat
        self.heard = bytearray()

    def run(self) -> None:
        self._socat.settimeout(None)
        while heard := self._socat.recv(65536):
            self.heard += heard
            self._socat.sendall(heard)


class ProxiedFixture(GuestFixture):
    """
    An ajaxterm on a guest like C{cat}, behind a proxy.

    @ivar proxy: the port of the proxy.
    @ivar cat: the guest.
    @ivar target: path and query that attach to it.
    """

    target = f"/?token={TOKEN}"

    def setUp(self) -> None:
        super().setUp()
        backend = self.port
        self.process = self.start()
        self.grant(self.join("control.sock"), SECRET)
        self.cat = Cat(self.join("tty.sock"))
        self.cat.start()
        self._proxy = subprocess.Popen(
            [sys.executable, "-m", "tests.real.proxied", str(backend)],
            cwd=ROOT,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        self.addCleanup(self._end)
        assert self._proxy.stdout is not None
        said = self._proxy.stdout.readline()
        assert said, "the proxy does not start"
        self.proxy = int(said)

    def _end(self) -> None:
        self._proxy.terminate()
        _, log = self._proxy.communicate(timeout=20)
        self.assertNotIn("Traceback", log)
        self.assertNotIn("Traceback", self.process.log())


def main(backend: str) -> None:
    from twisted.internet import reactor
    from twisted.python.log import startLogging

    startLogging(sys.stderr)
    clock = MonotonicClock(reactor)
    broker = MemoryBroker(clock)
    options = ProxyOptions()
    options.parseOptions([])
    service, resource = make_proxy(reactor, options, MemoryBus(broker, clock))
    service.startService()
    agent = MemoryBus(broker, clock)
    agent.start()
    grant = some_grant(host="127.0.0.1", port=int(backend))
    words = {name: getattr(grant, name) for name in ("console", "digest", "secret", "user")}
    words |= {"grant": NAME, "host": grant.host, "port": grant.port, "mode": "rw"}

    def begin() -> None:
        agent.fanout("consoleproxy", "authorize_console", {**words, "expires_in": 600.0})
        site = BoundedSite(resource, reactor)
        port = reactor.listenTCP(0, site, interface="127.0.0.1")
        sys.__stdout__.write(f"{port.getHost().port}\n")
        sys.__stdout__.flush()

    agent.when_connected(begin)
    reactor.addSystemEventTrigger("before", "shutdown", service.stopService)
    reactor.run()


if __name__ == "__main__":
    main(*sys.argv[1:])
