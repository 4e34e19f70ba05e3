"""
Tests for L{consoleproxy.expiring}.
"""

from __future__ import annotations

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from consoleproxy.expiring import ExpiringDict

KEYS = st.sampled_from("abcd")


class ExpiringTests(SynchronousTestCase):
    """
    Entries live for their lifetime, and cost the same however many there are.
    """

    def setUp(self) -> None:
        self.clock = Clock()
        self.forgotten: list[tuple[str, int]] = []
        self.entries: ExpiringDict[str, int] = ExpiringDict(
            self.clock, 10.0, lambda key, value: self.forgotten.append((key, value))
        )

    def test_lives_for_its_lifetime(self) -> None:
        """
        An entry is there until its time is over, and not an instant longer.
        """
        self.entries["a"] = 1

        self.clock.advance(9.9)
        self.assertEqual(self.entries["a"], 1)
        self.clock.advance(0.1)

        self.assertRaises(KeyError, self.entries.__getitem__, "a")
        self.assertIsNone(self.entries.get("a"))
        self.assertNotIn("a", self.entries)

    def test_touched_lives_anew(self) -> None:
        """
        What is touched lives as long again.
        """
        self.entries["a"] = 1
        self.clock.advance(9)

        self.entries.touch("a")
        self.clock.advance(9)

        self.assertEqual(self.entries["a"], 1)

    def test_touching_what_is_not_there(self) -> None:
        """
        An expired entry does not come back by being touched.
        """
        self.entries["a"] = 1
        self.clock.advance(10)

        self.assertRaises(KeyError, self.entries.touch, "a")

    def test_forgotten_is_told(self) -> None:
        """
        Who keeps something about an entry elsewhere is told when it expired.
        """
        self.entries["a"] = 1
        self.clock.advance(10)

        self.entries["b"] = 2

        self.assertEqual(self.forgotten, [("a", 1)])

    def test_deleted_is_not_told(self) -> None:
        """
        Who deletes knows it already.
        """
        self.entries["a"] = 1

        del self.entries["a"]
        self.clock.advance(20)
        self.entries.sweep()

        self.assertEqual(self.forgotten, [])
        self.assertEqual(len(self.entries), 0)

    def test_one_call_forgets_few(self) -> None:
        """
        A thousand that expire together keep nobody waiting: a call forgets two.
        """
        for number in range(1000):
            self.entries[str(number)] = number
        self.clock.advance(10)

        self.entries.get("0")

        self.assertEqual(len(self.forgotten), ExpiringDict.MOST)

    def test_sweep_is_bounded(self) -> None:
        """
        A sweep forgets as many as it is told, and stops at the first that lives.
        """
        for number in range(10):
            self.entries[str(number)] = number
        self.clock.advance(10)
        self.entries["young"] = 1
        self.forgotten.clear()

        self.entries.sweep(3)
        self.assertEqual(len(self.forgotten), 3)
        self.entries.sweep()

        self.assertEqual(len(self.entries), 1)
        self.assertIn("young", self.entries)

    def test_making_room(self) -> None:
        """
        The one that would expire next makes room, and is told of.
        """
        self.entries["old"] = 1
        self.clock.advance(1)
        self.entries["young"] = 2
        self.entries.touch("old")

        self.entries.forget_oldest()

        self.assertEqual(self.forgotten, [("young", 2)])


class _Running(Clock):
    """
    A clock as real ones are: it never tells the same moment twice.
    """

    def seconds(self) -> float:
        self.advance(0.001)
        return super().seconds()


class LastMomentTests(SynchronousTestCase):
    """
    Time passes also within a call, so an entry can expire in its midst.
    """

    def setUp(self) -> None:
        self.clock = _Running()
        self.forgotten: list[str] = []
        self.entries: ExpiringDict[str, int] = ExpiringDict(
            self.clock, 10.0, lambda key, value: self.forgotten.append(key)
        )

    def test_touched_in_the_last_moment(self) -> None:
        """
        What was found alive lives on: nobody is told that it is forgotten.
        """
        for instant in range(9980, 10_001):
            self.entries["a"] = 1
            self.clock.advance(instant / 1000)
            try:
                self.entries.touch("a")
            except KeyError:
                continue
            self.assertEqual(self.forgotten, [])
            del self.entries["a"]

    def test_deleted_in_the_last_moment(self) -> None:
        """
        What was found alive can be deleted.
        """
        for instant in range(9980, 10_001):
            self.entries["a"] = 1
            self.clock.advance(instant / 1000)
            if self.entries.get("a") is not None:
                del self.entries["a"]


class _Model(RuleBasedStateMachine):
    """
    Beside it runs a plain C{dict} of moments.
    """

    LIFETIME = 10

    def __init__(self) -> None:
        super().__init__()
        self.clock = Clock()
        self.forgotten: list[str] = []
        self.entries: ExpiringDict[str, int] = ExpiringDict(
            self.clock, self.LIFETIME, lambda key, value: self.forgotten.append(key)
        )
        self.model: dict[str, tuple[float, int]] = {}

    def alive(self, key: str) -> int | None:
        expiry, value = self.model.get(key, (0.0, 0))
        return value if expiry > self.clock.seconds() else None

    @rule(key=KEYS, value=st.integers(1, 9))
    def set(self, key: str, value: int) -> None:
        self.entries[key] = value
        self.model[key] = self.clock.seconds() + self.LIFETIME, value

    @rule(key=KEYS)
    def touch(self, key: str) -> None:
        value = self.alive(key)
        try:
            self.entries.touch(key)
        except KeyError:
            assert value is None
        else:
            assert value is not None
            self.model[key] = self.clock.seconds() + self.LIFETIME, value

    @rule(key=KEYS)
    def delete(self, key: str) -> None:
        if self.alive(key) is not None:
            del self.entries[key]
            del self.model[key]

    @rule(seconds=st.integers(1, 12))
    def advance(self, seconds: int) -> None:
        self.clock.advance(seconds)

    @rule()
    def sweep(self) -> None:
        self.entries.sweep()
        assert len(self.entries) == sum(self.alive(key) is not None for key in self.model)

    @invariant()
    def same(self) -> None:
        for key in "abcd":
            assert self.entries.get(key) == self.alive(key)


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
