"""
The consoles that are open on a server, and the seed's own way to ask for one.

    POST   servers/UUID/ajax_console     {} -> {"console": {"type": "ajax", "url"}}
    GET    servers/UUID/consoles         -> {"consoles": [{"id", "device", "state", "viewers"}]}
    POST   servers/UUID/consoles         {"console": {"device": "serial0", "mode": "ro"}}, all of it
                                         optional -> {"console": {"id", "device", "mode", "url"}}
    GET    servers/UUID/consoles/ID
    DELETE servers/UUID/consoles/ID      ends it, for everybody on it
    GET    servers/UUID/output           ?device= the scrollback, byte for byte

A console that is just ending is not listed or shown any more.
No listing has what opens a console (GHSA-3g72-chj4-2228): a URL is told once,
to who asked for it.
"""

from __future__ import annotations

from typing import Any

from consoleapi.actions import MOST_OUTPUT
from consoleapi.addresses import Addresses
from consoleapi.consoles import Console
from consoleapi.desk import Desk
from consoleapi.directory import Guest
from consoleapi.faults import Fault
from consoleapi.policy import MODES
from consoleapi.routes import Route, Visit
from consoleapi.web import Reply


class OpenConsoleRoutes:
    """
    @cvar MOST_TOLD: consoles in one answer; a guest has as many as serial devices.
    """

    MOST_TOLD = 64

    def __init__(self, desk: Desk, addresses: Addresses) -> None:
        self._desk = desk
        self._addresses = addresses

    def routes(self, prefix: str) -> list[Route]:
        server = f"{prefix}/servers/{{server}}"
        return [
            Route("POST", f"{server}/ajax_console", self._ajax_console),
            Route("GET", f"{server}/consoles", self._list),
            Route("POST", f"{server}/consoles", self._create),
            Route("GET", f"{server}/consoles/{{console}}", self._show),
            Route("DELETE", f"{server}/consoles/{{console}}", self._delete),
            Route("GET", f"{server}/output", self._output),
        ]

    async def _guest(self, visit: Visit) -> Guest:
        context = visit.asked.context(visit.caller.name)
        return await self._desk.guest(visit.caller, visit.names["server"], context)

    async def _ajax_console(self, visit: Visit) -> Reply:
        asked, caller = visit.asked, visit.caller
        if asked.json():
            raise Fault(400, "This takes an empty JSON object: {}.")
        context = asked.context(caller.name)
        opened = await self._desk.open(caller, await self._guest(visit), None, None, context)
        url = self._addresses.page(asked, opened.token)
        return Reply.of({"console": {"type": "ajax", "url": url}})

    async def _list(self, visit: Visit) -> Reply:
        guest = await self._guest(visit)
        consoles = await self._desk.open_consoles(guest, visit.asked.context(visit.caller.name))
        listed = [await self._told(visit, guest, one) for one in consoles[: self.MOST_TOLD]]
        return Reply.of({"consoles": [one for one in listed if one is not None]})

    async def _show(self, visit: Visit) -> Reply:
        guest, context = await self._guest(visit), visit.asked.context(visit.caller.name)
        console = await self._desk.open_console(guest, visit.names["console"], context)
        told = await self._told(visit, guest, console)
        if told is None:
            raise Fault(404, f"Console {console.name} could not be found.")
        return Reply.of({"console": told})

    async def _create(self, visit: Visit) -> Reply:
        asked, caller = visit.asked, visit.caller
        device, mode = _wanted(asked.json())
        guest, context = await self._guest(visit), asked.context(caller.name)
        opened = await self._desk.open(caller, guest, device, mode, context)
        return Reply.of(
            {
                "console": {
                    "id": opened.console,
                    "device": opened.device,
                    "mode": opened.mode,
                    "url": self._addresses.page(asked, opened.token),
                    "expires_in": opened.lifetime,
                }
            }
        )

    async def _delete(self, visit: Visit) -> Reply:
        guest, context = await self._guest(visit), visit.asked.context(visit.caller.name)
        await self._desk.close(visit.caller, guest, visit.names["console"], context)
        return Reply(202, b"", "application/json")

    async def _output(self, visit: Visit) -> Reply:
        guest, context = await self._guest(visit), visit.asked.context(visit.caller.name)
        device = visit.asked.arg("device")
        output = await self._desk.output(visit.caller, guest, device, MOST_OUTPUT, context)
        return Reply(200, output, "application/octet-stream")

    async def _told(self, visit: Visit, guest: Guest, console: Console) -> dict[str, Any] | None:
        context = visit.asked.context(visit.caller.name)
        viewers = await self._desk.viewers(guest, console, context)
        if viewers is None:
            return None
        return {
            "id": console.name,
            "device": console.device,
            "state": console.state,
            "viewers": viewers,
        }


def _wanted(body: dict[str, Any]) -> tuple[str | None, str | None]:
    wanted = body.get("console", {})
    if set(body) - {"console"} or not isinstance(wanted, dict):
        raise Fault(400, 'A console is asked for by {"console": {...}}.')
    device, mode = wanted.get("device"), wanted.get("mode")
    if set(wanted) - {"device", "mode"} or mode not in (*MODES, None):
        raise Fault(400, "A console is asked for by device and mode (rw or ro).")
    if not (device is None or (isinstance(device, str) and 0 < len(device) <= 64)):
        raise Fault(400, "A device is named by its alias.")
    return device, mode
