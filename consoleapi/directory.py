"""
Which host has which guest.

Agents tell all they have, on every change and every 30 seconds:

    host_is  {"host": "h1", "address": "10.0.0.1", "away": "",
              "domains": [{"uuid", "name", "state", "owner", "devices": ["serial0"]}]}

C{away} says why libvirt can't be reached there; C{domains} is then null, and
what was known stays.  A host that falls silent keeps its guests for a while,
since they run on without an agent; but how they are is unknown.

One UUID on two hosts is one guest on its way from one to the other: the one
that runs is meant.  One name on two hosts is two guests.
"""

from __future__ import annotations

import re
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from twisted.internet.interfaces import IReactorTime

from consoleapi.order import Key, Order
from consolebus.ibus import BadArguments

RUNNING = "running"
SHUTOFF = "shutoff"
UNKNOWN = "unknown"
STATES = frozenset((RUNNING, "paused", SHUTOFF, "crashed", "suspended", UNKNOWN))

_UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
_HOST = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._-]{0,188}[A-Za-z0-9])?")


@dataclass(frozen=True, slots=True)
class Guest:
    """
    One guest, as its host told.

    @ivar state: one of L{STATES}, when the host was last heard of.
    @ivar owner: the project it belongs to, or empty.
    @ivar devices: aliases of the serial devices that can be used.
    @ivar heard: the moment this guest was first heard of on this host.
    @ivar changed: the moment the rest of this last changed.
    """

    uuid: str
    name: str
    host: str
    state: str
    owner: str
    devices: tuple[str, ...]
    heard: float = field(default=0.0, compare=False)
    changed: float = field(default=0.0, compare=False)


@dataclass(slots=True)
class _Host:
    """
    @ivar heard: the moment it last told anything.
    """

    heard: float
    away: str
    guests: dict[str, Guest]


class Directory:
    """
    Finding one guest costs the same with tens of thousands as with ten; a
    host's news cost what the host has.

    @cvar SILENT_AFTER: seconds without news after which the state of a host's
        guests is unknown.
    @cvar FORGOTTEN_AFTER: seconds without news after which they are forgotten.
    @cvar MOST_HOSTS: hosts known at a time.
    """

    SILENT_AFTER = 90.0
    FORGOTTEN_AFTER = 3600.0
    MOST_HOSTS = 5000

    def __init__(
        self, clock: IReactorTime, forgotten: Callable[[str], None] = lambda host: None
    ) -> None:
        """
        @param forgotten: called with the name of a host that is no longer known.
        """
        self._clock = clock
        self._forgotten = forgotten
        self._hosts: OrderedDict[str, _Host] = OrderedDict()
        self._by_uuid: dict[str, dict[str, Guest]] = {}
        self._order = Order()

    def host_is(self, host: object, away: object, domains: object) -> bool:
        """
        Take a host's news.

        @return: whether the host was unknown until now.
        @raise BadArguments: they make no sense; nothing of them is taken.
        """
        self._forget()
        name, why = parse_host(host), _text(away, "away", 1000)
        known = self._hosts.get(name)
        if known is None:
            if len(self._hosts) >= self.MOST_HOSTS:
                raise BadArguments(f"{self.MOST_HOSTS} hosts are known already.")
            guests: dict[str, Guest] = {}
        else:
            guests = known.guests
        if domains is not None:
            told = _parse_domains(domains, name, self._clock.seconds(), guests)
            self._replace(guests, told)
            guests = told
        self._hosts[name] = _Host(self._clock.seconds(), why, guests)
        self._hosts.move_to_end(name)
        return known is None

    def find(self, uuid: str) -> Guest | None:
        """
        The guest of that UUID, on the host that is meant.
        """
        self._forget()
        there = self._by_uuid.get(uuid)
        return max(there.values(), key=self._claim) if there else None

    def scan(
        self, after: Key | None, most: int, text: str = ""
    ) -> tuple[Sequence[Guest], Key | None]:
        """
        Guests by name, then host, each once.

        @param after: where to go on; C{None} at the beginning.
        @param most: how many to look at.
        @param text: what their names contain; others are not looked at, which
            costs next to nothing.
        @return: the guests, and where to go on; C{None} at the end.
        """
        self._forget()
        keys, go_on = self._order.scan(after, most, text)
        guests = []
        for _, host, uuid in keys:
            there = self._by_uuid[uuid]
            guest = there[host]
            if len(there) == 1 or max(there.values(), key=self._claim) is guest:
                guests.append(guest)
        return guests, go_on

    def __len__(self) -> int:
        return len(self._by_uuid)

    def state(self, guest: Guest) -> str:
        """
        How C{guest} is now, as far as that is known.
        """
        return UNKNOWN if self.is_silent(guest.host) else guest.state

    def knows(self, host: object) -> bool:
        return host in self._hosts if isinstance(host, str) else False

    def is_silent(self, host: str) -> bool:
        known = self._hosts.get(host)
        return known is None or self._clock.seconds() - known.heard > self.SILENT_AFTER

    def away(self, host: str) -> str:
        """
        Why C{host} can't reach its libvirt, or empty.
        """
        known = self._hosts.get(host)
        return known.away if known is not None else ""

    def _claim(self, guest: Guest) -> tuple[bool, bool, bool, float]:
        """
        How good a claim a host has on being the one that is meant.
        """
        return (
            not self.is_silent(guest.host),
            guest.state == RUNNING,
            guest.state != SHUTOFF,
            self._hosts[guest.host].heard,
        )

    def _replace(self, old: Mapping[str, Guest], new: Mapping[str, Guest]) -> None:
        for uuid, guest in old.items():
            later = new.get(uuid)
            if later is None or key_of(later) != key_of(guest):
                self._remove(guest)
        for uuid, guest in new.items():
            before = self._by_uuid.setdefault(uuid, {}).get(guest.host)
            self._by_uuid[uuid][guest.host] = guest
            if before is None:
                self._order.add(key_of(guest))

    def _remove(self, guest: Guest) -> None:
        self._order.remove(key_of(guest))
        there = self._by_uuid[guest.uuid]
        del there[guest.host]
        if not there:
            del self._by_uuid[guest.uuid]

    def _forget(self) -> None:
        """
        The host that told last is at the end, so nothing is searched.
        """
        while self._hosts:
            name, host = next(iter(self._hosts.items()))
            if self._clock.seconds() - host.heard <= self.FORGOTTEN_AFTER:
                return
            self._replace(host.guests, {})
            del self._hosts[name]
            self._forgotten(name)


