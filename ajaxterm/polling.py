"""
The questions of viewers without a WebSocket: C{poll}, C{input} and C{say} of
docs/protocol.md.
"""

from __future__ import annotations

import json
from typing import Any

from twisted.internet.interfaces import IReactorTime
from twisted.web.server import Request

from ajaxterm.grants import Grant
from ajaxterm.session import Session
from ajaxterm.viewer import End, Event, Unwelcome
from ajaxterm.viewer_poll import NotYet, Refused, ViewerPoll
from ajaxterm.wishes import attach_fields, parsed
from groundwork.manners import only

GONE = End("gone", "This viewer is not known here any more.", 1000, retry=True)
MOST_INPUT = 1 << 18
MOST_WORDS = 1 << 16
LONGEST_WAIT = 25.0


class _Answer(Exception):
    """
    What ends a question before its time.

    @ivar words: JSON, or nothing.
    """

    def __init__(self, status: int, words: Event | None = None) -> None:
        super().__init__(status)
        self.status = status
        self.words = words


class Polling:
    """Answers them."""

    PATHS = ("poll", "input", "say")

    def __init__(self, clock: IReactorTime, session: Session, release: str) -> None:
        self._clock = clock
        self._session = session
        self._release = release
        self._known = {"poll": self._poll, "input": self._input, "say": self._say}

    async def answer(self, path: str, request: Request, grant: Grant) -> None:
        """
        Answer one question, and finish it.

        @param path: one of L{PATHS}.
        """
        try:
            body = await self._known[path](request, grant)
        except _Answer as early:
            request.setResponseCode(early.status)
            body = b"" if early.words is None else _json(request, early.words)
        if body or request.code != 204:
            request.setHeader("Content-Length", str(len(body)))
        request.write(body)
        request.finish()

    async def _poll(self, request: Request, grant: Grant) -> bytes:
        said = _said(request)
        seen, wait = _number(said.get("seen", 0)), said.get("wait", LONGEST_WAIT)
        if isinstance(wait, bool) or not isinstance(wait, (int, float)):
            raise _Answer(400, {"message": "wait is a number of seconds"})
        if not seen:
            viewer = ViewerPoll(self._clock, self._session, grant, self._release)
            try:
                answer = viewer.attach(said)
            except Unwelcome as unwelcome:
                raise _Answer(409, unwelcome.end.event()) from None
        else:
            resume, _, console = attach_fields(said)
            if console is not None and console != self._session.id:
                raise _Answer(409, GONE.event())
            viewer = self._viewer(resume, grant)
            offset = _number(said.get("offset"))
            if offset > self._session.scrollback.end:
                raise _Answer(400, {"message": "that offset is still to come"})
            answer = viewer.poll(seen, offset, min(max(0.0, wait), LONGEST_WAIT))
        request.setHeader("Content-Type", "application/octet-stream")
        return await answer

    async def _input(self, request: Request, grant: Grant) -> bytes:
        keys = _body(request, MOST_INPUT)
        viewer = self._viewer(_header(request, "X-Ajaxterm-Resume"), grant)
        at = _header(request, "X-Ajaxterm-At")
        if not (at.isascii() and at.isdigit() and len(at) < 19):
            raise _Answer(400, {"message": "X-Ajaxterm-At is the number of the first byte"})
        try:
            typing = viewer.type(int(at), keys)
        except NotYet as not_yet:
            raise _Answer(409, {"input": not_yet.wanted}) from None
        except Refused as refused:
            raise _Answer(403, refused.event) from None
        return _json(request, {"input": await typing})

    async def _say(self, request: Request, grant: Grant) -> bytes:
        viewer = self._viewer(_header(request, "X-Ajaxterm-Resume"), grant)
        viewer.say(_said(request))
        request.setResponseCode(204)
        return b""

    def _viewer(self, resume: str | None, grant: Grant) -> ViewerPoll:
        if self._session.end is not None:
            raise _Answer(409, self._session.end.event())
        seat = self._session.seat_of(resume, grant)
        if seat is None or not isinstance(seat.viewer, ViewerPoll):
            raise _Answer(409, GONE.event())
        return seat.viewer


def _body(request: Request, most: int) -> bytes:
    content: Any = request.content
    body: bytes = content.read(most + 1)
    if len(body) > most:
        raise _Answer(413, {"message": f"at most {most} bytes"})
    return body


def _said(request: Request) -> dict[str, Any]:
    try:
        return parsed(_body(request, MOST_WORDS))
    except ValueError:
        raise _Answer(400, {"message": "the body is one JSON object"}) from None


def _header(request: Request, name: str) -> str:
    try:
        value = only(request.requestHeaders, name)
    except ValueError:
        value = None
    if value is None:
        raise _Answer(400, {"message": f"the header {name} is missing"})
    return value


def _number(value: object) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        raise _Answer(400, {"message": "offset and seen are whole numbers"})
    return value


def _json(request: Request, words: Event) -> bytes:
    request.setHeader("Content-Type", "application/json")
    return json.dumps(words, separators=(",", ":")).encode("ascii")
