"""
The one shared session on a line: who is there, who may type, who has seen what.

The session does no I/O.  A I{line} gives it output and takes input; I{viewers}
pull their output from it, each at its own place in the scrollback and at its
own speed.  The line is never asked to wait for a viewer: one that is slower
than the scrollback is long is told how many bytes it missed.

  line                    session                        viewer (a skin)
    output(bytes)  ------>  append; wake who waits  ----->  output_ready()
                            take(seat, most)        <-----  ...when it can write
    write(keys)    <------  typed(seat, keys)       <-----
    held/released  ------>                          ----->  hold_input(bool)

A I{seat} outlives the connection of its viewer, so that one who comes back with
its resume key goes on where it was, in both directions.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from hmac import compare_digest
from secrets import token_urlsafe
from typing import Protocol

from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.logger import Logger

from ajaxterm.grants import Grant, Grants
from ajaxterm.scrollback import Scrollback
from ajaxterm.viewer import FULL, REPLACED, REVOKED, End, Event, Seat, Taken, Unwelcome, Viewer


class Line(Protocol):
    """What a session asks of a line."""

    resizable: bool

    def write(self, keys: bytes) -> None:
        """Send input; L{Session.hold_input} says when it is too much."""

    def resize(self, rows: int, columns: int) -> None:
        """Set the terminal's size."""


