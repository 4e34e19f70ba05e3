"""
Who would accept a TCP connection, as far as the kernel tells: of those that listen on the
port, those on the very address; and if there are none, those on every address.
"""

from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address, ip_address
from pathlib import Path

_LISTENS = "0A"

Address = IPv4Address | IPv6Address


def inodes_listening(host: str, port: int) -> list[str]:
    """
    @param host: an IP address.
    @return: their sockets' inodes; several may share an address (C{SO_REUSEPORT}).
    """
    wanted = _plain(ip_address(host))
    exact, everywhere = [], []
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        try:
            rows = Path(table).read_text("ascii").splitlines()[1:]
        except OSError:
            continue
        for row in rows:
            words = row.split()
            written, _, number = words[1].rpartition(":")
            if words[3] != _LISTENS or int(number, 16) != port:
                continue
            address = _address(written)
            if address == wanted:
                exact.append(words[9])
            elif address.is_unspecified and wanted.version <= address.version:
                everywhere.append(words[9])
    return exact or everywhere


def _address(written: str) -> Address:
    """
    @param written: 32-bit words in hex, each in the host's byte order, which is little-endian
        on whatever runs KVM.
    """
    packed = bytes.fromhex(written)
    words = [packed[start : start + 4][::-1] for start in range(0, len(packed), 4)]
    return _plain(ip_address(b"".join(words)))


def _plain(address: Address) -> Address:
    """IPv4 in IPv6's clothes is IPv4."""
    return getattr(address, "ipv4_mapped", None) or address
