"""
Tests for L{computeagent.foundry}: whose descriptors are whose, and how long.
"""

from __future__ import annotations

import json
import os

from twisted.internet.defer import TimeoutError
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport
from twisted.trial.unittest import SynchronousTestCase

from computeagent.foundry import FoundryGone, _Talk


class Wire(StringTransport):
    """A transport that has sent nothing yet."""

    def __init__(self) -> None:
        super().__init__()
        self.queued: list[int] = []

    def sendFileDescriptor(self, descriptor: int) -> None:
        self.queued.append(descriptor)


class TalkTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock, self.wire, self.lost = Clock(), Wire(), list[str]()
        self.talk = _Talk(self.clock, lambda stuck: self.lost.append("stuck" if stuck else "lost"))
        self.talk.makeConnection(self.wire)
        self.handed = os.open("/dev/null", os.O_RDWR)
        self.addCleanup(os.close, self.handed)

    def open_ones(self) -> list[int]:
        """@return: of what is queued, what is the file that was meant."""
        meant = os.fstat(self.handed)
        there = [each for each in self.wire.queued if os.path.exists(f"/proc/self/fd/{each}")]
        return [each for each in there if os.path.samestat(os.fstat(each), meant)]

    def test_late(self) -> None:
        """
        Whoever asked waits no longer, but what is still to be sent is open until it is sent:
        its number would be another file's by then.
        """
        asked = self.talk.fork(["--title", "a"], [self.handed] * 4, "a")

        self.clock.advance(_Talk.PATIENCE + 1)

        self.failureResultOf(asked, TimeoutError)
        self.assertEqual(len(self.wire.queued), 4)
        self.assertEqual(self.open_ones(), self.wire.queued)
        self.talk.lineReceived(json.dumps({"failed": "late"}).encode())
        self.assertEqual(self.open_ones(), [])

    def test_stuck(self) -> None:
        """
        One that leaves two in turn without an answer is left to itself, so that not each that
        follows has to wait; one that answers in between is not.
        """
        self.wire.abortConnection = lambda: self.talk.connectionLost()  # type: ignore[method-assign]
        asked = []
        for number in range(3):
            asked.append(self.talk.fork([], [self.handed] * 4, str(number)))
            self.clock.advance(_Talk.PATIENCE + 1)
            if number == 0:
                self.talk.lineReceived(json.dumps({"failed": "late"}).encode())

        for each in asked:
            self.failureResultOf(each, TimeoutError)
        self.assertEqual(self.lost, ["stuck"])
        self.failureResultOf(self.talk.fork([], [self.handed], "c"), FoundryGone)

    def test_gone(self) -> None:
        """
        With the foundry goes what was to be sent to it.
        """
        asked = [self.talk.fork([], [self.handed] * 4, name) for name in ("a", "b")]
        self.clock.advance(_Talk.PATIENCE / 2)

        self.talk.connectionLost()

        for each in asked:
            self.failureResultOf(each, FoundryGone)
        self.failureResultOf(self.talk.fork([], [self.handed], "c"), FoundryGone)
        self.assertEqual((self.open_ones(), self.lost), ([], ["lost"]))
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_no_copy(self) -> None:
        """
        Where not all can be copied, none is, and nothing waits.
        """
        before = set(os.listdir("/proc/self/fd"))

        self.assertRaises(OSError, self.talk.fork, [], [self.handed, self.handed, -1], "a")

        self.assertEqual(set(os.listdir("/proc/self/fd")), before)
        self.assertEqual((self.wire.queued, self.clock.getDelayedCalls()), ([], []))
