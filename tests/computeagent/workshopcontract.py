"""
What every workshop does, whether its children are real or not.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from shutil import rmtree
from typing import Any

from computeagent.orders import OrderFailed, TerminalGone
from computeagent.rooms import Rooms

GRANT = {"grant": "g1", "digest": "0" * 64, "mode": "rw", "user": "ann", "lifetime": 600.0}


class WorkshopContract:
    """
    Mixed into a C{TestCase}, which sets C{workshop}, and has C{wait}: it lets children work
    until a C{Deferred} has its result.
    """

    workshop: Any
    wait: Callable[[Any], Any]

    def prepare(self) -> None:
        """
        A room, and a guest's serial line.
        """
        case: Any = self
        base = Path(tempfile.mkdtemp(prefix="workshop-"))
        case.addCleanup(rmtree, base, ignore_errors=True)
        rooms = Rooms(base)
        rooms.prepare()
        case.addCleanup(rooms.release)
        self.room = rooms.make("0123456789ab")
        self.guest, self.device = os.openpty()
        case.addCleanup(os.close, self.device)
        case.addCleanup(os.close, self.guest)
        self.told: list[Mapping[str, Any]] = []

    async def start(self) -> Any:
        """
        A terminal, which ends with the test.
        """
        self.prepare()
        terminal = await self.wait(
            self.workshop.start_terminal(self.room, "web1 serial0", self.told.append)
        )

        async def end() -> None:
            terminal.child.end()
            await self.wait(terminal.child.when_ended())

        self.addCleanup(end)  # type: ignore[attr-defined]
        return terminal

    async def test_terminal(self) -> None:
        """
        It has an address, is a process that can be found again, and obeys.
        """
        terminal = await self.start()

        assert terminal.host == "127.0.0.1"
        assert 0 < terminal.port < 65536
        assert terminal.child.pid > 0 and terminal.child.started > 0
        assert isinstance(await self.wait(terminal.orders.give("grant", **GRANT)), Mapping)

    async def test_terminal_finishes(self) -> None:
        """
        It ends when it is told, and takes no orders any more.
        """
        terminal = await self.start()
        ending = terminal.child.when_ended()

        await self.wait(terminal.orders.give("finish", reason="closed", message="Bye."))
        how = await self.wait(ending)

        assert how == "status 0", how
        try:
            await self.wait(terminal.orders.give("grant", **GRANT))
        except (TerminalGone, OrderFailed):
            return
        raise AssertionError("it obeyed")

    async def test_terminal_is_ended(self) -> None:
        """
        It can be made to end; whoever waits is told, and who asks later.
        """
        terminal = await self.start()
        waiting = [terminal.child.when_ended(), terminal.child.when_ended()]

        terminal.child.end()
        hows = [await self.wait(one) for one in waiting]

        assert hows[0] == hows[1] == await self.wait(terminal.child.when_ended())

    async def test_joined(self) -> None:
        """
        A socat joins the guest's line to it, ends when it is asked, and leaves the line open
        for the next one.
        """
        await self.start()

        for _ in range(2):
            socat = self.workshop.join(self.room, "web1 serial0", self.device)
            assert socat.pid > 0 and socat.started > 0
            socat.end()
            assert await self.wait(socat.when_ended())

        os.fstat(self.device)
