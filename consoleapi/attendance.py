"""
Which consoles are open, and how many viewers are on them.

Agents tell what happens, and are asked now and then what they have, since
what happened while nobody listened is told to no one:

    console_is  {"event": "opened" | "viewer_came" | "viewer_left" | "closed" | ...,
                 "host", "console", "domain", "name", "device", "state", "viewer"?}

It is shown to people, and says where a grant is to be revoked.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from consoleapi.directory import parse_host, parse_uuid
from consolebus.ibus import BadArguments


@dataclass(slots=True)
class OpenConsole:
    """
    @ivar domain: the UUID of its guest.
    @ivar viewers: their users, by their public names.
    """

    domain: str
    device: str = ""
    viewers: dict[str, str] = field(default_factory=dict)


class Attendance:
    """
    @cvar MOST_CONSOLES: remembered of one host; what is beyond is not counted.
    @cvar MOST_VIEWERS: remembered of one console.
    """

    MOST_CONSOLES = 5000
    MOST_VIEWERS = 1000

    def __init__(self) -> None:
        self._hosts: dict[str, dict[str, OpenConsole]] = {}
        self._by_domain: dict[str, set[tuple[str, str]]] = {}
        self._places: dict[str, str] = {}

    def console_is(
        self,
        event: object,
        host: object,
        console: object,
        domain: object,
        viewer: object,
        user: object = "",
        device: object = "",
    ) -> None:
        """
        @param user: as whom the viewer came.
        @raise BadArguments: it makes no sense.
        """
        where, name = parse_host(host), _name(console)
        uuid = parse_uuid(domain) if isinstance(domain, str) else None
        if uuid is None or not isinstance(event, str):
            raise BadArguments("An event is a word about a console of a domain by UUID.")
        if event == "closed":
            self._close(where, name)
            return
        known = self._open(where, name, uuid, _text(device))
        if known is None or viewer is None:
            return
        if event == "viewer_left":
            known.viewers.pop(_name(viewer), None)
        elif event == "viewer_came" and len(known.viewers) < self.MOST_VIEWERS:
            known.viewers[_name(viewer)] = _text(user)

    def host_has(self, host: str, consoles: Mapping[str, OpenConsole]) -> None:
        """
        Believe this instead of what was known of C{host}.
        """
        for name in list(self._hosts.get(host, ())):
            self._close(host, name)
        for name, console in consoles.items():
            opened = self._open(host, name, console.domain, console.device)
            if opened is not None:
                opened.viewers.update(sorted(console.viewers.items())[: self.MOST_VIEWERS])

    def forget_host(self, host: str) -> None:
        self.host_has(host, {})

    def is_busy(self, host: str) -> bool:
        return host in self._hosts

    def of(self, domain: str) -> Mapping[str, OpenConsole]:
        """
        @return: the open consoles of that guest by name.
        """
        there = self._by_domain.get(domain)
        if there is None:
            return {}
        return {name: self._hosts[host][name] for host, name in sorted(there)}

    def place(self, console: str) -> tuple[str, str] | None:
        """
        @return: host and guest of a console.
        """
        host = self._places.get(console)
        return None if host is None else (host, self._hosts[host][console].domain)

    def _open(self, host: str, name: str, domain: str, device: str) -> OpenConsole | None:
        consoles = self._hosts.get(host, {})
        known = consoles.get(name)
        if known is not None:
            return known if known.domain == domain else None
        if len(consoles) >= self.MOST_CONSOLES:
            return None
        opened = self._hosts.setdefault(host, consoles)[name] = OpenConsole(domain, device)
        self._places[name] = host
        self._by_domain.setdefault(domain, set()).add((host, name))
        return opened

    def _close(self, host: str, name: str) -> None:
        consoles = self._hosts.get(host, {})
        closed = consoles.pop(name, None)
        if closed is None:
            return
        if self._places.get(name) == host:
            del self._places[name]
        if not consoles:
            del self._hosts[host]
        there = self._by_domain[closed.domain]
        there.discard((host, name))
        if not there:
            del self._by_domain[closed.domain]


def _name(value: object) -> str:
    if not isinstance(value, str) or not 0 < len(value) <= 100:
        raise BadArguments("Consoles and viewers have names of 1 to 100 characters.")
    return value


def _text(value: object) -> str:
    """
    What is shown to people and nothing else; what is odd is not shown.
    """
    return value if isinstance(value, str) and len(value) <= 255 and value.isprintable() else ""
