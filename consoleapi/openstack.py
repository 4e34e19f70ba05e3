"""
C{/v2.1}: as much of OpenStack's compute API as finding a guest and getting its
console takes.

    GET  /v2.1, /v2.1/                        the version; to everybody
    GET  /v2.1/servers, /servers/detail       ?name= ?status= ?host= ?limit= ?marker=
    GET  /v2.1/servers/UUID
    GET  /v2.1/limits                         how often one may ask, and what is left
    POST /v2.1/servers/UUID/...               actions.py
         /v2.1/servers/UUID/consoles...       openconsoles.py

C{/v1.1} is the same under the name it had when consoles came to OpenStack.  A
slash at the end makes no difference, and nothing is ever redirected: clients
lose their way then.  What a query asks for and is not understood is passed over.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from urllib.parse import urlencode

from consoleapi import versions
from consoleapi.addresses import Addresses
from consoleapi.authentication import IAuthentication
from consoleapi.desk import Desk
from consoleapi.directory import Guest
from consoleapi.faults import Fault
from consoleapi.gate import Gate
from consoleapi.namefilter import NameFilter
from consoleapi.ratelimits import RateLimits
from consoleapi.routes import Route, Routes, Visit
from consoleapi.servers import CONDITIONS, Servers
from consoleapi.wanted import NOTHING, Wanted
from consoleapi.web import Asked, Reply, as_fault
from consolebus.ibus import BusFailure

PREFIXES = ("/v2.1", "/v1.1")


class OpenStack:
    """
    Everything below the prefixes.

    @ivar routes: what there is.
    """

    def __init__(
        self, authentication: IAuthentication, limits: RateLimits, routes: Iterable[Route]
    ) -> None:
        self.routes = Routes(routes)
        self._gate = Gate(authentication, limits, self.routes, hides=True)

    async def answer(self, asked: Asked) -> Reply:
        version = versions.OLDEST
        try:
            version = versions.chosen(asked.headers)
            reply = await self._gate.answer(asked)
        except (Fault, BusFailure) as problem:
            reply = Reply.of_fault(as_fault(problem))
        headers = {**versions.told(version), **reply.headers}
        return Reply(reply.status, reply.body, reply.content_type, headers)


class ServerRoutes:
    """
    What only reads.

    @cvar MOST_LISTED: servers in one answer (nova's C{max_limit}, which is 1000 unless it is
        set); so many are found and written within 5 ms (docs/performance.md).
    @cvar SLICE: of them, put into words in one turn of the reactor.
    """

    MOST_LISTED = 400
    SLICE = 250

    def __init__(
        self, desk: Desk, servers: Servers, limits: RateLimits, addresses: Addresses
    ) -> None:
        self._desk = desk
        self._servers = servers
        self._limits = limits
        self._addresses = addresses

    def routes(self, prefix: str) -> list[Route]:
        return [
            Route("GET", prefix, self._version, is_public=True),
            Route("GET", f"{prefix}/servers", self._list),
            Route("GET", f"{prefix}/servers/detail", self._list),
            Route("GET", f"{prefix}/servers/{{server}}", self._show),
            Route("GET", f"{prefix}/limits", self._show_limits),
        ]

    async def _version(self, visit: Visit) -> Reply:
        return Reply.of(versions.document(self._addresses.api(visit.asked)))

    async def _show(self, visit: Visit) -> Reply:
        asked = visit.asked
        version, context = versions.chosen(asked.headers), asked.context(visit.caller.name)
        guest = await self._desk.guest(visit.caller, visit.names["server"], context)
        root = self._addresses.api(asked)
        server = self._servers.detailed([guest], root, version)
        return Reply(200, b'{"server": %b}' % server, "application/json")

    async def _show_limits(self, visit: Visit) -> Reply:
        rate = self._limits.told(visit.caller.name)
        return Reply.of({"limits": {"rate": rate, "absolute": {}}})

    async def _list(self, visit: Visit) -> Reply:
        asked = visit.asked
        version = versions.chosen(asked.headers)
        limit = _limit(asked.arg("limit"), self.MOST_LISTED)
        wanted = self._wanted(asked)
        guests, more = await self._desk.page(visit.caller, wanted, asked.arg("marker"), limit)
        root = self._addresses.api(asked)
        path = asked.path.removesuffix("/")
        is_detailed = path.endswith("/detail")
        write = self._servers.detailed if is_detailed else self._servers.brief
        pieces = []
        for begin in range(0, len(guests), self.SLICE):
            if begin:
                await self._desk.breathe()
            pieces.append(write(guests[begin : begin + self.SLICE], root, version))
        links = ""
        if guests and more:
            following = [(k, v) for k, vs in asked.args.items() for v in vs if k != "marker"]
            query = urlencode([*following, ("marker", guests[-1].uuid)])
            href = f"{root}{path.removeprefix('/')}?{query}"
            links = f', "servers_links": {json.dumps([{"rel": "next", "href": href}])}'
        listed = [piece for some in pieces for piece in (b", ", some)][1:]
        # One copy, of what may be a megabyte.
        body = b"".join((b'{"servers": [', *listed, b"]", links.encode("ascii"), b"}"))
        return Reply(200, body, "application/json")

    def _wanted(self, asked: Asked) -> Wanted:
        name, host, uuid = asked.arg("name"), asked.arg("host"), asked.arg("uuid")
        names = NameFilter(name) if name else None
        statuses = {status.upper() for status in asked.args.get("status", ()) if status}
        states = [state for state, words in CONDITIONS.items() if words.status in statuses]
        # Nothing is kept of what was deleted.
        deleted = (asked.arg("deleted") or "").lower() in ("1", "t", "true", "on", "y", "yes")
        words = [host, uuid, names.word if names else None, *(states if len(states) == 1 else ())]

        def fits(guest: Guest) -> bool:
            return (
                (names is None or names.fits(guest.name))
                and (not host or guest.host == host)
                and (not uuid or guest.uuid == uuid.lower())
                and (not statuses or self._servers.status(guest) in statuses)
            )

        if deleted or (statuses and not states):
            return NOTHING
        is_any = bool(names or host or uuid or statuses)
        return Wanted([word.lower() for word in words if word], fits if is_any else None)


def _limit(text: str | None, most: int) -> int:
    if text is None:
        return most
    if not re.fullmatch(r"[0-9]{1,9}", text):
        raise Fault(
            400,
            f"Invalid input for query parameters limit. Value: {text[:40]}. "
            "It is a whole number, 0 or more.",
        )
    # To nova, too, 0 means no limit of the client's own.
    return min(int(text), most) or most
