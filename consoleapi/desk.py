"""
What one may do with guests and their consoles: the one place where it is done,
whichever API or page it is asked through.

Here, and nowhere else, the policy is asked; and what comes of it is written
into the audit log.  A guest that the caller may not see is not there.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from typing import NoReturn

from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import deferLater

from consoleapi.accounts import Accounts
from consoleapi.audit import Audit
from consoleapi.callers import Caller
from consoleapi.consoles import Console, Consoles, Opened
from consoleapi.directory import Directory, Guest, key_of, parse_uuid
from consoleapi.faults import Fault
from consoleapi.hearing import Hearing
from consoleapi.order import Block, Key
from consoleapi.policy import ADMIN, READ_WRITE
from consoleapi.wanted import Wanted
from consolebus.ibus import BusFailure, Context


@dataclass(frozen=True, slots=True)
class Overview:
    """
    @ivar total: how many guests somebody sees.
    @ivar fitting: how many of them are wanted.
    @ivar told: of these, the first, and what may be done with them.
    """

    total: int
    fitting: int
    told: Sequence[tuple[Guest, str | None]]


class Desk:
    """
    @cvar LOOKS: at guests in one turn of the reactor, of those that cost next to
        nothing: is there a word in what is written of them?
    @cvar CLOSELY: how many of them one look at a guest itself takes.
    """

    LOOKS = 15_000
    CLOSELY = 12

    def __init__(
        self,
        clock: IReactorTime,
        accounts: Accounts,
        hearing: Hearing,
        directory: Directory,
        consoles: Consoles,
        audit: Audit,
    ) -> None:
        self._clock = clock
        self._accounts = accounts
        self._hearing = hearing
        self._directory = directory
        self._consoles = consoles
        self._audit = audit

    # Finding.

    async def _blocks(
        self, caller: Caller, wanted: Wanted, after: Key | None = None
    ) -> AsyncIterator[tuple[int, Block[Guest], Sequence[int]]]:
        """
        A block at a time, by name: how many guests C{caller} sees there, and the
        positions of those that are wanted.
        """
        standing = self._accounts.standing(caller.name)
        blocks, first = self._directory.after(after)
        while blocks:
            cost = 0
            for block in blocks:
                after = key_of(block.items[-1]) if block.items else after
                if standing.role == ADMIN:
                    seen: Sequence[int] = range(len(block.items))
                else:
                    cost += 0 if block.is_known_to(standing) else self.CLOSELY * len(block.items)
                    seen = block.seen(standing, lambda guest: standing.mode(guest) is not None)
                if first:
                    seen, first = seen[bisect_left(seen, first) :], 0
                having = wanted.with_words(block, seen)
                yield len(seen), block, wanted.that_fit(block, having)
                cost += self.CLOSELY + len(seen) * len(wanted.words)
                cost += 0 if wanted.fits is None else self.CLOSELY * len(having)
                if cost > self.LOOKS:
                    break
            else:
                return
            await self.breathe()
            blocks, first = self._directory.after(after)

    async def page(
        self, caller: Caller, wanted: Wanted, marker: str | None, most: int
    ) -> tuple[list[Guest], bool]:
        """
        @param marker: the UUID of the guest after which to begin.
        @return: up to C{most} guests, and whether there are more.
        @raise Fault: 400, the marker is nobody's.
        """
        after = self._after(caller, marker)

        async def look() -> list[Guest]:
            found: list[Guest] = []
            async for _, block, positions in self._blocks(caller, wanted, after):
                found += (block.items[at] for at in positions[: most + 1 - len(found)])
                if len(found) > most:
                    break
            return found

        found = await (look() if marker else self._hearing.find(look))
        return found[:most], len(found) > most

    def _after(self, caller: Caller, marker: str | None) -> Key | None:
        if not marker:
            return None
        uuid = parse_uuid(marker)
        guest = self._directory.find(uuid) if uuid is not None else None
        if guest is None or self.mode(caller, guest) is None:
            raise Fault(400, f"marker [{marker[:100]}] not found")
        return key_of(guest)

    async def overview(
        self, caller: Caller, wanted: Wanted, marker: str | None, most: int
    ) -> Overview:
        """
        @param marker: as of L{page}; what is before is not counted.
        @param most: how many of the guests that are wanted are told.
        @raise Fault: as L{page}.
        """
        after = self._after(caller, marker)
        standing = self._accounts.standing(caller.name)

        async def look() -> Overview | None:
            total, fitting = 0, 0
            told: list[tuple[Guest, str | None]] = []
            async for seen, block, positions in self._blocks(caller, wanted, after):
                total += seen
                fitting += len(positions)
                guests = [block.items[at] for at in positions[: most - len(told)]]
                told += ((guest, standing.mode(guest)) for guest in guests)
            return Overview(total, fitting, told) if total else None

        return await self._hearing.find(look) or Overview(0, 0, [])

    async def guest(self, caller: Caller, name: str, context: Context) -> Guest:
        """
        @param name: a UUID; what is none is nobody's.
        @raise Fault: 404.
        """
        uuid = parse_uuid(name)
        guest = await self._sought(caller, uuid)
        if guest is None:
            hidden = self._directory.find(uuid) if uuid is not None else None
            if hidden is not None:
                why = "The policy does not show this guest to that user."
                self._write("guest", caller, hidden, context, "refused", why=why)
            raise Fault(404, f"Instance {name[:100]} could not be found.")
        return guest

    def mode(self, caller: Caller, guest: Guest) -> str | None:
        return self._accounts.mode(caller.name, guest)

    def is_admin(self, caller: Caller) -> bool:
        return self._accounts.standing(caller.name).role == ADMIN

    async def _sought(self, caller: Caller, uuid: str | None) -> Guest | None:
        async def look() -> Guest | None:
            guest = self._directory.find(uuid) if uuid is not None else None
            return guest if guest is not None and self.mode(caller, guest) else None

        return None if uuid is None else await self._hearing.find(look)

    async def breathe(self) -> None:
        """
        Let others have their turn of the reactor.
        """
        await deferLater(self._clock, 0.0)

    # Doing.

    async def open(
        self, caller: Caller, guest: Guest, device: str | None, mode: str | None, context: Context
    ) -> Opened:
        """
        @param mode: C{None} for as much as the caller may.
        @raise Fault: 403, not in that mode.
        @raise BusFailure: it can't be opened.
        """
        allowed = self.mode(caller, guest)
        if allowed is None or (mode == READ_WRITE and allowed != READ_WRITE):
            self._refuse("console", caller, guest, context)
        mode = mode or allowed
        try:
            opened = await self._consoles.open(guest, device, mode, context)
        except BusFailure as failure:
            self._write("console", caller, guest, context, "failed", why=failure.message, mode=mode)
            raise
        self._write(
            "console", caller, guest, context, "granted",
            mode=mode, grant=opened.grant, console=opened.console, device=opened.device,
        )  # fmt: skip
        return opened

    async def output(
        self, caller: Caller, guest: Guest, device: str | None, most: int, context: Context
    ) -> bytes:
        if self.mode(caller, guest) is None:
            self._refuse("output", caller, guest, context)
        output = await self._consoles.output(guest, device, most, context)
        self._write("output", caller, guest, context, "granted", bytes=len(output))
        return output

    async def open_consoles(self, guest: Guest, context: Context) -> list[Console]:
        return await self._consoles.listed(guest, context)

    async def open_console(self, guest: Guest, name: str, context: Context) -> Console:
        """
        @raise Fault: 404, that guest has no such console.
        """
        for console in await self._consoles.listed(guest, context):
            if console.name == name:
                return console
        raise Fault(404, f"Console {name[:100]} could not be found.")

    async def viewers(
        self, guest: Guest, console: Console, context: Context
    ) -> list[dict[str, str]] | None:
        """
        @return: C{None}, it has ended, or is just ending.
        """
        return await self._consoles.viewers(guest, console, context)

    async def close(self, caller: Caller, guest: Guest, name: str, context: Context) -> None:
        """
        One that is just ending may be closed too; its end is waited for.

        @raise Fault: 403, who may only look ends nothing; 404.
        """
        if self.mode(caller, guest) != READ_WRITE:
            self._refuse("close", caller, guest, context)
        console = await self.open_console(guest, name, context)
        await self._consoles.close(guest, console.name, context)
        self._write("close", caller, guest, context, "granted", console=name)

    # Telling.

    def _refuse(self, event: str, caller: Caller, guest: Guest, context: Context) -> NoReturn:
        why = "You may look at this guest's console, and no more."
        self._write(event, caller, guest, context, "refused", why=why)
        raise Fault(403, why)

    def _write(
        self,
        event: str,
        caller: Caller,
        guest: Guest,
        context: Context,
        outcome: str,
        **words: object,
    ) -> None:
        self._audit.write(
            event,
            outcome=outcome,
            user=caller.name,
            way=caller.way,
            address=caller.address,
            guest=guest.uuid,
            name=guest.name,
            host=guest.host,
            request_id=context.request_id,
            **words,
        )
