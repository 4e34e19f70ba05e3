"""
A viewer that reads the scrollback, and goes on reading: C{GET log?follow}.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from twisted.internet.interfaces import IPushProducer
from twisted.python.failure import Failure
from twisted.web.server import Request
from zope.interface import implementer

from ajaxterm.grants import Grant
from ajaxterm.session import Session
from ajaxterm.viewer import End, Event, Seat


@implementer(IPushProducer)
class ViewerLog:
    """
    It types nothing, so to others it is one that may only watch.

    @cvar CHUNK: bytes that are written at a time.
    """

    CHUNK = 1 << 16

    resumes = False
    through = ""
    reachable = True

    _seat: Seat | None = None

    def __init__(self, session: Session, grant: Grant, request: Request) -> None:
        self._session = session
        self._grant: Grant = replace(grant, mode="ro")
        self._request: Any = request
        self._paused = False

    def follow(self, offset: int | None) -> None:
        """
        @param offset: where to begin; the oldest byte that there is, if that is
            not there.
        @raise Unwelcome: as L{Session.attach}.
        """
        self._seat, _ = self._session.attach(self, self._grant, None, offset)
        self._request.setHeader("X-Ajaxterm-Offset", str(self._seat.position))
        self._session.greeted(self._seat)
        self._request.notifyFinish().addErrback(self._lost)
        self._request.registerProducer(self, True)
        self._request.write(b"")  # the head, for there may be nothing yet
        self._go_on()

    # The request's side.

    def pauseProducing(self) -> None:
        self._paused = True
        self._watch()

    def resumeProducing(self) -> None:
        self._paused = False
        self._go_on()

    def stopProducing(self) -> None:
        self._paused = True

    # The session's side.

    def output_ready(self) -> None:
        self._watch()
        self._go_on()

    def event(self, event: Event) -> None:
        pass

    def hold_input(self, held: bool) -> None:
        pass

    def counted(self, dropped: int) -> None:
        pass

    def ended(self, end: End) -> None:
        seat, self._seat = self._seat, None
        self._request.unregisterProducer()
        # The rest, which is a ring at the most, may wait until it is read.
        while seat is not None and self._session.end is not None:
            taken = self._session.take(seat, self.CHUNK)
            if taken.missed:
                break
            if not taken.output:
                self._request.finish()
                return
            self._request.write(taken.output)
        self._cut()

    # Within.

    def _go_on(self) -> None:
        while self._seat is not None and not self._paused:
            taken = self._session.take(self._seat, self.CHUNK)
            if taken.missed:
                self._cut()
                return
            if not taken.output:
                return
            self._request.write(taken.output)

    def _watch(self) -> None:
        # Told of output also while paused, or one that has stalled would stay for ever.
        seat = self._seat
        if seat is not None and self._paused:
            seat.waiting = True
            if seat.position < self._session.scrollback.start:
                self._cut()

    def _cut(self) -> None:
        # Not ended: whoever reads must not take this for the whole.
        self._request.channel.transport.abortConnection()

    def _lost(self, _: Failure) -> None:
        seat, self._seat = self._seat, None
        if seat is not None:
            self._session.left(seat, self)
