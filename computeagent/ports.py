"""
The range of TCP ports that consoles listen on.
"""

from __future__ import annotations

import errno
import random
import re
import socket
from dataclasses import dataclass
from ipaddress import ip_address

BACKLOG = 128


class PortsExhausted(Exception):
    """
    Every port of the range is taken.
    """

    def __init__(self, first: int, last: int) -> None:
        super().__init__(first, last)
        self.first = first
        self.last = last


@dataclass(frozen=True, slots=True)
class PortRange:
    """
    @ivar first: the lowest port.
    @ivar last: the highest, which belongs to the range too.
    """

    first: int
    last: int

    def __str__(self) -> str:
        return f"{self.first}-{self.last}"

    @classmethod
    def parse(cls, text: str) -> PortRange:
        """
        @param text: C{FIRST-LAST}.
        @raise ValueError: it is no such range.
        """
        match = re.fullmatch(r"\s*([0-9]{1,5})\s*-\s*([0-9]{1,5})\s*", text)
        if match is None:
            raise ValueError(f"a port range looks like 10000-12000, not {text!r}")
        first, last = int(match[1]), int(match[2])
        if not 1 <= first <= last <= 65535:
            raise ValueError(f"the port range {text!r} does not lie in 1 to 65535, low to high")
        return cls(first, last)

    def bind(self, address: str, wanted: int | None = None) -> socket.socket:
        """
        Listen on a port of the range, chosen at random.  Binding is the test
        whether a port is free, so nobody can take it in between.

        @param address: an IP address of this host; not 0.0.0.0 or C{::}.
        @param wanted: a port of the range that is tried first.
        @return: a socket that listens and does not block.
        @raise PortsExhausted: all are taken.
        @raise OSError: the address is not ours.
        """
        family = socket.AF_INET6 if ip_address(address).version == 6 else socket.AF_INET
        ports = random.sample(range(self.first, self.last + 1), self.last - self.first + 1)
        if wanted is not None and self.first <= wanted <= self.last:
            ports.insert(0, wanted)
        for port in ports:
            listening = socket.socket(family, socket.SOCK_STREAM)
            try:
                # Without it a port stays closed for a minute after its console.
                listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                listening.bind((address, port))
                listening.listen(BACKLOG)
                listening.setblocking(False)
                return listening
            except OSError as error:
                listening.close()
                if error.errno not in (errno.EADDRINUSE, errno.EACCES):
                    raise
        raise PortsExhausted(self.first, self.last)
