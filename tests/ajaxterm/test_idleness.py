"""
Tests for L{ajaxterm.idleness}: how long a console lives without being used.
"""

from __future__ import annotations

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from ajaxterm.idleness import Idleness, Limits
from ajaxterm.viewer import End, Event


class IdlenessTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock = Clock()
        self.ends: list[End] = []
        self.told: list[Event] = []

    def limited(self, **limits: float) -> Idleness:
        known = Limits(**{"idle": 0.0, **limits})
        return Idleness(self.clock, known, self.ends.append, self.told.append)

    def reasons(self) -> list[object]:
        """
        @return: of all countdowns that were told.
        """
        return [event["reason"] for event in self.told]

    def over(self) -> list[str]:
        return [end.reason for end in self.ends]

    def test_nobody_types(self) -> None:
        """
        A minute before the end there is a countdown; then it ends.
        """
        idleness = self.limited(input=600)
        idleness.who_is_there(True, True)
        self.clock.advance(539)
        self.assertIsNone(idleness.ending())

        self.clock.advance(1)
        [told] = self.told
        self.assertEqual((told["event"], told["reason"], told["in"]), ("ending", "input", 60.0))
        self.clock.advance(20)
        self.assertEqual((idleness.ending() or {})["in"], 40.0)
        self.assertEqual(self.over(), [])
        self.clock.advance(40)

        self.assertEqual(self.over(), ["input"])
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_one_that_lasts(self) -> None:
        """
        Where nobody need be there, nobody need type either; who comes has all the time.
        """
        idleness = self.limited(input=600)
        self.clock.advance(10_000)
        self.assertEqual(self.over(), [])

        idleness.who_is_there(True, True)
        self.clock.advance(599)
        self.assertEqual(self.over(), [])
        idleness.who_is_there(False, False)
        self.clock.advance(10_000)
        self.assertEqual(self.over(), [])

        other = self.limited(idle=900, input=600)
        other.who_is_there(True, True)
        other.who_is_there(False, False)
        self.clock.advance(600)
        self.assertEqual(self.over(), ["input"])

    def test_key_calls_it_off(self) -> None:
        """
        Whoever types in the last minute has the whole time again, and everybody hears of it.
        """
        idleness = self.limited(input=600)
        idleness.who_is_there(True, True)
        self.clock.advance(550)

        idleness.used()

        self.assertEqual(self.told[-1], {"event": "ending", "reason": None})
        self.clock.pump([100] * 5)
        self.assertEqual(self.reasons(), ["input", None])
        self.clock.pump([50] * 2)
        self.assertEqual(self.over(), ["input"])

    def test_closed_meanwhile(self) -> None:
        """
        While it is being closed, there is nothing to be called off.
        """
        idleness = self.limited(input=600)
        idleness.who_is_there(True, True)
        self.clock.advance(550)

        idleness.stop()

        self.assertEqual(self.reasons(), ["input", None])
        self.assertIsNone(idleness.ending())

    def test_keys_schedule_nothing(self) -> None:
        """
        Typing costs no timer: one is set, and looks again.
        """
        idleness = self.limited(input=600)
        idleness.who_is_there(True, True)
        before = self.clock.getDelayedCalls()

        for _ in range(100):
            self.clock.advance(1)
            idleness.used()

        self.assertEqual(self.clock.getDelayedCalls(), before)

    def test_stay(self) -> None:
        """
        Whoever only looks can ask for more time.
        """
        idleness = self.limited(watching=100)
        idleness.who_is_there(True, False)
        self.clock.advance(60)
        self.assertEqual(self.reasons(), ["watching"])

        idleness.stay()
        self.assertEqual(self.reasons(), ["watching", None])
        self.clock.pump([50] * 2)

        self.assertEqual(self.over(), ["watching"])

    def test_typist_ends_the_watching(self) -> None:
        """
        As soon as somebody who can type is there, watching has no limit.
        """
        idleness = self.limited(watching=100)
        idleness.who_is_there(True, False)
        self.clock.advance(60)

        idleness.who_is_there(True, True)
        self.clock.advance(1000)

        self.assertEqual(self.reasons(), ["watching", None])
        self.assertEqual(self.over(), [])

    def test_short_limit(self) -> None:
        """
        The countdown takes at most half of the limit.
        """
        self.limited(input=10).who_is_there(True, True)

        self.clock.advance(5)

        self.assertEqual(self.told[-1]["in"], 5.0)

    def test_first_limit_counts(self) -> None:
        """
        Of several limits, that which is reached first ends it.
        """
        self.limited(idle=50, input=40).who_is_there(False, False)

        self.clock.pump([10] * 5)

        self.assertEqual(self.over(), ["input"])

    def test_late_alarm(self) -> None:
        """
        Whoever comes or leaves when the time is over, but the alarm has not rung, is let in or
        out first; then it ends.
        """
        idleness = self.limited(watching=100)
        idleness.who_is_there(True, False)
        self.clock.rightNow += 101

        idleness.who_is_there(True, False)
        self.assertEqual(self.over(), [])
        self.clock.advance(0)

        self.assertEqual(self.over(), ["watching"])
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_end_that_did_not_happen(self) -> None:
        """
        Started again after its end was called off, it has the whole time.
        """
        idleness = self.limited(idle=50)
        self.clock.advance(50)

        idleness.start()
        self.clock.advance(49)
        self.assertEqual(self.over(), ["idle"])
        self.clock.advance(1)

        self.assertEqual(self.over(), ["idle", "idle"])