def key_of(guest: Guest) -> Key:
    """
    Where C{guest} is in the order of all.
    """
    return guest.name, guest.host, guest.uuid


def parse_uuid(text: str) -> str | None:
    """
    @return: C{text} as hosts write a UUID, or C{None} if it is none.
    """
    lower = text.lower()
    return lower if _UUID.fullmatch(lower) else None


def parse_host(host: object) -> str:
    """
    @raise BadArguments: no topic can be called by that.
    """
    if not isinstance(host, str) or not _HOST.fullmatch(host):
        raise BadArguments("A host's name has 1 to 190 letters, digits, dots and dashes.")
    return host


_MOST_DOMAINS = 10000
_MOST_DEVICES = 64


def _parse_domains(
    domains: object, host: str, now: float, known: Mapping[str, Guest]
) -> dict[str, Guest]:
    if not isinstance(domains, list) or len(domains) > _MOST_DOMAINS:
        raise BadArguments(f"domains is null or a list of up to {_MOST_DOMAINS}.")
    guests: dict[str, Guest] = {}
    for domain in domains:
        guest = _parse_domain(domain, host)
        if guest.uuid in guests:
            raise BadArguments("A host has each of its domains once.")
        before = known.get(guest.uuid)
        if before == guest:
            guests[guest.uuid] = before
        else:
            heard = now if before is None else before.heard
            guests[guest.uuid] = replace(guest, heard=heard, changed=now)
    return guests


def _parse_domain(domain: Any, host: str) -> Guest:
    if not isinstance(domain, dict):
        raise BadArguments("A domain is an object.")
    uuid = parse_uuid(_text(domain.get("uuid"), "uuid", 36, 36))
    if uuid is None:
        raise BadArguments("A domain's uuid is a UUID.")
    state, devices = domain.get("state"), domain.get("devices", [])
    if not isinstance(devices, list) or len(devices) > _MOST_DEVICES:
        raise BadArguments(f"A domain's devices are a list of up to {_MOST_DEVICES}.")
    return Guest(
        uuid=uuid,
        name=_text(domain.get("name"), "name", 255, 1),
        host=host,
        state=state if isinstance(state, str) and state in STATES else UNKNOWN,
        owner=_text(domain.get("owner", ""), "owner", 255),
        devices=tuple(_text(device, "device", 64, 1) for device in devices),
    )


def _text(value: object, what: str, most: int, least: int = 0) -> str:
    if not isinstance(value, str) or not least <= len(value) <= most:
        raise BadArguments(f"{what} is a text of {least} to {most} characters.")
    try:
        value.encode("utf-8")
    except UnicodeEncodeError:
        raise BadArguments(f"{what} is no Unicode text.") from None
    return value
