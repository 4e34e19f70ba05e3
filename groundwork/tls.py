"""
Who speaks no TLS need not load it.

Twisted loads OpenSSL wherever it is installed, with whatever connects or listens: 13 MB and
0.1 s of each process (measured).  So what a daemon is told is read first, and its network is
imported after that.
"""

from __future__ import annotations

import sys

PLAIN = ("tcp:", "tcp6:", "unix:", "systemd:", "amqp:", "memory:")
"""How endpoints and URLs begin that are known to be without."""


def spare_tls(*places: str | None) -> bool:
    """
    Do without TLS in this process, if nothing needs it.  It can't be had afterwards.

    @param places: all endpoints and URLs of brokers that the process will use; C{None} is none.
    @return: whether it is without.  If something has loaded it before, nothing changes.
    """
    if not all(place is None or place.startswith(PLAIN) for place in places):
        return False
    # Twisted takes it for not installed.
    return sys.modules.setdefault("OpenSSL", None) is None  # type: ignore[arg-type]
