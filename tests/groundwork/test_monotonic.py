"""
Tests for L{groundwork.monotonic}.
"""

from __future__ import annotations

import time

from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from groundwork.monotonic import MonotonicClock


class MonotonicClockTests(SynchronousTestCase):
    def test_counts_by_the_monotonic_clock(self) -> None:
        """
        Whatever the wall clock says, time goes forward.
        """
        before = time.monotonic()

        told = MonotonicClock(Clock()).seconds()

        self.assertTrue(before <= told <= time.monotonic())

    def test_wakes_by_the_reactor(self) -> None:
        """
        Calls are made by the reactor's own clock, with their arguments.
        """
        reactor, called = Clock(), []
        clock = MonotonicClock(reactor)
        self.assertTrue(verifyObject(IReactorTime, clock))

        call = clock.callLater(5, lambda *a, **k: called.append((a, k)), 1, two=2)
        self.assertEqual(list(clock.getDelayedCalls()), [call])
        reactor.advance(5)

        self.assertEqual(called, [((1,), {"two": 2})])
