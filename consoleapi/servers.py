"""
A guest as OpenStack's clients know it: a I{server}.

Much of what a server has in OpenStack (an image, a flavor, addresses) is
nobody's business here; it is given empty, since clients trip over what is missing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from hashlib import sha224
from typing import Any

from consoleapi.directory import Directory, Guest
from consoleapi.forms import Form, blank, members, part, quoted, some
from consoleapi.versions import Microversion


@dataclass(frozen=True, slots=True)
class Condition:
    """
    A state in nova's words.

    @ivar power: nova's numbers for what the hypervisor says.
    """

    status: str
    vm: str
    power: int


CONDITIONS: Mapping[str, Condition] = {
    "running": Condition("ACTIVE", "active", 1),
    "paused": Condition("PAUSED", "paused", 3),
    "shutoff": Condition("SHUTOFF", "stopped", 4),
    "crashed": Condition("ERROR", "error", 6),
    "suspended": Condition("SUSPENDED", "suspended", 7),
    "unknown": Condition("UNKNOWN", "active", 0),
}

_EMBEDDED_FLAVOR: Microversion = (2, 47)


class Servers:
    """
    Puts guests into nova's words.
    """

    def __init__(
        self, directory: Directory, seconds: Callable[[], float], time: Callable[[], float]
    ) -> None:
        """
        @param seconds: the clock by which the directory notes moments.
        @param time: the calendar's.
        """
        self._directory = directory
        self._seconds = seconds
        self._time = time

    def status(self, guest: Guest) -> str:
        return CONDITIONS[self._directory.state(guest)].status

    def brief(self, guests: Iterable[Guest], root: str, version: Microversion) -> bytes:
        """
        @param root: our own URL, ending with a slash.
        @return: JSON of each, and commas between them.
        """
        form = Form(_brief(root))
        return form.fill({"id": guest.uuid, "name": quoted(guest.name)} for guest in guests)

    def detailed(self, guests: Iterable[Guest], root: str, version: Microversion) -> bytes:
        state, since = self._directory.state, self._time() - self._seconds()
        form = Form(_detailed(root, version))
        return form.fill(
            {
                "id": guest.uuid,
                "name": quoted(guest.name),
                "created": _moment(int(since + guest.heard)),
                "updated": _moment(int(since + guest.changed)),
                "condition": _CONDITIONS[state(guest)],
                "place": _place(guest.owner, guest.host),
            }
            for guest in guests
        )


def _brief(root: str) -> dict[str, Any]:
    return {
        "id": part("id"),
        "name": blank("name"),
        "links": [
            {"rel": "self", "href": f"{root}v2.1/servers/{part('id')}"},
            {"rel": "bookmark", "href": f"{root}servers/{part('id')}"},
        ],
    }


def _detailed(root: str, version: Microversion) -> dict[str, Any]:
    return {
        **_brief(root),
        **some("condition"),
        **some("place"),
        "user_id": "",
        "created": part("created"),
        "updated": part("updated"),
        "metadata": {},
        "addresses": {},
        "accessIPv4": "",
        "accessIPv6": "",
        "image": "",
        "flavor": _flavor(version),
        "key_name": None,
        "config_drive": "",
        "progress": 0,
        "locked": False,
        "description": None,
        "tags": [],
        "security_groups": [],
        "OS-DCF:diskConfig": "MANUAL",
        "OS-EXT-AZ:availability_zone": "",
        "OS-EXT-SRV-ATTR:hostname": blank("name"),
        "OS-EXT-SRV-ATTR:instance_name": blank("name"),
        "OS-EXT-STS:task_state": None,
        "OS-SRV-USG:launched_at": None,
        "OS-SRV-USG:terminated_at": None,
        "os-extended-volumes:volumes_attached": [],
    }


_CONDITIONS = {
    state: members(
        {
            "status": words.status,
            "OS-EXT-STS:power_state": words.power,
            "OS-EXT-STS:vm_state": words.vm,
        }
    )
    for state, words in CONDITIONS.items()
}


# Many guests share a moment, and all of a project on a host their place.
@lru_cache(2048)
def _moment(second: int) -> str:
    return datetime.fromtimestamp(second, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


@lru_cache(2048)
def _place(owner: str, host: str) -> str:
    return members(
        {
            "tenant_id": owner,
            "hostId": sha224(f"{owner}{host}".encode()).hexdigest(),
            "OS-EXT-SRV-ATTR:host": host,
            "OS-EXT-SRV-ATTR:hypervisor_hostname": host,
        }
    )


def _flavor(version: Microversion) -> dict[str, Any]:
    if version < _EMBEDDED_FLAVOR:
        return {"id": "", "links": []}
    return {
        "original_name": "",
        "vcpus": 0,
        "ram": 0,
        "disk": 0,
        "ephemeral": 0,
        "swap": 0,
        "extra_specs": {},
    }
