"""
Tests for L{computeagent.silence}: a line on which nothing comes.
"""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from computeagent.domainxml import SerialDevice
from computeagent.silence import Silence, explanation


class SilenceTests(SynchronousTestCase):
    """
    When a line is called silent.
    """

    def test_never_said_anything(self) -> None:
        """
        After half a minute with nothing at all; until something comes.
        """
        silence = Silence(100.0)

        self.assertFalse(silence.is_silent(129.0, 0, 0))
        self.assertTrue(silence.is_silent(131.0, 0, 0))
        self.assertFalse(silence.is_silent(132.0, 1, 0))
        self.assertFalse(silence.is_silent(999.0, 1, 0))

    def test_does_not_answer(self) -> None:
        """
        A quarter of a minute after something was typed that nothing has followed, however much more
        was typed since.
        """
        silence = Silence(0.0)

        self.assertFalse(silence.is_silent(50.0, 1000, 0))
        self.assertFalse(silence.is_silent(53.0, 1000, 1))
        self.assertFalse(silence.is_silent(59.0, 1000, 5))
        self.assertTrue(silence.is_silent(68.0, 1000, 5))
        self.assertFalse(silence.is_silent(71.0, 1010, 6))
        self.assertFalse(silence.is_silent(99.0, 1010, 6))

    def test_explanation(self) -> None:
        """
        What is missing is named as the guest names its line.
        """
        for device, line in (
            (SerialDevice("serial0", "serial", "pty"), "ttyS0"),
            (SerialDevice("serial2", "serial", "pty"), "ttyS2"),
            (SerialDevice("console1", "console", "pty"), "hvc0"),
        ):
            said = explanation(device)
            self.assertIn(f"serial-getty@{line}.service", said)
            self.assertIn(f"console={line} ", said)
