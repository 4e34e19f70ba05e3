"""
Real children: ajaxterms and socats, and what stays of them.
"""

from __future__ import annotations

import os
import shutil
import tty
from base64 import b64decode
from typing import Any
from unittest import skipIf

from twisted.internet.defer import Deferred
from twisted.internet.task import deferLater
from twisted.trial.unittest import TestCase

from computeagent.workshop import Workshop
from tests.computeagent.test_ports import free_ports
from tests.computeagent.workshopcontract import WorkshopContract


@skipIf(shutil.which("socat") is None, "socat is not installed")
class WorkshopTests(WorkshopContract, TestCase):
    """
    Real children keep the contract, forked by a foundry.
    """

    timeout = 30.0
    forks = True

    def setUp(self) -> None:
        from twisted.internet import reactor

        user = "nobody" if os.geteuid() == 0 else ""
        self.reactor: Any = reactor
        self.workshop = Workshop(reactor, "127.0.0.1", free_ports(5), 300.0, user, forks=self.forks)
        self.workshop.open()
        self.addCleanup(self.workshop.close)

    def wait(self, deferred: Any) -> Any:  # type: ignore[override]
        return deferred

    def files(self, pid: int) -> set[str]:
        """
        @return: the files that a process holds open.
        """
        folder = f"/proc/{pid}/fd"
        held = {os.readlink(f"{folder}/{name}") for name in os.listdir(folder)}
        return {name for name in held if name.startswith("/")} - {"/dev/null"}

    async def output(self, terminal: Any, wanted: int) -> Any:
        """
        @return: what the terminal has in its scrollback, once it is so much.
        """
        while True:
            answer = await terminal.orders.give("viewers")
            if answer["end"] >= wanted:
                return await terminal.orders.give("output", most=32768)
            await deferLater(self.reactor, 0.02, lambda: None)

    async def test_bytes_pass(self) -> None:
        """
        What the guest says reaches the terminal byte for byte, also over the death of a
        socat.
        """
        terminal = await self.start()
        said = bytes(range(256)) * 4
        tty.setraw(self.device)

        for begin in (0, 512):
            socat = self.workshop.join(self.room, "web1 serial0", self.device)
            os.write(self.guest, said[begin : begin + 512])
            await self.output(terminal, begin + 512)
            ended: Deferred[str] = socat.when_ended()
            os.kill(socat.pid, 9)
            assert await ended == "signal 9"
        answer = await self.output(terminal, len(said))

        self.assertEqual(b64decode(answer["output"]), said)

    async def test_children_hold_little(self) -> None:
        """
        They run as somebody else, in sessions of their own, and hold no file of
        the agent's but the guest's line, and the pipe to its log.
        """
        terminal = await self.start()
        await terminal.orders.give("viewers")
        socat = self.workshop.join(self.room, "web1 serial0", self.device)
        await deferLater(self.reactor, 0.3, lambda: None)

        try:
            device = os.ttyname(self.device)
            log = str(self.room.log)
            for child, files in ((terminal.child, {log}), (socat, {device})):
                self.assertEqual(os.getsid(child.pid), child.pid)
                self.assertEqual(self.files(child.pid), files)
                if os.geteuid() == 0:
                    self.assertNotEqual(os.stat(f"/proc/{child.pid}").st_uid, 0)
        finally:
            socat.end()
            await socat.when_ended()


class SpawningWorkshopTests(WorkshopTests):
    """
    So do those that are interpreters of their own.
    """

    forks = False
