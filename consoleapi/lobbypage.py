"""
The lobby: a page with the guests, and what one does with their consoles.

    GET    /                 the page
    GET    /lobby/NAME       what it is made of; to everybody, since it says nothing
    POST   /lobby/session    {"user", "password"} -> {"user", "csrf"}, and a cookie
    GET    /lobby/session    {"user", "csrf"}; the user is null where nobody is logged in
    DELETE /lobby/session    logs out
    GET    /lobby/guests     {"user", "guests": [...], "total", "fitting", "why"}
           ?filter=WORDS     those with all of these words; as many as fit, and of these the first
           ?open=1           those with a console that is open
           ?marker=UUID      those after that one
    POST   /lobby/consoles   {"guest": UUID, "device": alias or null, "mode": "rw" or "ro"}
                             -> {"url", "device", "mode", "lifetime"}
    DELETE /lobby/guests/UUID/consoles/ID   ends a console

Its paths are relative, so it works below any prefix.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

from consoleapi.addresses import Addresses
from consoleapi.attendance import Attendance
from consoleapi.authentication import Credentials, IAuthentication
from consoleapi.desk import Desk
from consoleapi.directory import SHUTOFF, UNKNOWN, Directory, Guest, parse_uuid
from consoleapi.faults import Fault
from consoleapi.forms import Form, blank, part, quoted
from consoleapi.policy import MODES, READ_WRITE
from consoleapi.routes import Route, Visit
from consoleapi.sessions import Sessions
from consoleapi.wanted import Wanted
from consoleapi.web import Reply

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; "
    "connect-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'; "
    "require-trusted-types-for 'script'"
)

FOLDER = Path(__file__).parent / "lobby"

_TYPES = {
    ".html": "text/html; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
}
_MOST_FILTER = 255
_GUEST = Form(
    {
        "id": part("id"),
        "name": blank("name"),
        "host": blank("host"),
        "state": part("state"),
        "devices": blank("devices"),
        "mode": blank("mode"),
        "consoles": blank("consoles"),
        "closed": blank("closed"),
    }
)


def read_files(folder: Path = FOLDER) -> Mapping[str, Reply]:
    """
    @return: the page's files by name.
    """
    return {
        path.name: Reply(200, path.read_bytes(), _TYPES[path.suffix], {}, POLICY)
        for path in sorted(folder.iterdir())
        if path.suffix in _TYPES
    }


class Lobby:
    """
    @cvar MOST_LISTED: guests in one answer; there is a filter to find the others.
    @cvar MOST_VIEWERS: users named at one console.
    """

    MOST_LISTED = 500
    MOST_VIEWERS = 20

    def __init__(
        self,
        files: Mapping[str, Reply],
        authentication: IAuthentication,
        credentials: Credentials,
        sessions: Sessions,
        directory: Directory,
        attendance: Attendance,
        desk: Desk,
        addresses: Addresses,
    ) -> None:
        self._files = files
        self._authentication = authentication
        self._credentials = credentials
        self._sessions = sessions
        self._directory = directory
        self._attendance = attendance
        self._desk = desk
        self._addresses = addresses

    def routes(self) -> list[Route]:
        return [
            Route("GET", "/lobby/guests", self._guests),
            Route("POST", "/lobby/consoles", self._open),
            Route("DELETE", "/lobby/guests/{guest}/consoles/{console}", self._close),
            Route("GET", "/lobby/session", self._session, is_public=True),
            Route("POST", "/lobby/session", self._log_in, is_public=True),
            Route("DELETE", "/lobby/session", self._log_out),
            Route("GET", "/lobby/{file}", self._file, is_public=True),
        ]

    def page(self) -> Reply:
        page = self._files["lobby.html"]
        return Reply(200, page.body, page.content_type, {"Vary": "Accept"}, page.policy)

    async def _file(self, visit: Visit) -> Reply:
        name = visit.names["file"]
        if name == "lobby.html" or name not in self._files:
            raise Fault(404, "There is nothing at this address.")
        return self._files[name]

    # Logging in.

    async def _log_in(self, visit: Visit) -> Reply:
        asked, body = visit.asked, visit.asked.json()
        user, password = body.get("user"), body.get("password")
        if set(body) != {"user", "password"} or not (
            isinstance(user, str) and isinstance(password, str)
        ):
            raise Fault(400, "One logs in by user and password.")
        try:
            caller = await self._credentials.by_password(
                asked, user, password.encode("utf-8", "replace"), "session"
            )
        except Fault as fault:
            headers = {k: v for k, v in fault.headers.items() if k != "WWW-Authenticate"}
            raise Fault(fault.status, fault.message, headers) from None
        self._sessions.end(asked)
        session, cookie = self._sessions.begin(caller.name, asked.is_secure)
        return Reply.of({"user": user, "csrf": session.csrf}, {"Set-Cookie": cookie})

    async def _session(self, visit: Visit) -> Reply:
        """
        Public, since who is not logged in is told just that.
        """
        session = self._sessions.of(visit.asked)
        user: str | None = None
        try:
            user = (await self._authentication.caller(visit.asked)).name
        except Fault as fault:
            if fault.status != 401:
                raise
        return Reply.of({"user": user, "csrf": session.csrf if session is not None else ""})

    async def _log_out(self, visit: Visit) -> Reply:
        return Reply.of({}, {"Set-Cookie": self._sessions.end(visit.asked)})

    # Guests.

    async def _guests(self, visit: Visit) -> Reply:
        caller, arg = visit.caller, visit.asked.arg
        words = (arg("filter") or "")[:_MOST_FILTER].lower().split()
        # Every word is somewhere in what is shown of a guest.
        is_open = (lambda guest: bool(self._attendance.of(guest.uuid))) if arg("open") else None
        wanted = Wanted(words, is_open)
        seen = await self._desk.overview(caller, wanted, arg("marker"), self.MOST_LISTED)
        # What there is besides guests is told to those alone who see everything.
        why = self._directory.why_empty() if self._desk.is_admin(caller) else ""
        known = json.dumps(
            {"user": caller.name, "total": seen.total, "fitting": seen.fitting, "why": why}
        )
        listed = _GUEST.fill(self._guest(guest, mode) for guest, mode in seen.told)
        body = b'%b, "guests": [%b]}' % (known.removesuffix("}").encode("ascii"), listed)
        return Reply(200, body, "application/json")

    def _guest(self, guest: Guest, mode: str | None) -> dict[str, str]:
        consoles, state = self._consoles(guest), self._directory.state(guest)
        return {
            "id": guest.uuid,
            "name": quoted(guest.name),
            "host": quoted(guest.host),
            "state": state,
            "devices": _listed(guest.devices),
            "mode": quoted(mode) if mode is not None else "null",
            "consoles": json.dumps(consoles) if consoles else "[]",
            "closed": quoted(self._why_not(guest, state)),
        }

    def _consoles(self, guest: Guest) -> list[dict[str, Any]]:
        return [
            {
                "id": name,
                "device": console.device,
                "viewers": len(console.viewers),
                "users": sorted(set(console.viewers.values()))[: self.MOST_VIEWERS],
            }
            for name, console in self._attendance.of(guest.uuid).items()
        ]

    def _why_not(self, guest: Guest, state: str) -> str:
        """
        Why no console of C{guest} can be opened, as far as is known here; or
        empty.
        """
        away = self._directory.away(guest.host)
        if state == UNKNOWN and self._directory.is_silent(guest.host):
            return f"Host {guest.host} has not been heard of for a while"
        if away:
            return f"Host {guest.host} can't reach its libvirt: {away}"
        if state in (SHUTOFF, "crashed"):
            return "The guest is not running"
        if not guest.devices:
            return "The guest has no serial device that can be used"
        return ""

    # Consoles.

    async def _open(self, visit: Visit) -> Reply:
        asked, caller = visit.asked, visit.caller
        body = asked.json()
        uuid, device, mode = body.get("guest"), body.get("device"), body.get("mode", READ_WRITE)
        if set(body) - {"guest", "device", "mode"} or mode not in MODES:
            raise Fault(400, "A console is asked for by guest, device and mode (rw or ro).")
        known = parse_uuid(uuid) if isinstance(uuid, str) else None
        if known is None or not (device is None or isinstance(device, str)):
            raise Fault(400, "A guest is named by its UUID, and a device by its alias.")
        context = asked.context(caller.name)
        try:
            guest = await self._desk.guest(caller, known, context)
        except Fault:
            raise Fault(404, "That guest is not there any more.") from None
        opened = await self._desk.open(caller, guest, device, mode, context)
        return Reply.of(
            {
                "url": self._addresses.page(asked, opened.token),
                "device": opened.device,
                "mode": opened.mode,
                "lifetime": opened.lifetime,
            }
        )

    async def _close(self, visit: Visit) -> Reply:
        context = visit.asked.context(visit.caller.name)
        guest = await self._desk.guest(visit.caller, visit.names["guest"], context)
        await self._desk.close(visit.caller, guest, visit.names["console"], context)
        return Reply.of({})


@lru_cache(256)
def _listed(devices: tuple[str, ...]) -> str:
    return json.dumps(devices)
