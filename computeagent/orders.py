"""
The agent's end of an ajaxterm's control socket (its other end, and the table
of what is said, is L{ajaxterm.control}).
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.error import ConnectionDone
from twisted.internet.interfaces import IReactorTime
from twisted.internet.protocol import connectionDone
from twisted.logger import Logger
from twisted.protocols.basic import LineOnlyReceiver
from twisted.python.failure import Failure


class OrderFailed(Exception):
    """The terminal could not do it, with its sentence."""


class TerminalGone(Exception):
    """The terminal ended before it answered."""


class Orders(LineOnlyReceiver):
    """
    @cvar PATIENCE: seconds for an answer.  The first waits for the child's
        start as well, which takes 0.5 s here and longer on a busy host.
    """

    delimiter = b"\n"
    MAX_LENGTH = 1 << 17
    PATIENCE = 15.0

    _log = Logger()

    def __init__(self, clock: IReactorTime, told: Callable[[Mapping[str, Any]], None]) -> None:
        """
        @param told: called with every event.
        """
        self._clock = clock
        self._told = told
        self._asked = 0
        self._answers: dict[int, Deferred[Mapping[str, Any]]] = {}
        self._lost = False

    def give(self, order: str, **words: object) -> Deferred[Mapping[str, Any]]:
        """
        @raise OrderFailed: it was refused.
        @raise TerminalGone: nobody is there (any more).
        @raise TimeoutError: no answer came (C{twisted.internet.defer}'s).
        """
        answer: Deferred[Mapping[str, Any]] = Deferred()
        if self._lost or self.transport is None:
            answer.errback(TerminalGone())
            return answer
        self._asked += 1
        number = self._asked
        self._answers[number] = answer
        self.sendLine(json.dumps({"id": number, "do": order, **words}).encode("ascii"))

        def forget(result: Any) -> Any:
            self._answers.pop(number, None)
            return result

        answer.addTimeout(self.PATIENCE, self._clock)
        return answer.addBoth(forget)

    def leave(self) -> None:
        """Hang up."""
        if self.transport is not None:
            self.transport.loseConnection()

    def lineReceived(self, line: bytes) -> None:
        try:
            words = json.loads(line)
            if not isinstance(words, dict):
                raise ValueError("no object")
        except (ValueError, RecursionError):
            self._log.error("An ajaxterm says something that is not JSON")
            self.leave()
            return
        if "event" in words:
            self._told(words)
            return
        number = words.get("id")
        answer = self._answers.get(number) if isinstance(number, int) else None
        if answer is None or answer.called:
            return
        if "failed" in words:
            answer.errback(OrderFailed(str(words["failed"])[:500]))
        else:
            done = words.get("done")
            answer.callback(done if isinstance(done, dict) else {})

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        self._lost = True
        answers, self._answers = self._answers, {}
        for answer in answers.values():
            if not answer.called:
                answer.errback(TerminalGone(ConnectionDone()))
