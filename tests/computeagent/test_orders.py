"""
Tests for L{computeagent.orders}: the agent's end of a control socket.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from twisted.internet.defer import TimeoutError
from twisted.internet.error import ConnectionDone
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from ajaxterm.control import Control
from computeagent.orders import OrderFailed, Orders, TerminalGone
from tests.ajaxterm.stage import Stage


class OrdersTests(SynchronousTestCase):
    """
    Orders are numbered, and each gets its own answer.
    """

    def setUp(self) -> None:
        self.clock = Clock()
        self.told: list[Mapping[str, Any]] = []
        self.orders = Orders(self.clock, self.told.append)
        self.transport = StringTransport()
        self.orders.makeConnection(self.transport)

    def hear(self, line: bytes) -> None:
        self.orders.dataReceived(line + b"\n")

    def test_answers_find_their_orders(self) -> None:
        """
        Also when they come in another order.
        """
        first = self.orders.give("viewers")
        second = self.orders.give("revoke", grant="g1")

        self.hear(b'{"id": 2, "done": {"known": true}}')
        self.hear(b'{"id": 1, "done": {"viewers": []}}')

        self.assertEqual(
            self.transport.value(),
            b'{"id": 1, "do": "viewers"}\n{"id": 2, "do": "revoke", "grant": "g1"}\n',
        )
        self.assertEqual(self.successResultOf(first), {"viewers": []})
        self.assertEqual(self.successResultOf(second), {"known": True})
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_refused(self) -> None:
        """
        A terminal that can't do it says so in a sentence.
        """
        giving = self.orders.give("line", state="odd")

        self.hear(b'{"id": 1, "failed": "a line is live or waiting"}')

        failure = self.failureResultOf(giving, OrderFailed)
        self.assertEqual(str(failure.value), "a line is live or waiting")

    def test_no_answer(self) -> None:
        """
        A terminal that is stuck is not waited for without end, and its late answer is
        nobody's.
        """
        giving = self.orders.give("viewers")

        self.clock.advance(Orders.PATIENCE)
        self.failureResultOf(giving, TimeoutError)
        self.hear(b'{"id": 1, "done": {}}')

        self.assertEqual(self.orders._answers, {})

    def test_terminal_ends(self) -> None:
        """
        When it ends, so does waiting for it; and it takes no more orders.
        """
        giving = self.orders.give("viewers")

        self.orders.connectionLost(Failure(ConnectionDone()))

        self.failureResultOf(giving, TerminalGone)
        self.failureResultOf(self.orders.give("viewers"), TerminalGone)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_never_connected(self) -> None:
        """
        Without a connection there is nobody to obey.
        """
        orders = Orders(self.clock, self.told.append)

        self.failureResultOf(orders.give("viewers"), TerminalGone)
        orders.leave()

    def test_events(self) -> None:
        """
        What a terminal says unasked is told.
        """
        self.hear(b'{"event": "viewer_came", "viewer": "v1", "user": "ann"}')

        self.assertEqual(self.told[0]["viewer"], "v1")

    def test_odd_answers(self) -> None:
        """
        Answers to what was not asked, or without sense, change nothing.
        """
        giving = self.orders.give("viewers")

        for line in (
            b'{"id": 7, "done": {}}',
            b"{}",
            b'{"id": null}',
            b'{"id": "1"}',
            b'{"id": [1]}',
            b'{"id": {}}',
        ):
            self.hear(line)
        self.assertNoResult(giving)
        self.hear(b'{"id": 1, "done": [1]}')

        self.assertEqual(self.successResultOf(giving), {})

    def test_no_json(self) -> None:
        """
        Who does not speak the language is hung up on.
        """
        for line in (b"hello", b"[1]", b"\xff", b"1", b"[" * 100_000):
            self.transport.disconnecting = False
            self.hear(line)
            self.assertTrue(self.transport.disconnecting, line)

    def test_long_line(self) -> None:
        """
        So is who does not come to the end of a line.
        """
        self.orders.dataReceived(b"x" * (Orders.MAX_LENGTH + 1))

        self.assertTrue(self.transport.disconnecting)


class TogetherTests(SynchronousTestCase):
    """
    With a real terminal at the other end.
    """

    def test_both_ends(self) -> None:
        """
        A grant is given, viewers are told of, output is read, and the end comes.
        """
        stage, told = Stage(), []
        control = Control(stage.session, stage.grants)
        orders = Orders(stage.clock, told.append)
        stage.clock.connect(control.buildProtocol(None), orders)
        stage.output(b"login: ")

        granting = orders.give(
            "grant", grant="g1", digest="0" * 64, mode="rw", user="ann", lifetime=600.0
        )
        reading = orders.give("output", most=100)
        refused = orders.give("grant", grant="g1")
        finishing = orders.give("finish", reason="closed", message="Bye.")
        stage.clock.flush()
        control.tell({"event": "viewer_left", "viewer": "v1", "user": "ann"})
        stage.clock.flush()

        self.assertEqual(self.successResultOf(granting), {})
        self.assertEqual(self.successResultOf(reading)["output"], "bG9naW46IA==")
        self.failureResultOf(refused, OrderFailed)
        self.assertEqual(self.successResultOf(finishing), {})
        self.assertEqual([words["event"] for words in told], ["viewer_left"])
        self.assertEqual([end.reason for end in stage.ends], ["closed"])
