"""
A proxy as a process of its own, whose agents are the test.

    python -m tests.real.proxied [OPTIONS]      prints the port that it listens on

Each line of its standard input is a grant: the words of C{authorize_console}, in JSON.
"""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from typing import Any

from twisted.internet.stdio import StandardIO
from twisted.protocols.basic import LineOnlyReceiver
from twisted.trial.unittest import SynchronousTestCase

from consolebus.memory import MemoryBroker, MemoryBus
from consoleproxy.composing import make_proxy
from consoleproxy.tap import ProxyOptions
from groundwork.monotonic import MonotonicClock
from groundwork.site import BoundedSite
from tests.consoleproxy.stage import NAME, SECRET, TOKEN, some_grant
from tests.real.guestterminal import GuestFixture
from tests.real.processes import PATIENCE, ROOT


class ProxyProcess:
    """
    @ivar port: where it listens.
    """

    def __init__(self, case: SynchronousTestCase, *options: str) -> None:
        self._case = case
        self._popen = subprocess.Popen(
            [sys.executable, "-m", "tests.real.proxied", *options],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        case.addCleanup(self._end)
        assert self._popen.stdout is not None
        said = self._popen.stdout.readline()
        assert said, "the proxy does not start"
        self.port = int(said)

    def authorize(self, name: str, token: str, secret: str, port: int) -> None:
        """
        Let C{token} open the ajaxterm at C{port}.
        """
        grant = some_grant(name, token, "127.0.0.1", port, secret)
        words = {each: getattr(grant, each) for each in ("console", "digest", "secret", "user")}
        words |= {"host": grant.host, "port": port, "mode": "rw", "expires_in": 600.0}
        assert self._popen.stdin is not None
        self._popen.stdin.write(json.dumps({"grant": name, **words}) + "\n")
        self._popen.stdin.flush()

    def _end(self) -> None:
        self._popen.terminate()
        _, log = self._popen.communicate(timeout=PATIENCE)
        self._case.assertNotIn("Traceback", log)


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
        self.addCleanup(lambda: self.assertNotIn("Traceback", self.process.log()))
        self.cat = Cat(self.join("tty.sock"))
        self.cat.start()
        proxy = ProxyProcess(self)
        proxy.authorize(NAME, TOKEN, SECRET, backend)
        self.proxy = proxy.port


class _Agent(LineOnlyReceiver):
    delimiter = b"\n"

    def __init__(self, bus: MemoryBus) -> None:
        self._bus = bus

    def lineReceived(self, line: bytes) -> None:
        self._bus.fanout("consoleproxy", "authorize_console", json.loads(line))


def main(words: list[str]) -> None:
    from twisted.internet import reactor
    from twisted.python.log import startLogging

    startLogging(sys.stderr)
    clock = MonotonicClock(reactor)
    broker = MemoryBroker(clock)
    options = ProxyOptions()
    options.parseOptions(words)
    service, resource = make_proxy(reactor, options, MemoryBus(broker, clock))
    service.startService()
    agent = MemoryBus(broker, clock)
    agent.start()

    def begin() -> None:
        StandardIO(_Agent(agent), stdout=2, reactor=reactor)
        site = BoundedSite(resource, reactor, outside=options["outside"])
        port = reactor.listenTCP(0, site, interface="127.0.0.1")
        sys.__stdout__.write(f"{port.getHost().port}\n")
        sys.__stdout__.flush()

    agent.when_connected(begin)
    reactor.addSystemEventTrigger("before", "shutdown", service.stopService)
    reactor.run()


if __name__ == "__main__":
    main(sys.argv[1:])
