"""
C{/v2.1}: as much of OpenStack's compute API as finding a guest and getting its
console takes.

    GET  /v2.1, /v2.1/                        the version; to everybody
    GET  /v2.1/servers, /servers/detail       ?name= ?status= ?host= ?limit= ?marker=
    GET  /v2.1/servers/UUID
    POST /v2.1/servers/UUID/remote-consoles
         {"remote_console": {"protocol": "serial", "type": "serial"}}
    POST /v2.1/servers/UUID/action
         {"os-getSerialConsole": {"type": "serial"}}

A slash at the end makes no difference, and nothing is ever redirected: clients
lose their way then.  What a query asks for and is not understood is passed over.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Any
from urllib.parse import urlencode

from consoleapi import versions
from consoleapi.addresses import Addresses
from consoleapi.authentication import IAuthentication
from consoleapi.consoles import READ_WRITE, Consoles
from consoleapi.directory import Directory, Guest, parse_uuid
from consoleapi.faults import Fault
from consoleapi.hearing import Hearing
from consoleapi.namefilter import NameFilter
from consoleapi.schema import GET_SERIAL_CONSOLE, REMOTE_CONSOLE, check
from consoleapi.servers import Servers
from consoleapi.versions import Microversion
from consoleapi.web import Asked, Reply, as_fault
from consolebus.ibus import BusFailure

_ONE = re.compile(r"/servers/([^/]{1,255})(/remote-consoles|/action)?")


class OpenStack:
    """
    @cvar MOST_LISTED: servers in one answer, as in nova's.
    """

    MOST_LISTED = 1000

    def __init__(
        self,
        authentication: IAuthentication,
        hearing: Hearing,
        directory: Directory,
        servers: Servers,
        consoles: Consoles,
        addresses: Addresses,
    ) -> None:
        self._authentication = authentication
        self._hearing = hearing
        self._directory = directory
        self._servers = servers
        self._consoles = consoles
        self._addresses = addresses

    async def answer(self, asked: Asked) -> Reply:
        """
        @param asked: for C{/v2.1} or below.
        """
        version = versions.OLDEST
        try:
            version = versions.chosen(asked.headers)
            return Reply.of(await self._answer(asked, version), versions.told(version))
        except (Fault, BusFailure) as problem:
            fault = as_fault(problem)
            headers = {**versions.told(version), **fault.headers}
            return Reply.of_fault(Fault(fault.status, fault.message, headers))

    async def _answer(self, asked: Asked, version: Microversion) -> dict[str, Any]:
        path = asked.path.removeprefix("/v2.1").removesuffix("/")
        if not path:
            asked.must_read()
            return versions.document(self._addresses.api(asked))
        user = await self._authentication.user(asked.headers, asked.address)
        if path in ("/servers", "/servers/detail"):
            asked.must_read()
            return await self._list(asked, version, path)
        match = _ONE.fullmatch(path)
        if match is None:
            raise Fault(404, "The resource could not be found.")
        name, what = match[1], match[2]
        if what is None:
            asked.must_read()
            guest = await self._guest(name)
            return {"server": self._servers.detailed(guest, self._addresses.api(asked), version)}
        asked.must_be("POST")
        body = asked.json()
        if what == "/remote-consoles":
            return await self._remote_console(asked, body, name, user)
        return await self._act(asked, body, name, user)

    # Finding guests.

    async def _guest(self, name: str) -> Guest:
        uuid = parse_uuid(name)
        missing = Fault(404, f"Instance {name[:100]} could not be found.")
        if uuid is None:
            # Clients try a name here first, and then look for it in the list.
            raise missing
        guest = await self._hearing.find(lambda: self._directory.find(uuid))
        if guest is None:
            raise missing
        return guest

    async def _list(self, asked: Asked, version: Microversion, path: str) -> dict[str, Any]:
        fits = self._filter(asked)
        limit = _limit(asked.arg("limit"), self.MOST_LISTED)
        found: Sequence[Guest] = await self._hearing.find(
            lambda: [guest for guest in self._directory.all() if fits(guest)]
        )
        left = _after(found, asked.arg("marker"))
        root = self._addresses.api(asked)
        page = left[:limit]
        if path.endswith("/detail"):
            listed = [self._servers.detailed(guest, root, version) for guest in page]
        else:
            listed = [self._servers.brief(guest, root) for guest in page]
        answer: dict[str, Any] = {"servers": listed}
        if page and len(left) > len(page):
            following = [(k, v) for k, vs in asked.args.items() for v in vs if k != "marker"]
            query = urlencode([*following, ("marker", page[-1].uuid)])
            href = f"{root}v2.1{path}?{query}"
            answer["servers_links"] = [{"rel": "next", "href": href}]
        return answer

    def _filter(self, asked: Asked) -> Callable[[Guest], bool]:
        name, host = asked.arg("name"), asked.arg("host")
        names = NameFilter(name) if name else None
        statuses = {status.upper() for status in asked.args.get("status", ()) if status}
        uuid = asked.arg("uuid")
        # Nothing is kept of what was deleted.
        deleted = (asked.arg("deleted") or "").lower() in ("1", "t", "true", "on", "y", "yes")

        def fits(guest: Guest) -> bool:
            return (
                not deleted
                and (names is None or names.fits(guest.name))
                and (not host or guest.host == host)
                and (not uuid or guest.uuid == uuid.lower())
                and (not statuses or self._servers.status(guest) in statuses)
            )

        return fits

    # Consoles.

    async def _remote_console(
        self, asked: Asked, body: dict[str, Any], name: str, user: str
    ) -> dict[str, Any]:
        check(body, REMOTE_CONSOLE)
        wanted = body["remote_console"]
        for word in (wanted["protocol"], wanted["type"]):
            if word != "serial":
                raise Fault(400, f"Unavailable console type {word}. Only serial ones are served.")
        url = await self._open(asked, name, user)
        return {"remote_console": {"protocol": "serial", "type": "serial", "url": url}}

    async def _act(
        self, asked: Asked, body: dict[str, Any], name: str, user: str
    ) -> dict[str, Any]:
        if len(body) != 1:
            raise Fault(400, "An action is an object with one property, the action's name.")
        action = next(iter(body))
        if action != "os-getSerialConsole":
            raise Fault(400, f"There is no such action: {action[:100]}")
        check(body, GET_SERIAL_CONSOLE)
        return {"console": {"type": "serial", "url": await self._open(asked, name, user)}}

    async def _open(self, asked: Asked, name: str, user: str) -> str:
        guest = await self._guest(name)
        opened = await self._consoles.open(guest, None, READ_WRITE, asked.context(user))
        return self._addresses.console(asked, opened.token)


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


def _after(guests: Sequence[Guest], marker: str | None) -> Sequence[Guest]:
    if not marker:
        return guests
    uuid = parse_uuid(marker)
    for position, guest in enumerate(guests):
        if guest.uuid == uuid:
            return guests[position + 1 :]
    raise Fault(400, f"marker [{marker[:100]}] not found")
