"""
Tests for L{computeagent.console}: its end, and what is left of it.
"""

from __future__ import annotations

from twisted.internet.defer import Deferred

from computeagent.console import CLOSING
from tests.computeagent.consolestage import ConsoleTestCase


class ClosingTests(ConsoleTestCase):
    """
    A console's end leaves nothing behind.
    """

    def setUp(self) -> None:
        super().setUp()
        self.opened()
        self.terminal = self.workshop.terminals[0]

    def test_on_request(self) -> None:
        """
        The terminal logs out if it should, tells its viewers why, and ends; whoever waits is
        told when all is over.
        """
        closings = [self.console.close("closed", "Bye."), self.console.close("again", "")]
        self.assertEqual(self.console.state, CLOSING)
        self.assertEqual(
            self.terminal.orders("finish"),
            [{"reason": "closed", "message": "Bye.", "logout": True}],
        )
        self.assertNoResult(closings[0])
        self.clock.advance(0.2)

        for closing in closings:
            self.successResultOf(closing)
        self.assertEqual(self.told, [{"event": "closed", "reason": "closed"}])
        self.assertTrue(self.terminal.left)
        self.assert_nothing_left()

    def test_twice(self) -> None:
        """
        What is closed can be closed.
        """
        self.console.close("closed", "")
        self.clock.advance(0.2)

        self.successResultOf(self.console.close("closed", ""))
        self.assertEqual(len(self.told), 1)

    def test_idle(self) -> None:
        """
        A terminal that ends of idleness takes its console with it.
        """
        self.terminal.end("idle")
        self.clock.advance(0.2)

        self.assertEqual(
            [words.get("reason") for words in self.told if words["event"] == "closed"], ["idle"]
        )
        self.assert_nothing_left()

    def test_terminal_never_worked(self) -> None:
        """
        A terminal that ends before it has obeyed a single order takes its console with it.
        """
        self.terminal.child.die()

        self.assertEqual(self.told, [{"event": "closed", "reason": "broken"}])
        self.assert_nothing_left()

    def test_terminal_does_not_end(self) -> None:
        """
        One that is stuck is made to end, after five seconds; or twenty, in which it may log
        out at the guest.
        """
        self.terminal.answers["finish"] = Deferred()
        self.terminal.finishes = False
        closing = self.console.close("leaving", "")

        self.clock.advance(4.9)
        self.assertEqual(self.terminal.child.asked, 0)
        self.clock.advance(0.2)

        self.successResultOf(closing)
        self.assertEqual(self.terminal.child.asked, 1)
        self.assertEqual(self.workshop.running, [])

    def test_logging_out(self) -> None:
        """
        While it logs out at the guest it is joined to it; somebody who takes leave only is
        cut at once.
        """
        self.terminal.answers["finish"] = Deferred()
        self.terminal.finishes = False
        closing = self.console.close("closed", "")
        self.clock.advance(19)
        self.assertTrue(self.workshop.socats[0].runs)
        self.assertEqual(self.terminal.child.asked, 0)

        self.terminal.child.die("status 0")

        self.successResultOf(closing)
        self.assertEqual(len(self.workshop.socats), 1)
        self.assert_nothing_left()

    def test_socat_does_not_end(self) -> None:
        """
        The end of all children is waited for, so that none is left when we say so.
        """
        self.workshop.socats[0].stubborn = True
        closing = self.console.close("closed", "")
        self.clock.advance(1)
        self.assertNoResult(closing)

        self.workshop.socats[0].die()

        self.successResultOf(closing)
        self.assert_nothing_left()

    def test_closing_while_joining(self) -> None:
        """
        A console that waits for its next socat can be closed; none comes then.
        """
        self.workshop.joining = OSError(11, "Resource temporarily unavailable")
        self.workshop.socats[0].die()

        self.console.close("closed", "")
        self.clock.advance(0.2)
        self.clock.advance(10)

        self.assert_nothing_left()
        self.assertEqual(len(self.workshop.socats), 1)

    def test_whoever_is_told_fails(self) -> None:
        """
        A mistake of ours in telling the end keeps nobody waiting for it.
        """
        self.console._told = lambda console, words: 1 / 0  # type: ignore[assignment]

        closing = self.console.close("closed", "")
        self.clock.advance(0.2)

        self.successResultOf(closing)
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)

    def test_viewers_are_told_of(self) -> None:
        """
        Who comes and goes is passed on.
        """
        self.terminal.tell("viewer_came", viewer="v1", user="ann")

        self.assertEqual(self.told, [{"event": "viewer_came", "viewer": "v1", "user": "ann"}])
