"""
What a console is of, and what its line to the guest can tell.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import Protocol

LIVE = "live"
JOINING = "joining"
WAITING = "waiting"

BACK = "The guest is back."

UNATTENDED = (
    "The host's console agent was away, and nothing was joined to the guest. "
    "What it said then is missing here."
)


@dataclass(frozen=True, slots=True)
class Place:
    """
    What a console is of.

    @ivar uuid: the guest's.
    @ivar domain: its name.
    @ivar device: alias of the serial device.
    """

    uuid: str
    domain: str
    device: str

    @property
    def title(self) -> str:
        return f"{self.domain} {self.device}"


class Absent(Enum):
    """Why there is no L{Domain} to be had."""

    OFF = "it is defined, and has no process"
    REMOVED = "it is not defined any more"
    UNSEEN = "libvirt can't say"


class Watcher(Protocol):
    """Who has a line."""

    def line_changed(self) -> None:
        """Its C{state}, C{message} or C{socat} is another one."""

    async def coming_back(self) -> None:
        """The guest is back, and its device open; socat will join when this is done."""

    async def unattended(self) -> None:
        """Something is missing here; socat will join when this is done."""

    def guest_removed(self, message: str) -> None:
        """The guest has not been defined for a while: it won't come back."""
