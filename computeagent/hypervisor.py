"""
What the agent asks of a hypervisor, and what it is told by one.

Two providers are shipped: libvirt, and one in memory.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from twisted.internet.defer import Deferred
from zope.interface import Attribute, Interface

RUNNING = "running"
PAUSED = "paused"
SHUTOFF = "shutoff"
CRASHED = "crashed"
SUSPENDED = "suspended"
UNKNOWN = "unknown"

WITH_A_PROCESS = frozenset((RUNNING, PAUSED, SUSPENDED))
"""States in which a guest has a QEMU, and so its serial devices a host side."""

ENDINGS = {
    "stopped": "The guest is not running.",
    "shutdown": "The guest was shut off.",
    "destroyed": "The guest was switched off.",
    "crashed": "The guest crashed.",
    "failed": "The guest's QEMU failed.",
    "saved": "The guest was saved, and stopped.",
    "migrated": "The guest was moved to another host.",
}
"""How a guest may lose its process, with what people are told."""


class HypervisorAway(Exception):
    """libvirt can't be reached now, or does not answer."""


class NoSuchDomain(Exception):
    """There is no guest of that UUID here."""


class NotRunning(Exception):
    """
    The guest has no process, so its serial devices have no host side.
    """

    def __init__(self, name: str, state: str) -> None:
        super().__init__(name, state)
        self.name = name
        self.state = state


@dataclass(frozen=True, slots=True)
class Domain:
    """
    One guest.

    @ivar state: one of the words above.
    @ivar xml: as libvirt describes it now.
    """

    uuid: str
    name: str
    state: str
    xml: str


class IHypervisor(Interface):
    """
    One host's guests.
    """

    away = Attribute("C{str}: why it can't be reached, or empty.")

    def start() -> None:
        """Connect, and stay connected from then on."""

    def stop() -> Deferred[None]:
        """Disconnect."""

    def watch(
        changed: Callable[[str, str], None],
        presence: Callable[[], None],
    ) -> None:
        """
        @param changed: called with a guest's UUID and C{started}, one of L{ENDINGS},
            C{rebooted}, C{devices} or C{other}, after it happened.
        @param presence: called when the hypervisor went away or came back; what
            happened in between was not told.
        """

    def domains() -> Deferred[Sequence[Domain]]:
        """
        All guests, running or not.

        @raise HypervisorAway:
        """

    def running(uuid: str) -> Deferred[Domain]:
        """
        One guest that has a process, with its live XML, read now.

        @raise HypervisorAway:
        @raise NoSuchDomain:
        @raise NotRunning:
        """
