"""
Puts a terminal together on sockets that are listened on already.
"""

from __future__ import annotations

import socket
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.internet.task import deferLater

from ajaxterm.asciicast import Cast, name_for
from ajaxterm.control import Control
from ajaxterm.grants import Grants
from ajaxterm.handed import HandedPort
from ajaxterm.idleness import Limits
from ajaxterm.keys import Line
from ajaxterm.line import SocketLine
from ajaxterm.logout import Farewell
from ajaxterm.recording import Recorder
from ajaxterm.scrollback import Scrollback
from ajaxterm.session import Session
from ajaxterm.viewer import End
from ajaxterm.web import Door, Page, TerminalResource
from groundwork.monotonic import MonotonicClock
from groundwork.site import BoundedSite

LAST_WORDS = 0.2
"""Seconds in which what was said last can leave before the process ends."""
LAST_QUESTIONS = 2.0
"""Seconds for viewers to ask once more, or to come back, who are told nothing unless they do."""


@cache
def release() -> str:
    """@return: the version that is installed."""
    try:
        return version("ajaxconsole")
    except PackageNotFoundError:
        return "0"


@dataclass(frozen=True, slots=True)
class Record:
    """
    How a terminal is written down.

    @ivar folder: a descriptor of the directory.
    @ivar with_input: whether what is typed is, too.
    @ivar most: bytes in a file; there are two at the most.
    """

    folder: int
    with_input: bool = False
    most: int = 64 << 20


@dataclass(frozen=True, slots=True)
class Terms:
    """
    What a terminal is told when it starts.

    @ivar title: what it is a console of.
    @ivar limits: how long it lives unused.
    @ivar scrollback: bytes kept.
    @ivar farewell: how to log out at the guest.
    @ivar record: whether and how it is written down.
    """

    title: str
    limits: Limits
    scrollback: int
    farewell: Farewell = Farewell()
    record: Record | None = None


class Terminal:
    """
    One session and what is needed to serve it.

    @ivar site: the factory of its HTTP.
    """

    def __init__(
        self,
        reactor: Any,
        terms: Terms,
        line: Line,
        page: Page,
        door: Callable[[Grants], Door],
        stop: Callable[[], None],
        report: Callable[[dict[str, Any]], None] = lambda _: None,
    ) -> None:
        """
        @param stop: ends the process, after the session has ended and its
            last words have left.
        @raise CanNotRecord: it is to be written down, and can't be.
        """
        self._reactor = reactor
        self._stop = stop
        self._report = report
        self._ports: list[HandedPort] = []
        self._leaving = False
        self._stopping: IDelayedCall | None = None
        clock = MonotonicClock(reactor)
        self.grants = Grants(clock)
        self.session = Session(
            clock,
            line,
            self.grants,
            Scrollback(terms.scrollback),
            terms.title,
            terms.limits,
            self._ended,
            report,
            terms.farewell,
        )
        if terms.record is not None:
            self._record(terms.title, terms.record, clock)
        resource = TerminalResource(clock, self.session, door(self.grants), page, release())
        self.site = BoundedSite(resource, reactor)
        reactor.addSystemEventTrigger("before", "shutdown", self._leave)

    def _record(self, title: str, record: Record, clock: IReactorTime) -> None:
        name = name_for(title, datetime.now(UTC))
        cast = Cast(record.folder, name, title, record.most)
        session = self.session
        recorder = Recorder(
            clock, cast, lambda on: session.tell_all({"event": "recording", "on": on})
        )
        recorder.start()
        session.record(recorder, record.with_input)
        self._reactor.addSystemEventTrigger("after", "shutdown", recorder.wait)

    def adopt(self, listening: socket.socket, factory: Any) -> None:
        """Serve C{factory} on a socket that listens already; it is ours from now on."""
        self._ports.append(HandedPort(self._reactor, listening, factory))

    def _ended(self, end: End) -> None:
        all_told = self.session.all_told
        for port in self._ports:
            if all_told or port.factory is not self.site:
                port.stopListening()
        self._report({"event": "ended", "reason": end.reason})
        if not self._leaving:
            patience = LAST_WORDS if all_told else LAST_QUESTIONS
            self._stopping = self._reactor.callLater(patience, self._stop)

    def _leave(self) -> Deferred[None] | None:
        # A signal has stopped the reactor, so nobody else must.
        self._leaving = True
        if self._stopping is not None and self._stopping.active():
            self._stopping.cancel()
        if self.session.end is not None:
            return None
        self.session.finish(End("leaving", "This terminal is being stopped.", 1001, retry=True))
        return deferLater(self._reactor, LAST_WORDS, lambda: None)


def serve_guest(
    reactor: Any,
    terms: Terms,
    page: Page,
    door: Callable[[Grants], Door],
    http: socket.socket,
    tty: socket.socket,
    control: socket.socket,
    stop: Callable[[], None],
) -> Terminal:
    """
    Serve a guest's line: its bytes come over C{tty}, the agent's orders over
    C{control}, viewers over C{http}.
    """
    line = SocketLine()
    told: list[Control] = []

    def report(event: dict[str, Any]) -> None:
        for one in told:
            one.tell(event)

    terminal = Terminal(reactor, terms, line, page, door, stop, report)
    line.serve(terminal.session)
    told.append(Control(terminal.session, terminal.grants, line.part))
    terminal.adopt(http, terminal.site)
    terminal.adopt(tty, line)
    terminal.adopt(control, told[0])
    return terminal
