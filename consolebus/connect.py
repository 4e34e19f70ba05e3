"""
From a URL to a bus::

    memory:
    amqp://USER:PASSWORD@HOST:PORT/VHOST
    amqps://USER:PASSWORD@HOST:PORT/VHOST?ca=/etc/ssl/broker-ca.pem&cert=/etc/ssl/own.pem

What is left out is what RabbitMQ has from the start: C{guest}, C{guest}, port
5672 (5671 with TLS), and the vhost C{/}.  A character that means something in
a URL is written as its percent code: the vhost C{/consoles} is C{%2Fconsoles}.
C{amqps} checks the broker's certificate and name, against what the system
trusts or against the certificates in C{ca}.  To a broker that wants to see one, it shows the
certificate in C{cert}, a file that holds its key too.

A URL holds a password, so no sentence here repeats any part of one.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import SplitResult, parse_qsl, unquote_to_bytes, urlsplit

from twisted.internet.endpoints import HostnameEndpoint, wrapClientTLS
from twisted.internet.interfaces import IStreamClientEndpoint

from consolebus.ibus import IConsoleBus
from consolebus.memory import MemoryBroker, MemoryBus
from consolebus.station import OnRefused
from groundwork.monotonic import MonotonicClock

CONNECT_TIMEOUT = 10.0
"""Seconds for an attempt to connect to the broker."""

_CERTIFICATE = re.compile(rb"-----BEGIN CERTIFICATE-----.+?-----END CERTIFICATE-----\n?", re.DOTALL)

_PORTS = {"amqp": 5672, "amqps": 5671}


@dataclass(frozen=True, slots=True)
class BrokerAddress:
    """
    Where a broker is, and who we are there.

    @ivar tls: whether to speak TLS.
    @ivar ca: the path of a PEM file with the certificates to trust instead of
        the system's; empty for those.
    @ivar cert: the path of a PEM file with our own certificate and its key; empty for
        none.
    """

    host: str
    port: int
    user: str
    password: str = field(repr=False)
    vhost: str
    tls: bool = False
    ca: str = ""
    cert: str = ""


def bus_from_url(
    url: str,
    reactor: Any,
    on_refused: OnRefused | None = None,
    broker: MemoryBroker | None = None,
) -> IConsoleBus:
    """
    @param reactor: connects, and tells the time.
    @param on_refused: called with a topic that another process serves already.
    @param broker: where the buses of one process meet, if C{url} is
        C{memory:}; without it, that bus has nobody else on it.
    @raise ValueError: C{url} is none of ours; a sentence for people.
    """
    if url in ("memory:", "memory://"):
        return MemoryBus(broker or MemoryBroker(reactor), reactor, on_refused)
    address = parse_amqp_url(url)

    # Only who speaks AMQP needs txAMQP.
    from consolebus.amqp import AmqpBus
    from consolebus.link import Login

    return AmqpBus(
        MonotonicClock(reactor),
        _endpoint(address, reactor),
        Login(address.user, address.password, address.vhost),
        on_refused,
        where=f"the broker at {address.host}:{address.port}",
    )


def parse_amqp_url(url: str) -> BrokerAddress:
    """
    @raise ValueError: C{url} is wrong; a sentence for people that repeats
        nothing of it.
    """
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        # The exception quotes what may be the password.
        raise ValueError(
            "The bus URL is malformed; in a user name or password,"
            " write : / ? # [ ] @ as percent codes"
        ) from None
    if parts.scheme not in _PORTS:
        raise ValueError("The bus URL must begin with memory:, amqp:// or amqps://")
    if not parts.hostname:
        raise ValueError("The bus URL names no host")
    if parts.fragment or "@" in parts.path or "@" in parts.query:
        raise ValueError("In the bus URL's user name or password, write # / ? @ as percent codes")
    if port == 0:
        raise ValueError("The bus URL's port is not between 1 and 65535")
    files = _files(parts)
    return BrokerAddress(
        host=parts.hostname,
        port=port or _PORTS[parts.scheme],
        user=_short("user name", parts.username, "guest"),
        password=_short("password", parts.password, "guest"),
        vhost=_vhost(parts),
        tls=parts.scheme == "amqps",
        ca=files.get("ca", ""),
        cert=files.get("cert", ""),
    )


def _endpoint(address: BrokerAddress, reactor: Any) -> IStreamClientEndpoint:
    endpoint = HostnameEndpoint(reactor, address.host, address.port, timeout=CONNECT_TIMEOUT)
    if not address.tls:
        return endpoint
    from twisted.internet.ssl import optionsForClientTLS, platformTrust

    trust = _trust(address.ca) if address.ca else platformTrust()
    own = _own_certificate(address.cert) if address.cert else None
    return wrapClientTLS(optionsForClientTLS(address.host, trust, own), endpoint)


def _trust(path: str) -> Any:
    """
    The certificates in a PEM file, in place of the system's.
    """
    try:
        pem = Path(path).read_bytes()
    except OSError as problem:
        raise ValueError(f"The file in the bus URL's ca= cannot be read: {problem}") from None
    from twisted.internet.ssl import Certificate, trustRootFromCertificates

    blocks = _CERTIFICATE.findall(pem)
    try:
        certificates = [Certificate.loadPEM(block) for block in blocks]
    except Exception:
        certificates = []
    if not certificates:
        raise ValueError("The file in the bus URL's ca= holds no PEM certificate")
    return trustRootFromCertificates(certificates)


def _own_certificate(path: str) -> Any:
    try:
        pem = Path(path).read_bytes()
    except OSError as problem:
        raise ValueError(f"The file in the bus URL's cert= cannot be read: {problem}") from None
    from twisted.internet.ssl import PrivateCertificate

    try:
        own: PrivateCertificate = PrivateCertificate.loadPEM(pem)
    except Exception:
        raise ValueError(
            "The file in the bus URL's cert= must hold a PEM certificate and its key"
        ) from None
    return own


def _vhost(parts: SplitResult) -> str:
    path = parts.path[1:]
    if "/" in path:
        raise ValueError("The bus URL's vhost contains a /; write it as %2F")
    return _short("vhost", path, "") or "/"


def _files(parts: SplitResult) -> dict[str, str]:
    if not parts.query:
        return {}
    try:
        parameters = parse_qsl(parts.query, keep_blank_values=True, strict_parsing=True)
    except ValueError:
        parameters = [("", "")]
    files = dict(parameters)
    if not set(files) <= {"ca", "cert"} or len(files) < len(parameters) or "" in files.values():
        raise ValueError("The bus URL takes two parameters, ca= and cert=, each the path of a file")
    if parts.scheme != "amqps":
        raise ValueError("The bus URL's ca= and cert= mean something with amqps:// only")
    return files


def _short(what: str, quoted: str | None, default: str) -> str:
    """
    What AMQP can carry as a short string (0-9-1, 4.2.5.3), unquoted.
    """
    if quoted is None:
        return default
    raw = unquote_to_bytes(quoted)
    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError:
        raise ValueError(f"The bus URL's {what} is not UTF-8") from None
    if len(raw) > 255 or "\0" in text:
        raise ValueError(f"The bus URL's {what} is longer than 255 bytes, or contains a zero byte")
    return text
