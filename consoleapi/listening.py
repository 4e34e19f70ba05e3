"""
Who can reach an address that a server listens on, told from its endpoint string.
"""

from __future__ import annotations

import re
from ipaddress import ip_address

_TOKEN = re.compile(r"\\.|.", re.DOTALL)
_WITH_INTERFACE = ("tcp", "tcp6", "ssl")


def is_private(endpoint: str) -> bool:
    """
    Whether only this machine reaches C{endpoint}: a loopback interface, named
    as such, or a unix socket.  What is not understood is not private.
    """
    kind, *words = _split(endpoint)
    if kind == "unix":
        return True
    if kind not in _WITH_INTERFACE:
        return False
    interface = ""
    for word in words:
        name, _, value = word.partition("=")
        if name == "interface":
            interface = value
    if interface.lower() == "localhost":
        return True
    try:
        return ip_address(interface).is_loopback
    except ValueError:
        return False


def _split(endpoint: str) -> list[str]:
    """
    Twisted's syntax: words between colons, in which a backslash takes the
    meaning away from the next character.
    """
    parts = [""]
    for token in _TOKEN.findall(endpoint):
        if token == ":":
            parts.append("")
        else:
            parts[-1] += token[-1]
    return parts
