"""
The whole house without libvirt, for the benchmarks: an agent with its fork server and a
proxy in one process, as in C{ajaxconsole up}, over guests that are ptys.  What it is told:
L{bench.house}.
"""

from __future__ import annotations

import gc
import json
import os
import shutil
import sys
import tempfile
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from twisted.internet.defer import Deferred, succeed
from twisted.internet.error import ReactorNotRunning
from twisted.internet.protocol import Factory, Protocol, connectionDone
from twisted.internet.stdio import StandardIO
from twisted.logger import Logger
from twisted.protocols.basic import LineOnlyReceiver
from twisted.python.failure import Failure
from twisted.python.log import startLogging

from computeagent.agent import Agent
from computeagent.domainxml import SerialDevice
from computeagent.guestlog import Before
from computeagent.memoryhost import MemoryHost
from computeagent.minting import digest_of
from computeagent.ports import PortRange
from computeagent.rooms import Rooms
from computeagent.workshop import Workshop
from consolebus.memory import MemoryBroker, MemoryBus
from consoleproxy.composing import make_proxy
from consoleproxy.tap import ProxyOptions
from groundwork.monotonic import MonotonicClock
from groundwork.site import BoundedSite

HOST = "bench"
FOR_EVER = 1e6
LIFETIME = 120.0
"""Seconds that a grant lives unused."""

GUEST = (
    "<domain><name>guest{index}</name><uuid>{uuid}</uuid><devices>"
    "<serial type='pty'><source path='{pty}'/><alias name='serial0'/></serial>"
    "</devices></domain>"
)


def uuid_of(index: int) -> str:
    return f"{index:08x}-0000-4000-8000-000000000000"


class House:
    """
    @ivar resource: the proxy's.
    """

    def __init__(self, reactor: Any) -> None:
        self._reactor = reactor
        clock = MonotonicClock(reactor)
        broker = MemoryBroker(clock)
        self._bus, agents, proxies = (MemoryBus(broker, clock) for _ in range(3))
        self._hypervisor = MemoryHost()
        user = "nobody" if os.geteuid() == 0 else ""
        self._workshop = Workshop(
            reactor, "127.0.0.1", PortRange(32000, 32700), FOR_EVER, child_user=user
        )
        self._folder = tempfile.mkdtemp(prefix="bench-house-")
        rooms = Rooms(Path(self._folder) / "run")
        rooms.prepare()
        self._agent = Agent(
            reactor=reactor,
            hypervisor=self._hypervisor,
            bus=agents,
            workshop=self._workshop,
            rooms=rooms,
            opener=_open,
            search=lambda *_: succeed({}),
            remember=lambda *_: succeed(Before(b"", True)),
            host=HOST,
            address="127.0.0.1",
            token_ttl=LIFETIME,
            idle_timeout=FOR_EVER,
        )
        options = ProxyOptions()
        options.parseOptions([])
        self._proxy, self.resource = make_proxy(reactor, options, proxies)
        self._agents = agents

    def start(self) -> None:
        self._workshop.open()
        self._agent.start()
        self._agents.start()
        self._proxy.startService()
        self._bus.start()

    async def stop(self) -> None:
        await self._agent.stop()
        await self._workshop.close()
        shutil.rmtree(self._folder)

    async def obey(self, words: Mapping[str, Any]) -> dict[str, Any]:
        order = getattr(self, "do_" + words["do"])
        return dict(await order(**{k: v for k, v in words.items() if k != "do"}))

    async def do_guest(self, index: int, pty: str) -> Mapping[str, Any]:
        uuid = uuid_of(index)
        self._hypervisor.add(uuid, f"guest{index}", GUEST.format(index=index, uuid=uuid, pty=pty))
        return {}

    async def do_open(self, index: int, mode: str) -> Mapping[str, Any]:
        wanted = {"domain": uuid_of(index), "device": None, "mode": mode, "user": "ann"}
        granted = dict(await self._call("get_console", wanted))
        token = granted.pop("token")
        del granted["mode"], granted["device"]
        said = {**granted, "digest": digest_of(token), "user": "ann", "mode": mode}
        self._bus.fanout("consoleproxy", "authorize_console", said)
        return {"console": granted["console"], "grant": granted["grant"], "token": token}

    async def do_revoke(self, grant: str) -> Mapping[str, Any]:
        return await self._call("revoke_grant", {"grant": grant})

    async def do_close(self, console: str) -> Mapping[str, Any]:
        return await self._call("close_console", {"console": console})

    async def do_socat(self, console: str) -> Mapping[str, Any]:
        socat = self._agent._consoles.named(console).line.socat
        return {"pid": socat.pid if socat is not None else None}

    async def do_state(self) -> Mapping[str, Any]:
        gc.collect()
        return {
            "delayed calls": len(self._reactor.getDelayedCalls()),
            "readers": len(self._reactor.getReaders()),
            "grants": len(self._proxy._grants),
            "consoles": len(list(self._agent._consoles)),
            "objects": len(gc.get_objects()),
        }

    async def _call(self, method: str, args: Mapping[str, Any]) -> Mapping[str, Any]:
        answer: Mapping[str, Any] = await self._bus.call(
            f"compute.{HOST}", method, args, timeout=20.0
        )
        return answer


def _open(device: SerialDevice, uuid: str) -> Deferred[int]:
    # A pty of the benchmark's is no QEMU's, so there is nothing to verify.
    return succeed(os.open(device.path, os.O_RDWR | os.O_NOCTTY))


class Door(LineOnlyReceiver):
    """
    Takes orders.
    """

    delimiter = b"\n"
    _log = Logger()

    def __init__(self, house: House) -> None:
        self._house = house

    def lineReceived(self, line: bytes) -> None:
        words = json.loads(line)
        obeying = Deferred.fromCoroutine(self._house.obey(words))
        obeying.addErrback(lambda f: {"failed": f"{f.type.__name__}: {f.value}"})
        obeying.addCallback(lambda said: self.sendLine(json.dumps(said).encode()))
        obeying.addErrback(lambda f: self._log.failure("while answering", f))


class _Owner(Protocol):
    """
    Whoever has started the house: when it is gone, so are we.
    """

    def __init__(self, gone: Callable[[], None]) -> None:
        self._gone = gone

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        with suppress(ReactorNotRunning):  # or else we have been told already
            self._gone()


def keep_house(port: int, door: str) -> None:
    """
    Run, until it is stopped.

    @param door: path of the socket that takes orders.
    """
    from twisted.internet import reactor

    startLogging(sys.stderr)
    house = House(reactor)
    house.start()
    reactor.listenTCP(port, BoundedSite(house.resource, reactor), interface="127.0.0.1")
    reactor.listenUNIX(door, Factory.forProtocol(lambda: Door(house)))
    StandardIO(_Owner(reactor.stop))
    reactor.addSystemEventTrigger(
        "before", "shutdown", lambda: Deferred.fromCoroutine(house.stop())
    )
    reactor.run()
