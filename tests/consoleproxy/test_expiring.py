"""
Tests for L{consoleproxy.expiring} and L{consoleproxy.tables}.
"""

from __future__ import annotations

import gc

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from consoleproxy.expiring import ExpiringDict
from consoleproxy.tables import Tables

KEYS = st.sampled_from("abcd")


class ExpiringTests(SynchronousTestCase):
    """
    Entries live for their lifetimes, and cost the same however many there are.
    """

    def setUp(self) -> None:
        self.clock = Clock()
        self.forgotten: list[tuple[str, tuple[int]]] = []
        self.entries: ExpiringDict[str, tuple[int]] = ExpiringDict(
            self.clock, lambda key, value: self.forgotten.append((key, value))
        )

    def sweep(self) -> int:
        """
        @return: the steps that a round took.
        """
        steps = 1
        while self.entries.sweep():
            steps += 1
        return steps

    def test_lives_for_its_lifetime(self) -> None:
        """
        An entry is there until its time is over, and not an instant longer.
        """
        self.entries.set("a", (1,), 10.0)

        self.clock.advance(9.9)
        self.assertEqual(self.entries.get("a"), (1,))
        self.assertIn("a", self.entries)
        self.clock.advance(0.1)

        self.assertIsNone(self.entries.get("a"))
        self.assertNotIn("a", self.entries)

    def test_each_has_its_own_lifetime(self) -> None:
        """
        What was set first need not go first.
        """
        self.entries.set("long", (1,), 20.0)
        self.entries.set("short", (2,), 5.0)

        self.clock.advance(10)
        self.sweep()

        self.assertEqual(self.forgotten, [("short", (2,))])
        self.assertEqual(self.entries.get("long"), (1,))

    def test_taken_out_is_not_told(self) -> None:
        """
        Who takes something out knows it already.
        """
        self.entries.set("a", (1,), 10.0)

        self.assertEqual(self.entries.pop("a"), (1,))
        self.assertIsNone(self.entries.pop("a"))
        self.clock.advance(20)
        self.sweep()

        self.assertEqual(self.forgotten, [])
        self.assertEqual(len(self.entries), 0)

    def test_taken_out_too_late(self) -> None:
        """
        What has expired can't be had any more; that it is gone is told once.
        """
        self.entries.set("a", (1,), 10.0)
        self.clock.advance(10)

        self.assertIsNone(self.entries.pop("a"))
        self.sweep()

        self.assertEqual(self.forgotten, [("a", (1,))])

    def test_a_step_is_bounded(self) -> None:
        """
        Ten thousand that expire together keep nobody waiting: a step looks at few, and all
        steps together come to all.
        """
        for number in range(10_000):
            self.entries.set(str(number), (number,), 10.0)
        self.clock.advance(10)

        self.entries.sweep()
        first = len(self.forgotten)
        steps = self.sweep()

        self.assertLess(first, 2 * ExpiringDict.SLICE)
        self.assertGreater(steps, 20)
        self.assertEqual(len(self.entries), 0)
        self.assertEqual(len(self.forgotten), 10_000)

    def test_a_step_is_bounded_in_time(self) -> None:
        """
        One that takes long, since whoever is told does, ends early, and the next goes on.
        """
        for number in range(10):
            self.entries.set(str(number), (number,), 10.0)
        self.clock.advance(10)
        self.entries._forgotten = lambda key, value: self.clock.advance(ExpiringDict.LONGEST * 1.1)

        steps = self.sweep()

        self.assertEqual(steps, 11)
        self.assertEqual(len(self.entries), 0)

    def test_making_room(self) -> None:
        """
        Of some, the one that would expire next makes room, and is told of.
        """
        entries: ExpiringDict[int, tuple[int]] = ExpiringDict(
            self.clock, lambda key, value: self.forgotten.append((str(key), value))
        )
        entries.set(1, (1,), 10.0)
        entries.set(1 + Tables.COUNT, (2,), 5.0)

        entries.make_room()

        self.assertEqual(self.forgotten, [(str(1 + Tables.COUNT), (2,))])
        entries.make_room()
        entries.make_room()
        self.assertEqual(len(entries), 0)

    def test_garbage_collector_has_nothing_to_do(self) -> None:
        """
        A million entries would keep it busy for half a second.
        """
        gc.collect()
        before = len(gc.get_objects())

        for number in range(5_000):
            self.entries.set(str(number), (number,), 10.0)

        self.assertLess(len(gc.get_objects()) - before, 1_000)


class _Model(RuleBasedStateMachine):
    """
    Beside it runs a plain C{dict} of moments.
    """

    def __init__(self) -> None:
        super().__init__()
        self.clock = Clock()
        self.forgotten: list[str] = []
        self.entries: ExpiringDict[str, tuple[int]] = ExpiringDict(
            self.clock, lambda key, value: self.forgotten.append(key)
        )
        self.model: dict[str, tuple[float, tuple[int]]] = {}

    def alive(self, key: str) -> tuple[int] | None:
        expiry, value = self.model.get(key, (0.0, (0,)))
        return value if expiry > self.clock.seconds() else None

    @rule(key=KEYS, value=st.integers(1, 9), lifetime=st.integers(1, 12))
    def set(self, key: str, value: int, lifetime: int) -> None:
        self.entries.set(key, (value,), lifetime)
        self.model[key] = self.clock.seconds() + lifetime, (value,)

    @rule(key=KEYS)
    def take_out(self, key: str) -> None:
        assert self.entries.pop(key) == self.alive(key)
        self.model.pop(key, None)

    @rule(seconds=st.integers(1, 12))
    def advance(self, seconds: int) -> None:
        self.clock.advance(seconds)

    @rule()
    def sweep(self) -> None:
        while self.entries.sweep():
            pass
        assert len(self.entries) == sum(self.alive(key) is not None for key in self.model)

    @invariant()
    def same(self) -> None:
        for key in "abcd":
            assert self.entries.get(key) == self.alive(key)
            assert (key in self.entries) == (self.alive(key) is not None)


class ModelTests(SynchronousTestCase):
    """
    Whatever is done to it in whatever order, it answers as a plain dictionary of moments.
    """

    def test_against_the_model(self) -> None:
        """
        Two hundred plays of up to thirty steps.
        """
        machine = _Model.TestCase("runTest")
        machine.settings = settings(
            max_examples=200,
            stateful_step_count=30,
            derandomize=True,
            database=None,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        )

        machine.runTest()
