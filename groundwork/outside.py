"""
What a request was before reverse proxies passed it on to us.

  X-Forwarded-For: 203.0.113.9, 10.0.0.1      who asked; each proxy adds whom it heard
  X-Forwarded-Proto: https                    how
  X-Forwarded-Host: console.example.org       by which name
  Forwarded: for=203.0.113.9;proto=https;host=console.example.org       the same (RFC 7239)

Anybody can write these, so they are believed from addresses alone that were named
to us; and only one of the two kinds is, since a proxy that writes one of them
lets the other pass as a client has written it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from ipaddress import (
    IPv4Address,
    IPv4Network,
    IPv6Address,
    IPv6Network,
    ip_address,
    ip_network,
)
from typing import NamedTuple

from twisted.internet.address import IPv4Address as TCP4
from twisted.internet.address import IPv6Address as TCP6
from twisted.web.http_headers import Headers
from twisted.web.server import Request

from groundwork.manners import HostRule, parse_host

KINDS = ("x-forwarded", "forwarded")

MOST_HOPS = 20
"""Addresses in one request that are looked at."""

_PAIR = re.compile(
    r"""\s*(?P<key>[A-Za-z-]+)=(?:"(?P<quoted>[^"\\]*)"|(?P<plain>[^\s";,=]+))\s*(?:;|$)"""
)


class Hop(NamedTuple):
    """What one proxy says of whom it heard; C{""} for what it does not say."""

    address: str
    scheme: str
    host: str


class Outside:
    """
    Which proxies are believed, and where below their roots we are.
    """

    def __init__(
        self,
        trusted: Iterable[str] = (),
        kind: str = KINDS[0],
        base_path: str = "/",
        hosts: HostRule | None = None,
    ) -> None:
        """
        @param trusted: addresses and networks, such as C{10.0.0.0/8}; C{unix} for
            who comes by a unix socket.
        @param kind: one of L{KINDS}.
        @param base_path: of our root as browsers see it.  Whether a proxy takes it away or
            not does not matter.
        @param hosts: which names are ours.  A name that came to us and is none of ours is
            kept, so that it is refused: whoever let that one through may have let
            C{X-Forwarded-Host} through as well, as a client wrote it.
        @raise ValueError: one of them is none; a sentence.
        """
        self._unix = False
        self._networks: list[IPv4Network | IPv6Network] = []
        for text in trusted:
            if text == "unix":
                self._unix = True
                continue
            try:
                self._networks.append(ip_network(text))
            except ValueError:
                raise ValueError(
                    f"--trusted-proxy {text}: an address or a network is wanted, such as "
                    "10.0.0.7 or 10.0.0.0/24, or unix"
                ) from None
        if kind not in KINDS:
            raise ValueError(f"--trusted-header is {' or '.join(KINDS)}")
        self._read = _read_x_forwarded if kind == KINDS[0] else _read_forwarded
        self._base_path = base_path.encode("ascii")
        self._hosts = hosts

    def restore(self, request: Request) -> None:
        """
        Let C{request} be what it was outside: from its client, by the name and
        over the kind of connection that the client used, and below our root.
        """
        if self._base_path != b"/" and request.uri.startswith(self._base_path):
            request.uri = request.uri[len(self._base_path) - 1 :]
            request.path = request.uri.partition(b"?")[0]
        if not self._unix and not self._networks:
            return
        peer = request.getClientAddress()
        if not self._trusts(getattr(peer, "host", None)):
            return
        try:
            hops = self._read(request.requestHeaders)[-MOST_HOPS:]
        except ValueError:
            return
        if not hops:
            return
        scheme, host = hops[-1].scheme, hops[-1].host
        for hop in reversed(hops):
            if not _is_address(hop.address):
                break
            kind = TCP6 if ":" in hop.address else TCP4
            request.client = kind("TCP", hop.address, 0)
            if not self._trusts(hop.address):
                break
        if parse_host(host) is not None and (
            self._hosts is None or self._hosts.is_ours(request.requestHeaders)
        ):
            request.requestHeaders.setRawHeaders(b"Host", [host.encode("ascii")])
        if scheme in ("http", "https"):
            # What Request.setHost does; that would also write the port anew.
            request._forceSSL = scheme == "https"

    def _trusts(self, address: str | None) -> bool:
        if address is None:
            return self._unix
        try:
            found = _plain(address)
        except ValueError:
            return False
        return any(found in network for network in self._networks)


def neighbourhood(address: str) -> str:
    """
    @return: what is slowed down together with an address: itself, or of IPv6 the
        network of 64 bits, all of which one user has.
    """
    try:
        found = _plain(address)
    except ValueError:
        return ""
    if isinstance(found, IPv6Address):
        return str(IPv6Network((int(found) >> 64 << 64, 64)))
    return str(found)


def _plain(address: str) -> IPv4Address | IPv6Address:
    found = ip_address(address.partition("%")[0])
    if isinstance(found, IPv6Address) and found.ipv4_mapped is not None:
        return found.ipv4_mapped
    return found


def _is_address(text: str) -> bool:
    try:
        ip_address(text)
    except ValueError:
        return False
    return True


def _read_x_forwarded(headers: Headers) -> list[Hop]:
    """
    @return: what proxies have said, the nearest last.
    @raise ValueError: it can't be read.
    """
    addresses = _listed(headers, "X-Forwarded-For")
    schemes = _listed(headers, "X-Forwarded-Proto")
    hosts = _listed(headers, "X-Forwarded-Host")
    if not (addresses or schemes or hosts):
        return []
    hops = [Hop(_without_port(address), "", "") for address in addresses] or [Hop("", "", "")]
    scheme = schemes[-1].lower() if schemes else ""
    hops[-1] = hops[-1]._replace(scheme=scheme, host=hosts[-1] if hosts else "")
    return hops


def _read_forwarded(headers: Headers) -> list[Hop]:
    hops = []
    for element in _listed(headers, "Forwarded"):
        said, at = {}, 0
        while at < len(element):
            pair = _PAIR.match(element, at)
            if pair is None:
                raise ValueError("it is not as RFC 7239 has it")
            said[pair["key"].lower()] = pair["plain"] or pair["quoted"] or ""
            at = pair.end()
        address = _without_port(said.get("for", ""))
        hops.append(Hop(address, said.get("proto", "").lower(), said.get("host", "")))
    return hops


def _listed(headers: Headers, name: str) -> list[str]:
    lines = headers.getRawHeaders(name.encode("ascii"), [])
    text = ",".join(line.decode("ascii") for line in lines)
    return [part for each in text.split(",") if (part := each.strip())]


def _without_port(address: str) -> str:
    """RFC 7239, 6: C{192.0.2.1:80} and C{[2001:db8::1]:80} have one."""
    if address.startswith("["):
        return address[1:].partition("]")[0]
    return address.partition(":")[0] if address.count(":") == 1 else address
