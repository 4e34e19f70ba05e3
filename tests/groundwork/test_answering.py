"""
Tests for L{groundwork.answering}.
"""

from __future__ import annotations

from twisted.internet.defer import Deferred
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase
from twisted.web.resource import Resource
from twisted.web.server import Request

from groundwork.answering import answer
from tests.memorysocket import MemoryReactor
from tests.websocket import Answer, Asking, Wire


class Slow(Resource):
    """
    Answers when C{something} happens.
    """

    isLeaf = True

    def __init__(self) -> None:
        super().__init__()
        self.something: Deferred[bytes] = Deferred(lambda _: self.cancelled.append(True))
        self.cancelled: list[bool] = []
        self.failures: list[Failure] = []

    def render_GET(self, request: Request) -> int:
        return answer(request, self._answer(request), self._failed)

    async def _answer(self, request: Request) -> None:
        request.write(await self.something)
        request.finish()

    def _failed(self, failure: Failure, request: Request) -> None:
        self.failures.append(failure)
        request.setResponseCode(503)
        request.finish()


class AnswerTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock = MemoryReactor()
        self.slow = Slow()
        self.wire = Wire(self.slow, self.clock)

    def ask(self) -> Asking:
        return self.wire.begin_to_ask("GET", "/")

    def answer_of(self, asking: Asking) -> Answer:
        assert asking.answer is not None
        return asking.answer

    def test_answer_comes_later(self) -> None:
        """
        The client waits, and gets its answer.
        """
        asking = self.ask()
        self.assertIsNone(asking.answer)

        self.slow.something.callback(b"done")
        self.clock.flush()

        self.assertEqual(self.answer_of(asking).body, b"done")
        self.assertEqual(self.slow.failures, [])

    def test_failure_is_answered(self) -> None:
        """
        What goes wrong has its own answer.
        """
        asking = self.ask()

        self.slow.something.errback(ValueError("away"))
        self.clock.flush()

        self.assertEqual(self.answer_of(asking).status, 503)
        self.slow.failures[0].trap(ValueError)

    def test_client_that_left_stops_the_work(self) -> None:
        """
        Nobody works on for a client that has gone, and nothing is logged of it.
        """
        asking = self.ask()

        asking.transport.abortConnection()
        self.clock.flush()

        self.assertEqual(self.slow.cancelled, [True])
        self.assertEqual(self.slow.failures, [])

    def test_failure_after_the_client_left(self) -> None:
        """
        An error on the way out is nobody's any more.
        """
        self.slow.something = Deferred(lambda waiting: waiting.errback(ValueError()))
        asking = self.ask()

        asking.transport.abortConnection()
        self.clock.flush()

        self.assertEqual(self.slow.failures, [])
        self.assertEqual(self.flushLoggedErrors(), [])
