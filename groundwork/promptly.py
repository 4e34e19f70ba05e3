"""
Writing without a detour through the reactor, and what of it has not left.

C{transport.write} keeps what it gets until the reactor's next turn: for one key that is two
C{epoll_ctl}, an C{epoll_wait} and a turn, some 15 µs here, at each of the four
hops of a keystroke and its echo (measured).
"""

from __future__ import annotations

from typing import Any

from twisted.internet.abstract import FileDescriptor


def write_promptly(transport: Any, data: bytes) -> bool:
    """
    Write C{data} at once if nothing is queued before it; what the kernel does
    not take, and everything for a transport that is no plain descriptor (TLS is
    none), goes the usual way, with its producers and its order.

    @return: whether all of it has left.  If so, no producer is asked for more.
    """
    if (
        isinstance(transport, FileDescriptor)
        and transport.connected
        and not transport.disconnecting
        and not transport.dataBuffer
        and not transport._tempDataBuffer
        and not getattr(transport, "TLS", False)
    ):
        sent = transport.writeSomeData(data)
        # A connection that is lost is told by the usual way too.
        if isinstance(sent, int) and sent > 0:
            if sent == len(data):
                return True
            data = data[sent:]
    transport.write(data)
    return False


def queued(transport: Any) -> int:
    """
    @return: bytes that were written to C{transport}, which may be under TLS, and that the
        kernel does not have yet.
    """
    below = getattr(transport, "transport", transport)
    if not isinstance(below, FileDescriptor):
        return 0
    return len(below.dataBuffer) - below.offset + below._tempDataLen
