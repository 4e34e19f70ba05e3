"""
Calls that wait for their answers.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall, IReactorTime

from consolebus.ibus import BusFailure, DeadlineExceeded
from consolebus.messages import Reply


@dataclass(frozen=True, slots=True)
class _Waiting:
    answer: Deferred[Any]
    alarm: IDelayedCall


class Calls:
    """
    Each call is known by an id that cannot be guessed, so that nobody else on
    the broker can answer it.
    """

    def __init__(self, clock: IReactorTime) -> None:
        self._clock = clock
        self._waiting: dict[str, _Waiting] = {}

    def __len__(self) -> int:
        return len(self._waiting)

    def begin(self, topic: str, timeout: float) -> tuple[str, Deferred[Any]]:
        """
        @param timeout: seconds until the call ends with L{DeadlineExceeded}.
        @return: the id of the call, and what its answer comes to.
        """
        call_id = secrets.token_hex(16)
        answer: Deferred[Any] = Deferred(lambda _: self._cancelled(call_id))
        late = DeadlineExceeded(
            f"{topic} did not answer within {timeout:g} seconds;"
            " whether it did what was asked is not known."
        )
        alarm = self._clock.callLater(max(0.0, timeout), self.failed, call_id, late)
        self._waiting[call_id] = _Waiting(answer, alarm)
        return call_id, answer

    def answered(self, call_id: str, reply: Reply) -> None:
        """
        Nothing happens where nobody waits for it (any more).
        """
        if reply.failure is not None:
            self.failed(call_id, reply.failure)
        elif (answer := self._forget(call_id)) is not None:
            answer.callback(reply.result)

    def failed(self, call_id: str, failure: BusFailure) -> None:
        answer = self._forget(call_id)
        if answer is not None:
            answer.errback(failure)

    def all_failed(self, failure: Callable[[], BusFailure]) -> None:
        for call_id in list(self._waiting):
            self.failed(call_id, failure())

    def _cancelled(self, call_id: str) -> None:
        self._forget(call_id)

    def _forget(self, call_id: str) -> Deferred[Any] | None:
        waiting = self._waiting.pop(call_id, None)
        if waiting is None:
            return None
        if waiting.alarm.active():
            waiting.alarm.cancel()
        return waiting.answer
