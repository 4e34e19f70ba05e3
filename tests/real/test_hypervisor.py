"""
libvirt itself, on the driver that it brings along for tests: its guests are none, but all else
is real.
"""

from __future__ import annotations

import os
import sys
import threading
from pathlib import Path
from typing import Any
from unittest import skipIf

from twisted.internet.defer import Deferred
from twisted.internet.task import deferLater
from twisted.internet.utils import getProcessOutputAndValue
from twisted.trial.unittest import TestCase

from computeagent.hypervisor import HypervisorAway
from tests.computeagent.hypervisorcontract import HypervisorContract

try:
    import libvirt

    from computeagent.libvirthost import LibvirtHost
except ImportError:
    libvirt = None

URI = "test:///default"

ROOT = Path(__file__).resolve().parent.parent.parent

XML = """
<domain type='test'>
  <name>{name}</name><uuid>{uuid}</uuid><memory>1024</memory>
  <os><type>hvm</type></os>
  <devices><console type='pty'/></devices>
</domain>"""


HANGING = """
import signal
import threading

from twisted.internet import reactor

from computeagent.libvirthost import LibvirtHost

signal.alarm(20)
host = LibvirtHost(reactor, "test:///default")
hanging = threading.Event()


def came():
    host._ask(lambda connection: hanging.wait()).addErrback(lambda _: None)
    reactor.callLater(0.1, stop)


def stop():
    host.stop().addCallback(lambda _: (print("stopped", flush=True), reactor.stop()))


host.watch(lambda *words: None, came)
reactor.callWhenRunning(host.start)
reactor.run()
"""


@skipIf(libvirt is None, "libvirt-python is not installed")
class LibvirtContractTests(HypervisorContract, TestCase):
    """
    libvirt keeps the contract.
    """

    timeout = 25.0

    def connect(self) -> Any:
        from twisted.internet import reactor

        self._other: Any = None
        return LibvirtHost(reactor, URI)

    @property
    def other(self) -> Any:
        """
        Another connection, as virsh has one.
        """
        if self._other is None:
            self._other = libvirt.open(URI)
            self.addCleanup(self._other.close)
        return self._other

    def define(self, uuid: str, name: str) -> None:  # type: ignore[override]
        self.other.defineXML(XML.format(uuid=uuid, name=name))

    def begin(self, uuid: str) -> None:  # type: ignore[override]
        self.other.lookupByUUIDString(uuid).create()

    def end(self, uuid: str) -> None:  # type: ignore[override]
        self.other.lookupByUUIDString(uuid).destroy()

    def undefine(self, uuid: str) -> None:  # type: ignore[override]
        self.other.lookupByUUIDString(uuid).undefine()


@skipIf(libvirt is None, "libvirt-python is not installed")
class LibvirtTests(TestCase):
    """
    What only libvirt does: it blocks, and it goes away.
    """

    timeout = 25.0

    def host(self, uri: str = URI) -> Any:
        """
        @return: one that is stopped after the test.
        """
        from twisted.internet import reactor

        host = LibvirtHost(reactor, uri)
        self.addCleanup(host.stop)
        return host

    async def connected(self) -> Any:
        host = self.host()
        host.start()
        while host.away:
            await self.turn()
        return host

    async def turn(self) -> None:
        """
        Let a moment pass, in which threads do their work.
        """
        from twisted.internet import reactor

        await deferLater(reactor, 0.01, lambda: None)  # type: ignore[arg-type]

    async def test_not_connected_yet(self) -> None:
        """
        Before it is connected it says so at once.
        """
        host = self.host()

        with self.assertRaises(HypervisorAway) as why:
            await host.domains()

        self.assertEqual(str(why.exception), "libvirt is not connected yet")

    async def test_cannot_connect(self) -> None:
        """
        Where there is no libvirt, its own words say why; it is tried again and again.
        """
        host = self.host("test:///nonexistent.xml")
        tries: list[None] = []
        open_once = host._open

        def opening() -> Any:
            tries.append(None)
            return open_once()

        host._open = opening
        host.start()
        while len(tries) < 2 or "yet" in host.away:
            await self.turn()

        self.assertTrue(host.away.startswith("libvirt is away: "), host.away)

    async def test_call_that_hangs(self) -> None:
        """
        A call that libvirt does not come back from ends by its deadline, and stopping does not
        wait for it either.
        """
        host = await self.connected()
        host.DEADLINE = 0.1
        hanging = threading.Event()
        self.addCleanup(hanging.set)

        with self.assertRaises(HypervisorAway) as why:
            await host._ask(lambda connection: hanging.wait())

        self.assertEqual(str(why.exception), "libvirt did not answer within 0.1 s")
        self.assertEqual(host._waiting, 1)
        await host.domains()

    async def test_too_many_hang(self) -> None:
        """
        When too many hang, the next one is refused at once.
        """
        host = await self.connected()
        host.DEADLINE, host.MOST_WAITING = 0.1, 2
        hanging = threading.Event()
        self.addCleanup(hanging.set)
        for _ in range(2):
            with self.assertRaises(HypervisorAway):
                await host._ask(lambda connection: hanging.wait())

        with self.assertRaises(HypervisorAway) as why:
            await host.domains()

        self.assertIn("too many requests are waiting", str(why.exception))

    async def test_connection_lost(self) -> None:
        """
        A connection that is lost is told, and comes back by itself.
        """
        host = await self.connected()
        presences: list[str] = []
        back: Deferred[None] = Deferred()

        def presence() -> None:
            presences.append(host.away)
            if not host.away:
                back.callback(None)

        host.watch(lambda *words: None, presence)
        lost = host._connection
        host._lost(lost)
        with self.assertRaises(HypervisorAway):
            await host.domains()
        await back

        self.assertEqual(presences, ["libvirt is away: its connection was lost", ""])
        self.assertIsNot(host._connection, lost)
        self.assertTrue(await host.domains())

    async def test_connection_lost_as_it_is_opened(self) -> None:
        """
        A libvirt that goes away again at once is not believed to be there: the loss can be
        told before the connection is.
        """
        from twisted.internet import reactor

        host, opened = self.host(), []
        open_once = host._open

        def opening() -> Any:
            opened.append(open_once())
            if len(opened) == 1:
                reactor.callFromThread(host._lost, opened[0])  # type: ignore[attr-defined]
            return opened[-1]

        host._open = opening
        host.start()
        while len(opened) < 2 or host.away:
            await self.turn()

        self.assertIs(host._connection, opened[1])

    async def test_lost_connections_are_closed(self) -> None:
        """
        A libvirt that comes and goes costs us no connection each time.
        """
        host = await self.connected()
        closed: list[Any] = []
        host._close = closed.append
        lost = host._connection

        host._lost(lost)
        while host.away:
            await self.turn()

        self.assertEqual(closed, [lost])

    async def test_hanging_call_does_not_keep_the_daemon(self) -> None:
        """
        A process whose libvirt hangs ends all the same when it is told.
        """
        from twisted.internet import reactor

        ended = await getProcessOutputAndValue(
            sys.executable, ["-c", HANGING], env=os.environ, path=str(ROOT), reactor=reactor
        )

        self.assertEqual(ended, (b"stopped\n", b"", 0))

    async def test_watcher_fails(self) -> None:
        """
        A mistake of a watcher is logged, and the others are told.
        """
        host, told = self.host(), Deferred[None]()
        host.watch(lambda *words: 1 / 0, lambda: 1 / 0)
        host.watch(lambda *words: None, lambda: told.callback(None))

        host.start()
        await told
        host._happened("u", "started")

        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 2)
