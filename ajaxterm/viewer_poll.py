"""
A viewer that has no WebSocket, but asks again and again: docs/protocol.md, "Long-poll".

What it is told waits here until it says that it has had it; of output only its place
in the scrollback is kept, which it names each time.  So an answer that is lost on the
way costs nothing: the same question has the same answer.
"""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Mapping
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall, IReactorTime

from ajaxterm.grants import Grant
from ajaxterm.session import Session
from ajaxterm.viewer import End, Event, Seat
from ajaxterm.wishes import Wishes, attach_fields, greeting, refused

EVENT, OUTPUT = b"t", b"b"


def record(kind: bytes, payload: bytes) -> bytes:
    """@return: one record of an answer."""
    return kind + len(payload).to_bytes(4, "big") + payload


class ViewerPoll:
    """
    @cvar CHUNK: bytes of output in one answer at the most.  An answer counts only as a
        whole, so after one that was lost the next is half as long, down to L{LEAST}.
    @cvar MOST_EVENTS: that wait to be seen; a viewer with more of them is
        taken for gone.
    @cvar AWAY: seconds without a poll until the viewer has left.
    @cvar UNCONFIRMED: the same for one that has never come again.
    @cvar TAKING: seconds that input may take until it is answered how much
        of it was taken.
    """

    CHUNK = 1 << 18
    LEAST = 1 << 12
    MOST_EVENTS = 256
    AWAY = 60.0
    UNCONFIRMED = 10.0
    TAKING = 20.0

    resumes = True
    through = ""

    _seat: Seat

    def __init__(self, clock: IReactorTime, session: Session, grant: Grant, release: str) -> None:
        self._clock = clock
        self._session = session
        self._grant = grant
        self._release = release
        self._wishes = Wishes(session)
        self._events: deque[tuple[int, bytes]] = deque()
        self._poll: Deferred[bytes] | None = None
        self._patience: IDelayedCall | None = None
        self._typing: Deferred[int] | None = None
        self._taking: IDelayedCall | None = None
        self._flushing: IDelayedCall | None = None
        self._away = self.UNCONFIRMED
        self._over = False
        self._chunk = self.CHUNK // 4
        self._answered = -1

    # The web's side.

    def attach(self, said: Mapping[str, Any]) -> Deferred[bytes]:
        """
        @return: the first answer.
        @raise Unwelcome: as L{Session.attach}.
        """
        self._seat, resumed = self._session.attach(self, self._grant, *attach_fields(said))
        self.event(greeting(self._session, self._seat, resumed, self._release))
        self._session.greeted(self._seat)
        # Without output, which could make it too long to arrive; it bears the key.
        first: Deferred[bytes] = Deferred()
        self._poll = first
        self._answer(self._told())
        return first

    def poll(self, seen: int, offset: int, wait: float) -> Deferred[bytes]:
        """
        @param seen: the number of the last event that the viewer has had.
        @param offset: of the next byte of output that it wants, not beyond the
            end.
        @param wait: seconds to wait for something to say.
        @return: the answer, in records.  It can be cancelled.
        """
        while self._events and self._events[0][0] <= seen:
            self._events.popleft()
        if self._answered == offset:
            self._chunk = max(self.LEAST, self._chunk // 2)
        elif self._answered >= 0:
            self._chunk = min(self.CHUNK, self._chunk * 2)
        self._answered = -1
        self._seat.position = offset
        self._away = self.AWAY
        return self._ask(wait)

    def type(self, at: int, keys: bytes) -> Deferred[int]:
        """
        @param at: the number of the first byte of C{keys}.
        @return: the number of the next byte that is wanted, as soon as all are
            taken, or some time has passed.  It can be cancelled, as when its
            request is lost: then what was not taken will come again.
        @raise Refused: nothing can be typed now.
        @raise NotYet: there are bytes before these which have not come.
        """
        self._taken()
        seat = self._seat
        if at > seat.counted:
            raise NotYet(seat.counted)
        fresh = keys[seat.counted - at :]
        # A repeat of what was counted already can't be refused any more.
        why_not = self._session.typed(seat, fresh) if fresh else ""
        if why_not:
            raise Refused({**refused("input", why_not), "input": seat.counted})
        typing: Deferred[int] = Deferred(lambda _: self._forget(typing))
        self._typing = typing
        if seat.pending:
            self._taking = self._clock.callLater(self.TAKING, self._taken)
        else:
            self._taken()
        return typing

    def say(self, said: Mapping[str, Any]) -> None:
        """The viewer wants something; what is answered comes by poll."""
        answer = self._wishes.hear(self._seat, said)
        if answer is not None:
            self.event(answer)

    # The session's side.

    @property
    def reachable(self) -> bool:
        return self._poll is not None

    def output_ready(self) -> None:
        self._flush_soon()

    def event(self, event: Event) -> None:
        self._seat.told += 1
        told = {**event, "n": self._seat.told}
        self._events.append((self._seat.told, json.dumps(told, separators=(",", ":")).encode()))
        if len(self._events) > self.MOST_EVENTS:
            self._leave()
        else:
            self._flush_soon()

    def hold_input(self, held: bool) -> None:
        pass  # there is one question with input at a time, and it is bounded

    def counted(self, dropped: int) -> None:
        if dropped:
            self.event({"event": "counted", "input": self._seat.counted, "dropped": dropped})
        if not self._seat.pending:
            self._taken()

    def ended(self, end: End) -> None:
        self._over = True
        self._taken()
        self._flush()
        self._stop(self._patience)

    # Within.

    def _ask(self, wait: float) -> Deferred[bytes]:
        # A newer question ends an older one.
        self._answer(b"")
        self._stop(self._patience)
        poll: Deferred[bytes] = Deferred(lambda _: self._gave_up(poll))
        self._poll = poll
        self._seat.waiting = False
        records = self._records()
        if records or not wait:
            self._answer(records)
        else:
            self._patience = self._clock.callLater(wait, self._answer, b"")
        return poll

    def _records(self) -> bytes:
        """@return: all that can be said now: events, output, and the last event of all."""
        told = [self._told()]
        if self._over:
            return told[0]
        asked = self._seat.position
        taken = self._session.take(self._seat, self._chunk)
        if taken.missed:
            # It is not kept: asked again, the gap may be another one.
            self._seat.told += 1
            gap = {"event": "gap", "missed": taken.missed, "offset": taken.offset}
            numbered = json.dumps({**gap, "n": self._seat.told}, separators=(",", ":"))
            told.append(record(EVENT, numbered.encode()))
        if taken.output:
            self._answered = asked
            told.append(record(OUTPUT, taken.output))
        return b"".join(told)

    def _told(self) -> bytes:
        return b"".join(record(EVENT, event) for _, event in self._events)

    def _flush_soon(self) -> None:
        # What is said in one turn of the reactor is one answer.
        if self._poll is not None and self._flushing is None:
            self._flushing = self._clock.callLater(0, self._flush)

    def _flush(self) -> None:
        self._stop(self._flushing)
        self._flushing = None
        if self._poll is None:
            return
        records = self._records()
        if records:
            self._answer(records)

    def _answer(self, records: bytes) -> None:
        poll, self._poll = self._poll, None
        self._stop(self._patience)
        if poll is None:
            return
        # Whoever is not asking has not seen what comes now.
        self._seat.waiting = False
        if not self._over:
            self._patience = self._clock.callLater(self._away, self._leave)
        poll.callback(records)

    def _gave_up(self, poll: Deferred[bytes]) -> None:
        if poll is self._poll:
            self._poll = None
            self._seat.waiting = False
            self._stop(self._patience)
            self._patience = self._clock.callLater(self._away, self._leave)

    def _taken(self) -> None:
        typing, self._typing = self._typing, None
        self._stop(self._taking)
        if typing is not None:
            self._session.keys.drop(self._seat)  # not counted, it will come again
            typing.callback(self._seat.counted)

    def _forget(self, typing: Deferred[int]) -> None:
        if typing is self._typing:
            self._typing = None
            self._stop(self._taking)
            self._session.keys.drop(self._seat)

    def _leave(self) -> None:
        if not self._over:
            self._over = True
            self._events.clear()
            self._taken()
            self._session.left(self._seat, self)
            self._answer(b"")

    def _stop(self, call: IDelayedCall | None) -> None:
        if call is not None and call.active():
            call.cancel()


class Refused(Exception):
    """
    Nothing can be typed now.

    @ivar event: C{refused}, with the count.
    """

    def __init__(self, event: Event) -> None:
        super().__init__(event["message"])
        self.event = event


class NotYet(Exception):
    """
    Input came before what is before it.

    @ivar wanted: the number of the next byte.
    """

    def __init__(self, wanted: int) -> None:
        super().__init__(wanted)
        self.wanted = wanted
