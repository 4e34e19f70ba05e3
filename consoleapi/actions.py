"""
What nova's clients do with a server: ask for its console, and for what it said.

    POST servers/UUID/remote-consoles  {"remote_console": {"protocol": "serial", "type": "serial"}}
    POST servers/UUID/action           {"os-getSerialConsole": {"type": "serial"}}
                                       {"os-getConsoleOutput": {"length": 5}}

The mode is as much as the policy gives: who may only look gets a console to
look at.
"""

from __future__ import annotations

from typing import Any

from consoleapi.addresses import Addresses
from consoleapi.desk import Desk
from consoleapi.faults import Fault
from consoleapi.output import as_text, last_lines
from consoleapi.routes import Route, Visit
from consoleapi.schema import (
    GET_SERIAL_CONSOLE,
    REMOTE_CONSOLE,
    check,
    console_length,
)
from consoleapi.web import Reply

MOST_OUTPUT = 512 << 10
"""Bytes; more would not fit into a message on the bus."""

_FEW_LINES = 100
_FEW_BYTES = 64 << 10


class ActionRoutes:
    """
    What opens or reads a console, in nova's words.
    """

    def __init__(self, desk: Desk, addresses: Addresses) -> None:
        self._desk = desk
        self._addresses = addresses

    def routes(self, prefix: str) -> list[Route]:
        server = f"{prefix}/servers/{{server}}"
        return [
            Route("POST", f"{server}/remote-consoles", self._remote_console),
            Route("POST", f"{server}/action", self._act),
        ]

    async def _remote_console(self, visit: Visit) -> Reply:
        body = visit.asked.json()
        check(body, REMOTE_CONSOLE)
        wanted = body["remote_console"]
        for word in (wanted["protocol"], wanted["type"]):
            if word != "serial":
                raise Fault(400, f"Unavailable console type {word}. Only serial ones are served.")
        url = await self._open(visit)
        return Reply.of({"remote_console": {"protocol": "serial", "type": "serial", "url": url}})

    async def _act(self, visit: Visit) -> Reply:
        body = visit.asked.json()
        if len(body) != 1:
            raise Fault(400, "An action is an object with one property, the action's name.")
        action = next(iter(body))
        if action == "os-getSerialConsole":
            check(body, GET_SERIAL_CONSOLE)
            url = await self._open(visit)
            return Reply.of({"console": {"type": "serial", "url": url}})
        if action == "os-getConsoleOutput":
            return await self._output(visit, console_length(body[action]))
        raise Fault(400, f"There is no such action: {action[:100]}")

    async def _open(self, visit: Visit) -> str:
        asked, caller = visit.asked, visit.caller
        context = asked.context(caller.name)
        guest = await self._desk.guest(caller, visit.names["server"], context)
        opened = await self._desk.open(caller, guest, None, None, context)
        return self._addresses.console(asked, opened.token)

    async def _output(self, visit: Visit, lines: int | None) -> Reply:
        caller = visit.caller
        context = visit.asked.context(caller.name)
        guest = await self._desk.guest(caller, visit.names["server"], context)
        few = lines is not None and lines <= _FEW_LINES
        most = _FEW_BYTES if few else MOST_OUTPUT
        output = as_text(await self._desk.output(caller, guest, None, most, context))
        answer: dict[str, Any] = {"output": output if lines is None else last_lines(output, lines)}
        return Reply.of(answer)
