"""
A real foundry: what its children are, and what becomes of them when it dies.
"""

from __future__ import annotations

import os
import shutil
import signal
from pathlib import Path
from typing import Any
from unittest import skipIf

from twisted.internet.defer import Deferred, gatherResults
from twisted.internet.task import deferLater
from twisted.trial.unittest import TestCase

from computeagent.children import Forked
from computeagent.workshop import Workshop
from tests.computeagent.test_ports import free_ports
from tests.computeagent.workshopcontract import GRANT, WorkshopContract


@skipIf(shutil.which("socat") is None, "socat is not installed")
class FoundryTests(WorkshopContract, TestCase):
    """
    Ajaxterms that are forked.
    """

    timeout = 30.0

    def setUp(self) -> None:
        from twisted.internet import reactor

        self.reactor: Any = reactor
        user = "nobody" if os.geteuid() == 0 else ""
        self.workshop = Workshop(reactor, "127.0.0.1", free_ports(5), 300.0, user)
        self.addCleanup(self.workshop.close)

    def wait(self, deferred: Any) -> Any:  # type: ignore[override]
        return deferred

    @property
    def foundry(self) -> int:
        assert self.workshop._foundry is not None and self.workshop._foundry._child is not None
        return self.workshop._foundry._child.pid

    async def test_children_are_forked(self) -> None:
        """
        Each is a child of the foundry, in a session of its own, with our rights gone and
        nothing open that is the foundry's.
        """
        terminal = await self.start()
        await terminal.orders.give("grant", **GRANT)  # it is up now

        self.assertIsInstance(terminal.child, Forked)
        status = Path(f"/proc/{terminal.child.pid}/status").read_text()
        self.assertIn(f"PPid:\t{self.foundry}\n", status)
        self.assertEqual(os.getsid(terminal.child.pid), terminal.child.pid)
        if os.geteuid() == 0:
            self.assertIn("Uid:\t65534\t65534\t65534\t65534", status)
        others = [await self.start() for _ in range(3)]
        await gatherResults([each.orders.give("viewers") for each in others])
        held = [len(os.listdir(f"/proc/{each.child.pid}/fd")) for each in (terminal, *others)]
        self.assertEqual(held, held[:1] * 4)

    async def test_foundry_killed(self) -> None:
        """
        Its terminals go on, and their end is still noticed; the next console
        brings another foundry.
        """
        first = await self.start()
        old = self.foundry
        os.kill(old, signal.SIGKILL)
        second = await self.start_another()

        self.assertNotEqual(self.foundry, old)
        await first.orders.give("grant", **GRANT)
        await second.orders.give("grant", **GRANT)
        os.kill(first.child.pid, signal.SIGKILL)
        self.assertIn("not known how", await first.child.when_ended())

    async def start_another(self) -> Any:
        while self.workshop._foundry is not None and self.workshop._foundry._talk is not None:
            await deferLater(self.reactor, 0.01)
        return await self.start()

    async def test_closed_while_it_loads(self) -> None:
        """
        A foundry that does not see that it is needed no more is ended.
        """
        self.workshop.open()
        assert self.workshop._foundry is not None
        self.workshop._foundry.LEAVING = 0.1
        pid = self.foundry
        os.kill(pid, signal.SIGSTOP)  # as slow as can be
        closing = self.workshop._foundry.close()
        await deferLater(self.reactor, 0.3)
        os.kill(pid, signal.SIGCONT)
        await closing

        self.assertFalse(Path(f"/proc/{pid}").exists())

    async def test_how_it_ended(self) -> None:
        """
        The foundry reaps them and says how; a hundred times nothing is left.
        """
        terminal = await self.start()
        os.kill(terminal.child.pid, signal.SIGKILL)
        self.assertEqual(await terminal.child.when_ended(), "signal 9")
        before = len(os.listdir("/proc/self/fd"))
        for _ in range(5):
            terminals = [await self.start() for _ in range(4)]
            await gatherResults([each.orders.give("viewers") for each in terminals])
            for each in terminals:
                each.orders.leave()
                each.child.end()
            ends: list[Deferred[str]] = [each.child.when_ended() for each in terminals]
            hows = await gatherResults(ends)
            self.assertEqual(hows, ["status 0"] * 4)
        await deferLater(self.reactor, 0)

        children = Path(f"/proc/{self.foundry}/task/{self.foundry}/children").read_text()
        self.assertEqual(children, "")
        # The guests' ptys of the test stay until its end.
        self.assertLessEqual(len(os.listdir("/proc/self/fd")), before + 20 * 2 + 20)

    async def test_stuck_foundry(self) -> None:
        """
        A foundry that does not answer is not waited for: the terminal is spawned.
        """
        await self.start()
        assert self.workshop._foundry is not None and self.workshop._foundry._talk is not None
        self.workshop._foundry._talk.PATIENCE = 0.1
        os.kill(self.foundry, signal.SIGSTOP)
        self.addCleanup(os.kill, self.foundry, signal.SIGCONT)
        terminal = await self.start()

        self.assertNotIsInstance(terminal.child, Forked)
        await terminal.orders.give("grant", **GRANT)

    async def test_foundry_that_stays_stuck(self) -> None:
        """
        One that does not answer twice is ended, and the next terminal comes from another.
        """
        before = await self.start()
        assert self.workshop._foundry is not None and self.workshop._foundry._talk is not None
        stuck, self.workshop._foundry._talk.PATIENCE = self.workshop._foundry._child, 0.1
        assert stuck is not None
        os.kill(stuck.pid, signal.SIGSTOP)
        spawned = [await self.start() for _ in range(2)]
        after = await self.start()

        self.assertIsInstance(after.child, Forked)
        self.assertNotEqual(self.foundry, stuck.pid)
        self.assertIn("signal", await stuck.when_ended())
        await before.orders.give("grant", **GRANT)
        for each in (before, *spawned):
            os.kill(each.child.pid, signal.SIGKILL)
            await each.child.when_ended()
