"""
The whole stack without libvirt, for the benchmarks: a proxy and what an agent
does for a console, in one process as in C{ajaxconsole up}.

    python bench/stack.py PORT CONSOLES.json SOCKET fork|direct

The proxy listens on PORT.  CONSOLES.json lists C{{"index", "pts", "port", "token"}};
who writes an index and a newline to SOCKET has that console opened: terminal,
socat, grant.  Its token in a URL is the listed one, filled up to 43 characters by C{x}.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
from pathlib import Path
from secrets import token_hex, token_urlsafe
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.protocol import Factory
from twisted.protocols.basic import LineOnlyReceiver
from twisted.python.log import err, startLogging

from computeagent.minting import digest_of
from computeagent.ports import PortRange
from computeagent.rooms import Rooms
from computeagent.workshop import Workshop
from consolebus.memory import MemoryBroker, MemoryBus
from consoleproxy.composing import make_proxy
from consoleproxy.tap import ProxyOptions
from groundwork.monotonic import MonotonicClock
from groundwork.site import BoundedSite

LIFETIME = 1e6


class Opener:
    """
    What an agent does, less libvirt.
    """

    def __init__(self, reactor: Any, consoles: Path, bus: MemoryBus, how: str) -> None:
        self._reactor = reactor
        self._bus = bus
        self._consoles = {each["index"]: each for each in json.loads(consoles.read_text())}
        self._rooms = Rooms(Path(tempfile.mkdtemp(prefix="bench-stack-")) / "run")
        self._rooms.prepare()
        self._ports = PortRange(0, 0)
        self._workshop = Workshop(reactor, "127.0.0.1", self._ports, LIFETIME, forks=how == "fork")
        self._workshop.open()
        self._kept: list[object] = []

    async def open(self, index: int) -> None:
        console = self._consoles[index]
        self._workshop._ports = PortRange(console["port"], console["port"])
        room = self._rooms.make(token_hex(6))
        device = os.open(console["pts"], os.O_RDWR | os.O_NOCTTY)
        terminal = await self._workshop.start_terminal(room, f"bench {index}", lambda _: None)
        self._kept += [terminal, self._workshop.join(room, f"bench {index}", device)]
        grant, secret = f"g{token_hex(8)}", token_urlsafe(32)
        words = {"grant": grant, "mode": "rw", "user": "bench"}
        await terminal.orders.give("grant", digest=digest_of(secret), lifetime=LIFETIME, **words)
        token = console["token"].ljust(43, "x")
        self._bus.fanout(
            "consoleproxy",
            "authorize_console",
            {
                **words,
                "console": f"c{index}",
                "digest": digest_of(token),
                "host": terminal.host,
                "port": terminal.port,
                "secret": secret,
                "expires_in": LIFETIME,
            },
        )


class Door(LineOnlyReceiver):
    """
    Takes the numbers of consoles.
    """

    delimiter = b"\n"

    def __init__(self, opener: Opener) -> None:
        self._opener = opener

    def lineReceived(self, line: bytes) -> None:
        Deferred.fromCoroutine(self._opener.open(int(line))).addErrback(err)


def main(port: str, consoles: str, door: str, how: str) -> None:
    from twisted.internet import reactor

    startLogging(sys.stderr)
    clock = MonotonicClock(reactor)
    broker = MemoryBroker(clock)
    options = ProxyOptions()
    options.parseOptions([])
    proxy, resource = make_proxy(reactor, options, MemoryBus(broker, clock))
    bus = MemoryBus(broker, clock)
    opener = Opener(reactor, Path(consoles), bus, how)
    proxy.startService()
    bus.start()
    reactor.listenTCP(int(port), BoundedSite(resource, reactor), interface="127.0.0.1")
    reactor.listenUNIX(door, Factory.forProtocol(lambda: Door(opener)))
    reactor.run()


if __name__ == "__main__":
    main(*sys.argv[1:])
