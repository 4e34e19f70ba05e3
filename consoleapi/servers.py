"""
A guest as OpenStack's clients know it: a I{server}.

Much of what a server has in OpenStack (an image, a flavor, addresses) is
nobody's business here; it is given empty, since clients trip over what is missing.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha224
from typing import Any

from consoleapi.directory import Directory, Guest
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
        return self._condition(guest).status

    def brief(self, guest: Guest, root: str) -> dict[str, Any]:
        """
        @param root: our own URL, ending with a slash.
        """
        return {
            "id": guest.uuid,
            "name": guest.name,
            "links": [
                {"rel": "self", "href": f"{root}v2.1/servers/{guest.uuid}"},
                {"rel": "bookmark", "href": f"{root}servers/{guest.uuid}"},
            ],
        }

    def detailed(self, guest: Guest, root: str, version: Microversion) -> dict[str, Any]:
        condition = self._condition(guest)
        return {
            **self.brief(guest, root),
            "status": condition.status,
            "tenant_id": guest.owner,
            "user_id": "",
            "created": self._moment(guest.heard),
            "updated": self._moment(guest.changed),
            "hostId": sha224(f"{guest.owner}{guest.host}".encode()).hexdigest(),
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
            "OS-EXT-SRV-ATTR:host": guest.host,
            "OS-EXT-SRV-ATTR:hostname": guest.name,
            "OS-EXT-SRV-ATTR:hypervisor_hostname": guest.host,
            "OS-EXT-SRV-ATTR:instance_name": guest.name,
            "OS-EXT-STS:power_state": condition.power,
            "OS-EXT-STS:task_state": None,
            "OS-EXT-STS:vm_state": condition.vm,
            "OS-SRV-USG:launched_at": None,
            "OS-SRV-USG:terminated_at": None,
            "os-extended-volumes:volumes_attached": [],
        }

    def _condition(self, guest: Guest) -> Condition:
        return CONDITIONS[self._directory.state(guest)]

    def _moment(self, seconds: float) -> str:
        moment = datetime.fromtimestamp(self._time() - (self._seconds() - seconds), UTC)
        return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


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
