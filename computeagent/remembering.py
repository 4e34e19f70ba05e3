"""
A terminal is told what the guest said before it was there, or before it was joined to
the guest again.
"""

from __future__ import annotations

import os
from base64 import b64encode
from collections.abc import Callable
from typing import Any

from twisted.internet.defer import Deferred, TimeoutError
from twisted.logger import Logger

from computeagent.domainxml import SerialDevice
from computeagent.guestline import GuestLine
from computeagent.guestlog import Before, LogRefused
from computeagent.orders import OrderFailed, TerminalGone
from computeagent.place import Place

Remember = Callable[[SerialDevice, str, int, int | None], Deferred[Before]]
"""C{remember(device, uuid, descriptor, since)}: L{computeagent.guestlog.read_log} in a
thread."""

UNSURE = "The guest's log ends here. What follows may say the last of it again."

_PART = 32 * 1024
"""Bytes that fit into one order."""

_log = Logger()


async def tell_before(
    orders: Any, remember: Remember, line: GuestLine, place: Place, order: str = "prefill"
) -> None:
    """
    @param orders: of a terminal to which nothing is joined yet.
    @param order: C{prefill} for all there is; C{missed} for what came since the guest's
        last life.
    """
    since = line.logged if order == "missed" else None
    if line.descriptor is None or not line.device.log or (order == "missed" and since is None):
        return
    descriptor = None
    try:
        # Ours may be closed while a thread looks at it.
        descriptor = os.dup(line.descriptor)
        before = await remember(line.device, place.uuid, descriptor, since)
        for start in range(0, len(before.output), _PART):
            part = before.output[start : start + _PART]
            await orders.give(order, output=b64encode(part).decode("ascii"))
        if not before.sure:
            await orders.give("mark", text=UNSURE)
    except (LogRefused, OrderFailed, TerminalGone, TimeoutError, OSError) as why:
        _log.warn("What {title} said before is not shown: {why!r}", title=place.title, why=why)
    finally:
        if descriptor is not None:
            os.close(descriptor)
