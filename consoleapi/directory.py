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
from itertools import islice
from typing import Any

from twisted.internet.interfaces import IReactorTime

from consoleapi.order import Block, Key, Order
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
    host's news cost what has changed.

    @cvar SILENT_AFTER: seconds without news after which the state of a host's
        guests is unknown.
    @cvar FORGOTTEN_AFTER: seconds without news after which they are forgotten.
    @cvar MOST_HOSTS: hosts known at a time.
    @cvar MOST_LATE: of those that fall silent or are forgotten, how many are seen
        to in one turn of the reactor.
    """

    SILENT_AFTER = 90.0
    FORGOTTEN_AFTER = 3600.0
    MOST_HOSTS = 5000
    MOST_LATE = 10

    def __init__(
        self, clock: IReactorTime, forgotten: Callable[[str], None] = lambda host: None
    ) -> None:
        """
        @param forgotten: called with the name of a host that is no longer known.
        """
        self._clock = clock
        self._forgotten = forgotten
        # The one that was heard of last is at the end; those in C{_silent} come first.
        self._hosts: OrderedDict[str, _Host] = OrderedDict()
        self._silent: set[str] = set()
        self._meant: dict[str, Guest] = {}
        self._moving: dict[str, frozenset[str]] = {}
        self._order = Order(key_of)

    def host_is(self, host: object, away: object, domains: object) -> bool:
        """
        Take a host's news.

        @return: whether the host was unknown until now.
        @raise BadArguments: they make no sense; nothing of them is taken.
        """
        self._look_at_the_clock()
        name, why = parse_host(host), _text(away, "away", 1000)
        known = self._hosts.get(name)
        if known is None and len(self._hosts) >= self.MOST_HOSTS:
            raise BadArguments(f"{self.MOST_HOSTS} hosts are known already.")
        now = self._clock.seconds()
        guests = known.guests if known is not None else {}
        told = guests if domains is None else _parse_domains(domains, name, now, guests)
        self._hosts[name] = _Host(now, why, guests)
        self._hosts.move_to_end(name)
        was_silent = name in self._silent
        self._silent.discard(name)
        self._replace(name, told, all_of_them=was_silent)
        return known is None

    def find(self, uuid: str) -> Guest | None:
        """
        The guest of that UUID, on the host that is meant.
        """
        self._look_at_the_clock()
        return self._meant.get(uuid)

    def after(self, key: Key | None) -> tuple[Sequence[Block[Guest]], int]:
        """
        Guests by name, then host, each once, in blocks; what is written of them is
        what they are shown with: state, name, host and UUID.

        @param key: where to go on; C{None} at the beginning.
        @return: as of L{Order.after}; to be used within this turn of the reactor.
        """
        self._look_at_the_clock()
        return self._order.after(key)

    def __len__(self) -> int:
        return len(self._meant)

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

    def why_empty(self) -> str:
        """
        Why no guest is known, as far as that is; or empty.
        """
        if not self._hosts:
            return (
                "No agent has been heard of. Is computeagent running, and on the same bus? "
                "ajaxconsole doctor looks into it on its host."
            )
        away = [(name, host.away) for name, host in self._hosts.items() if host.away]
        if self._meant or not away:
            return ""
        name, why = away[0]
        return f"Host {name} can't reach its libvirt: {why}"

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

    def _replace(self, host: str, told: dict[str, Guest], *, all_of_them: bool = False) -> None:
        """
        @param all_of_them: whether even those that are told as before are to be seen to.
        """
        old, self._hosts[host].guests = self._hosts[host].guests, told
        for uuid in old:
            if uuid not in told:
                self._settle(uuid, self._hosts_of(uuid) - {host})
        for uuid, guest in told.items():
            if all_of_them or uuid in self._moving or old.get(uuid) is not guest:
                self._settle(uuid, self._hosts_of(uuid) | {host})

    def _hosts_of(self, uuid: str) -> frozenset[str]:
        meant = self._meant.get(uuid)
        return self._moving.get(uuid) or frozenset((meant.host,) if meant is not None else ())

    def _settle(self, uuid: str, hosts: frozenset[str]) -> None:
        """
        List the one that is meant.

        @param hosts: those that have it.
        """
        if len(hosts) > 1:
            self._moving[uuid] = hosts
        else:
            self._moving.pop(uuid, None)
        guests = [self._hosts[host].guests[uuid] for host in hosts]
        guest = max(guests, key=self._claim, default=None)
        before = self._meant.pop(uuid, None)
        if before is not None and (guest is None or _place_of(before) != _place_of(guest)):
            self._order.remove(key_of(before))
        if guest is not None:
            self._meant[uuid] = guest
            words = (self.state(guest), guest.name, guest.host, guest.uuid)
            self._order.put(guest, " ".join(words).lower().replace("\n", " "))

    def _look_at_the_clock(self) -> None:
        """
        See to the hosts that have fallen silent.  They come first, so nothing is
        searched.
        """
        now = self._clock.seconds()
        for name, host in list(islice(self._hosts.items(), self.MOST_LATE)):
            if now - host.heard <= self.FORGOTTEN_AFTER:
                break
            self._replace(name, {})
            del self._hosts[name]
            self._silent.discard(name)
            self._forgotten(name)
        known = len(self._silent)
        for name, host in list(islice(self._hosts.items(), known, known + self.MOST_LATE)):
            if now - host.heard <= self.SILENT_AFTER:
                break
            self._silent.add(name)
            self._replace(name, host.guests, all_of_them=True)


def _place_of(guest: Guest) -> tuple[Key, str]:
    """
    Where it is listed, and what the policy knows it by.
    """
    return key_of(guest), guest.owner


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