class Session:
    """
    @ivar state: of the line: C{live}, or C{waiting} with a C{message} for people.
    @cvar MOST_VIEWERS: connected at a time.
    @cvar MOST_ABSENT: seats kept for viewers that may come back.
    @cvar PATIENCE: seconds that viewers have for the last output.
    """

    MOST_VIEWERS = 64
    MOST_ABSENT = 128
    PATIENCE = 5.0

    _log = Logger()

    def __init__(
        self,
        clock: IReactorTime,
        line: Line,
        grants: Grants,
        scrollback: Scrollback,
        title: str = "",
        idle_timeout: float = 300.0,
        ended: Callable[[End], None] = lambda _: None,
        notice: Callable[[Event], None] = lambda _: None,
    ) -> None:
        """
        @param idle_timeout: seconds without a viewer until the session ends
            itself; 0 for never.
        @param ended: called once, when the session has ended.
        @param notice: told of viewers who come and leave.
        """
        self._clock = clock
        self._line = line
        self._grants = grants
        self.scrollback = scrollback
        self.title = title
        self._idle_timeout = idle_timeout
        self._ended = ended
        self._notice = notice
        self._present: dict[str, Seat] = {}
        self._absent: OrderedDict[str, Seat] = OrderedDict()
        self._named = 0
        self._held = False
        self._idle_since = clock.seconds()
        self._idle_check: IDelayedCall | None = None
        self._last: End | None = None
        self._patience: IDelayedCall | None = None
        self.end: End | None = None
        self.state = "live"
        self.message = ""
        self._sleep_until_idle()

    # The line's side.

    def output(self, output: bytes) -> None:
        """The line has sent C{output}."""
        self.scrollback.append(output)
        # A copy: who is told may leave at once, if the ring has overtaken it.
        for seat in list(self._present.values()):
            if seat.waiting and seat.viewer is not None:
                seat.waiting = False
                seat.viewer.output_ready()

    def hold_input(self, held: bool) -> None:
        """The line can take no more input for now, or can again."""
        self._held = held
        for seat in list(self._present.values()):
            if self._held != held:
                return  # what one had kept has filled the line; all know already
            if seat.viewer is not None:
                seat.viewer.hold_input(held)

    def line_is(self, state: str, message: str = "") -> None:
        """The line is C{live} or C{waiting} now."""
        if (state, message) != (self.state, self.message):
            self.state, self.message = state, message
            self._tell_all({"event": "line", "state": state, "message": message})

    # The viewers' side.

    def attach(
        self,
        viewer: Viewer,
        grant: Grant,
        resume: str | None = None,
        offset: int | None = None,
    ) -> tuple[Seat, bool]:
        """
        A viewer is there.  Its output begins at the seat's C{position}:
        C{offset} if it can be had, else the oldest byte there is.

        @return: the seat, and whether C{resume} was known.
        @raise Unwelcome: the grant is over, or the session, or it is full.
        """
        if self.end is not None:
            raise Unwelcome(self.end)
        if not self._grants.alive(grant):
            # It was alive at the handshake, and a viewer may take 10 s from there.
            raise Unwelcome(REVOKED)
        seat = self._seat_of(resume, grant)
        resumed = seat is not None
        if (seat is None or seat.viewer is None) and len(self._present) >= self.MOST_VIEWERS:
            raise Unwelcome(FULL)
        if seat is None:
            self._named += 1
            seat = Seat(f"v{self._named}", token_urlsafe(18), grant, None, 0)
        elif seat.viewer is not None:
            # The old connection is dead and does not know it yet.
            self._dismiss([seat], REPLACED)
        self._absent.pop(seat.name, None)
        seat.grant = grant
        seat.viewer = viewer
        seat.waiting = False
        seat.position = self.scrollback.start
        if offset is not None and self.scrollback.start <= offset <= self.scrollback.end:
            seat.position = offset
        self._present[seat.name] = seat
        self._grants.attached(grant)
        self._log.info("Viewer {viewer} of {user} attached", viewer=seat.name, user=grant.user)
        self._notice({"event": "viewer_came", "viewer": seat.name, "user": grant.user})
        return seat, resumed

    def greeting(self, seat: Seat, resumed: bool, release: str) -> Event:
        """@return: the C{hello} of docs/protocol.md."""
        return {
            "event": "hello",
            "version": 1,
            "viewer": seat.name,
            "resume": seat.key,
            "resumed": resumed,
            "mode": seat.grant.mode,
            "offset": seat.position,
            "live": self.scrollback.end,
            "input": seat.counted,
            "title": self.title,
            "resizable": self._line.resizable,
            "release": release,
            "line": {"state": self.state, "message": self.message},
        }

    def greeted(self, seat: Seat) -> None:
        """The viewer has had its C{hello}; now it can be told of the others."""
        self._tell_viewers()
        if self._held and seat.viewer is not None:
            seat.viewer.hold_input(True)

    def take(self, seat: Seat, most: int) -> Taken:
        """
        The next output for a viewer.  When there is none, C{output} is empty
        and the viewer is woken by C{output_ready}.
        """
        missed = max(0, self.scrollback.start - seat.position)
        offset = seat.position + missed
        output = self.scrollback.read(offset, most)
        seat.position = offset + len(output)
        seat.waiting = not output
        self._look_if_seen()
        return Taken(missed, offset, output)

    def typed(self, seat: Seat, keys: bytes) -> bool:
        """
        @return: whether the keys went to the line; a viewer that may only
            watch cannot type.
        """
        if seat.grant.mode != "rw" or self.end is not None:
            return False
        seat.counted += len(keys)
        self._line.write(keys)
        return True

    def resized(self, seat: Seat, rows: int, columns: int) -> bool:
        """@return: whether the line took the size."""
        if seat.grant.mode != "rw" or not self._line.resizable:
            return False
        self._line.resize(rows, columns)
        return True

    def left(self, seat: Seat, viewer: Viewer) -> None:
        """
        The connection of C{viewer} is gone.  Its seat is kept, for it may come
        back; if it has come back already, nothing changes.
        """
        if seat.viewer is not viewer:
            return
        self._vacate(seat)
        self._absent[seat.name] = seat
        while len(self._absent) > self.MOST_ABSENT:
            self._absent.popitem(last=False)
        self._tell_viewers()
        if not self._present:
            self.touch()

    def viewers(self) -> list[Event]:
        """Who is there, without anything private."""
        return [
            {"name": seat.name, "user": seat.grant.user, "mode": seat.grant.mode}
            for seat in self._present.values()
        ]

    # Ending.

    def touch(self) -> None:
        """Somebody wants this session: its idle time begins anew."""
        self._idle_since = self._clock.seconds()
        self._sleep_until_idle()

    def revoke(self, name: str) -> bool:
        """
        A grant is over: its viewers are told, and cut.

        @return: whether the grant was known.
        """
        known = self._grants.revoke(name)
        for seat in [seat for seat in self._absent.values() if seat.grant.name == name]:
            del self._absent[seat.name]
        cut = [seat for seat in self._present.values() if seat.grant.name == name]
        if cut:
            self._dismiss(cut, REVOKED)
            self._tell_viewers()
        if not self._present:
            self.touch()
        return known

    def finish(self, end: End) -> None:
        """End the session, for everyone.  A second time does nothing."""
        if self.end is not None:
            return
        self.end = end
        for call in (self._idle_check, self._patience):
            if call is not None and call.active():
                call.cancel()
        self._absent.clear()
        self._dismiss(list(self._present.values()), end)
        self._log.info("Console {title} ended: {reason}", title=self.title, reason=end.reason)
        self._ended(end)

    def finish_when_seen(self, end: End) -> None:
        """
        End the session when all viewers have had all output, or have not in
        L{PATIENCE} seconds.
        """
        if self.end is None and self._last is None:
            self._last = end
            self._patience = self._clock.callLater(self.PATIENCE, self.finish, end)
            self._look_if_seen()

    def _look_if_seen(self) -> None:
        if self._last is None or self._patience is None or not self._patience.active():
            return
        if all(seat.waiting for seat in self._present.values()):
            self._patience.reset(0)

    def _dismiss(self, seats: list[Seat], end: End) -> None:
        """Say goodbye to viewers, who will not come back to their seats."""
        for seat in seats:
            viewer = seat.viewer
            self._vacate(seat)
            if viewer is not None:
                viewer.event(end.event())
                viewer.ended(end)

    def _vacate(self, seat: Seat) -> None:
        seat.viewer = None
        del self._present[seat.name]
        self._grants.left(seat.grant)
        self._log.info("Viewer {viewer} of {user} left", viewer=seat.name, user=seat.grant.user)
        self._notice({"event": "viewer_left", "viewer": seat.name, "user": seat.grant.user})
        self._look_if_seen()

    def _seat_of(self, resume: str | None, grant: Grant) -> Seat | None:
        if resume is None:
            return None
        for seat in [*self._absent.values(), *self._present.values()]:
            if _same(seat.key, resume) and seat.grant.name == grant.name:
                return seat
        return None

    def _sleep_until_idle(self) -> None:
        if not self._idle_timeout or self.end is not None:
            return
        if self._idle_check is not None and self._idle_check.active():
            return
        left = self._idle_since + self._idle_timeout - self._clock.seconds()
        self._idle_check = self._clock.callLater(max(0.0, left), self._look_if_idle)

    def _look_if_idle(self) -> None:
        if self._present:
            return  # left() calls touch(), which sleeps again
        if self._clock.seconds() - self._idle_since < self._idle_timeout:
            self._sleep_until_idle()
            return
        self.finish(End("idle", "Nobody used this console for a while, so it was closed.", 1000))

    def _tell_all(self, event: Event) -> None:
        for seat in list(self._present.values()):
            if seat.viewer is not None:
                seat.viewer.event(event)

    def _tell_viewers(self) -> None:
        answering = next(
            (seat.name for seat in self._present.values() if seat.grant.mode == "rw"), None
        )
        self._tell_all({"event": "viewers", "viewers": self.viewers(), "answering": answering})


def _same(key: str, shown: str) -> bool:
    # "surrogatepass", since JSON can hold what UTF-8 can't.
    return compare_digest(key.encode("utf-8"), shown.encode("utf-8", "surrogatepass"))
