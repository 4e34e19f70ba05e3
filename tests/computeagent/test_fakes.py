"""
Tests for L{tests.computeagent.fakes}: the workshop whose children are none keeps the contract.
"""

from __future__ import annotations

from typing import Any

from twisted.internet.task import Clock
from twisted.trial.unittest import TestCase

from tests.computeagent.fakes import FakeWorkshop
from tests.computeagent.workshopcontract import WorkshopContract


class FakeWorkshopTests(WorkshopContract, TestCase):
    """
    What the other tests build on behaves as the real one.
    """

    def setUp(self) -> None:
        self.clock = Clock()
        self.workshop = FakeWorkshop(self.clock)

    def wait(self, deferred: Any) -> Any:  # type: ignore[override]
        self.clock.advance(1)
        return deferred
