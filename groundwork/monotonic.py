"""
The reactor's time, counted by a clock that only goes forward.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Any

from twisted.internet.interfaces import IDelayedCall, IReactorTime
from zope.interface import implementer


@implementer(IReactorTime)
class MonotonicClock:
    """
    The reactor counts by the wall clock, which can be set: whatever compares
    moments (tokens, idle times) would then expire early or never.  This one
    tells C{time.monotonic()} and lets the reactor do the waking.

    A wake-up can still come early or late by as much as the wall clock is set
    meanwhile, so who is woken looks at L{seconds} and sleeps on if need be.
    """

    def __init__(self, reactor: IReactorTime) -> None:
        self._reactor = reactor

    def seconds(self) -> float:
        return time.monotonic()

    def callLater(
        self, delay: float, callable: Callable[..., Any], *args: object, **kwargs: object
    ) -> IDelayedCall:
        return self._reactor.callLater(delay, callable, *args, **kwargs)

    def getDelayedCalls(self) -> Sequence[IDelayedCall]:
        return self._reactor.getDelayedCalls()
