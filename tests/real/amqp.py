"""
What the tests of the bus over a real RabbitMQ have in common.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

from twisted.internet.task import deferLater
from twisted.logger import ILogObserver, LogEvent, eventAsText, globalLogPublisher
from zope.interface import implementer

from consolebus.connect import bus_from_url
from consolebus.ibus import IConsoleBus
from tests.rabbit import MISSING, Rabbit

STARTING = 150
"""Seconds that a test may take that may have to start the shared broker."""


class Fixture:
    """
    What the tests here have in common.
    """

    skip = MISSING
    timeout = STARTING
    rabbit: Rabbit
    reactor: Any
    addCleanup: Any

    def bus_at(self, url: str, on_refused: Any = None) -> IConsoleBus:
        bus = bus_from_url(url, self.reactor, on_refused)
        self.addCleanup(bus.stop)
        return bus

    async def until(self, condition: Callable[[], object]) -> None:
        while not condition():
            await deferLater(self.reactor, 0.02)

    async def raises(self, kind: type[Exception], calling: Any) -> Any:
        try:
            result = await calling
        except kind as problem:
            return problem
        raise AssertionError(f"{result!r} instead of {kind.__name__}")


@implementer(ILogObserver)
class Log:
    """
    Everything that is logged, at whatever level, as it would be written.
    """

    def __init__(self, case: Any) -> None:
        self.lines: list[str] = []
        globalLogPublisher.addObserver(self)
        case.addCleanup(globalLogPublisher.removeObserver, self)
        root = logging.getLogger()
        root.addHandler(handler := _Into(self.lines))
        case.addCleanup(root.removeHandler, handler)

    def __call__(self, event: LogEvent) -> None:
        self.lines.append(eventAsText(event, includeTraceback=True) + repr(event))

    def __contains__(self, words: str) -> bool:
        return any(words in line for line in self.lines)


class _Into(logging.Handler):
    def __init__(self, lines: list[str]) -> None:
        super().__init__()
        self._lines = lines

    def emit(self, record: logging.LogRecord) -> None:
        self._lines.append(record.getMessage())
