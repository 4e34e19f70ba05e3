"""
Who can reach an address that a server listens on, told from its endpoint string.
"""

from __future__ import annotations

import re
from ipaddress import ip_address

_PART = re.compile(r"((?:[^:\\]|\\.)*)(?::|$)")
_INTERFACE_AT = {"tcp": 2, "tcp6": 2, "ssl": 4}
"""
Where an endpoint's interface stands when it is not named.
"""


def is_private(endpoint: str) -> bool:
    """
    Whether only this machine reaches C{endpoint}: a loopback interface or a
    unix socket.  What is not understood is not private.
    """
    kind, *words = _split(endpoint)
    if kind == "unix":
        return True
    if kind not in _INTERFACE_AT:
        return False
    interface = ""
    for position, word in enumerate(words, 1):
        name, equals, value = word.partition("=")
        if equals and name == "interface":
            interface = value
        elif not equals and position == _INTERFACE_AT[kind]:
            interface = word
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
    parts = [re.sub(r"\\(.)", r"\1", match[1]) for match in _PART.finditer(endpoint)]
    return parts or [""]
