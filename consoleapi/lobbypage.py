"""
The lobby: a page with the guests, and a button for a console of each.

    GET  /                 the page
    GET  /lobby/NAME       what it is made of; to everybody, since it says nothing
    GET  /lobby/guests     {"user", "guests": [...], "total", "note"}
                           ?filter= ?most=
    POST /lobby/consoles   {"guest": UUID, "device": alias or null, "mode": "rw" or "ro"}
                           -> {"url", "device"}

Its paths are relative, so it works below any prefix.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from consoleapi.addresses import Addresses
from consoleapi.attendance import Attendance
from consoleapi.authentication import IAuthentication
from consoleapi.consoles import MODES, Consoles
from consoleapi.directory import SHUTOFF, UNKNOWN, Directory, Guest, parse_uuid
from consoleapi.faults import Fault
from consoleapi.hearing import Hearing
from consoleapi.web import Asked, Reply

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
    """

    MOST_LISTED = 500

    def __init__(
        self,
        files: Mapping[str, Reply],
        authentication: IAuthentication,
        hearing: Hearing,
        directory: Directory,
        attendance: Attendance,
        consoles: Consoles,
        addresses: Addresses,
    ) -> None:
        self._files = files
        self._authentication = authentication
        self._hearing = hearing
        self._directory = directory
        self._attendance = attendance
        self._consoles = consoles
        self._addresses = addresses

    async def answer(self, asked: Asked) -> Reply:
        """
        @param asked: for C{/}, or below C{/lobby/}.
        """
        name = asked.path.removeprefix("/lobby/")
        if name != "lobby.html" and name in self._files:
            asked.must_read()
            return self._files[name]
        user = await self._authentication.user(asked.headers, asked.address)
        if asked.path == "/":
            asked.must_read()
            page = self._files["lobby.html"]
            return Reply(200, page.body, page.content_type, {"Vary": "Accept"}, page.policy)
        if name == "guests":
            asked.must_read()
            return await self._guests(asked, user)
        if name == "consoles":
            asked.must_be("POST")
            return await self._open(asked, user)
        raise Fault(404, "There is nothing at this address.")

    async def _guests(self, asked: Asked, user: str) -> Reply:
        words = (asked.arg("filter") or "")[:_MOST_FILTER].lower().split()
        every = await self._hearing.find(self._directory.all)
        fitting = [guest for guest in every if _fits(guest, words)]
        return Reply.of(
            {
                "user": user,
                "total": len(every),
                "fitting": len(fitting),
                "guests": [self._guest(guest) for guest in fitting[: self.MOST_LISTED]],
            }
        )

    def _guest(self, guest: Guest) -> dict[str, Any]:
        consoles, viewers = self._attendance.of(guest.uuid)
        return {
            "id": guest.uuid,
            "name": guest.name,
            "host": guest.host,
            "state": self._directory.state(guest),
            "devices": list(guest.devices),
            "consoles": consoles,
            "viewers": viewers,
            "closed": self._why_not(guest),
        }

    def _why_not(self, guest: Guest) -> str:
        """
        Why no console of C{guest} can be opened, as far as is known here; or
        empty.
        """
        state, away = self._directory.state(guest), self._directory.away(guest.host)
        if state == UNKNOWN and self._directory.is_silent(guest.host):
            return f"Host {guest.host} has not been heard of for a while"
        if away:
            return f"Host {guest.host} can't reach its libvirt: {away}"
        if state in (SHUTOFF, "crashed"):
            return "The guest is not running"
        if not guest.devices:
            return "The guest has no serial device that can be used"
        return ""

    async def _open(self, asked: Asked, user: str) -> Reply:
        body = asked.json()
        uuid, device, mode = body.get("guest"), body.get("device"), body.get("mode", "rw")
        if set(body) - {"guest", "device", "mode"} or mode not in MODES:
            raise Fault(400, "A console is asked for by guest, device and mode (rw or ro).")
        known = parse_uuid(uuid) if isinstance(uuid, str) else None
        if known is None or not (device is None or isinstance(device, str)):
            raise Fault(400, "A guest is named by its UUID, and a device by its alias.")
        guest = await self._hearing.find(lambda: self._directory.find(known))
        if guest is None:
            raise Fault(404, "That guest is not there any more.")
        opened = await self._consoles.open(guest, device, mode, asked.context(user))
        return Reply.of({"url": self._addresses.page(asked, opened.token), "device": opened.device})


def _fits(guest: Guest, words: list[str]) -> bool:
    """
    Whether every word is somewhere in what is shown of C{guest}.
    """
    if not words:
        return True
    text = f"{guest.name} {guest.host} {guest.uuid} {guest.state}".lower()
    return all(word in text for word in words)
