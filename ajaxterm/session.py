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
    held/released  ------>  L{Keys} waits           ----->  hold_input(bool), counted(..)

A I{seat} outlives the connection of its viewer, so that one who comes back with
its resume key goes on where it was, in both directions.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from secrets import token_urlsafe

from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger

from ajaxterm.additions import Additions
from ajaxterm.grants import Grant, Grants
from ajaxterm.idleness import Idleness, Limits
from ajaxterm.keyboard import Keyboard
from ajaxterm.keys import Keys, Line
from ajaxterm.leaving import Leaving
from ajaxterm.logout import Farewell
from ajaxterm.recording import Recorder
from ajaxterm.scrollback import Scrollback
from ajaxterm.seats import Seats
from ajaxterm.viewer import (
    CLOSING,
    ELSEWHERE,
    FULL,
    REPLACED,
    REVOKED,
    End,
    Event,
    Seat,
    Taken,
    Unwelcome,
    Viewer,
)


class Session:
    """
    @ivar id: public; tells this session from an earlier one at the same place.
    @ivar state: of the line: C{live}, or C{waiting} with a C{message} for people.
    @ivar end: why it has ended, once it has.
    @ivar all_told: whether all who were there then have been told so, or some are to hear
        it when they ask again, or are back.
    @ivar down: whether it waits for its guest, so that nothing can be typed.
    @ivar report: tells the agent something.
    @cvar MOST_VIEWERS: connected at a time.
    @cvar MOST_ABSENT: seats kept for viewers that may come back.
    @cvar EXPECTED: seconds in which one whose connection broke probably does.
    """

    MOST_VIEWERS = 64
    MOST_ABSENT = 128
    EXPECTED = 30.0
    _log = Logger()

    def __init__(
        self,
        clock: IReactorTime,
        line: Line,
        grants: Grants,
        scrollback: Scrollback,
        title: str = "",
        limits: Limits = Limits(),  # noqa: B008
        ended: Callable[[End], None] = lambda _: None,
        report: Callable[[Event], None] = lambda _: None,
        farewell: Farewell = Farewell(),  # noqa: B008
    ) -> None:
        """
        @param ended: called once, when the session has ended.
        @param report: tells the agent: who comes and leaves, and what is wished of it.
        @param farewell: how to log out at the guest.
        """
        self._clock = clock
        self.line = line
        self._grants = grants
        self.scrollback = scrollback
        self.title = title
        self._ended = ended
        self.report = report
        self.id = token_urlsafe(9)
        self._seats = Seats(self.MOST_ABSENT)
        self._present = self._seats.present
        self.end: End | None = None
        self.all_told = True
        self.state = "live"
        self.message = ""
        self.down = False
        self._boot = 0
        self._recorder: Recorder | None = None
        self.keys = Keys(clock, line.write, self._stuck)
        self.keyboard = Keyboard(clock, self._passed)
        self.leaving = Leaving(clock, farewell, self)
        self.idleness = Idleness(clock, limits, self.leaving.close, self.tell_all)
        self.additions = Additions(
            scrollback,
            self.output,
            self.tell_all,
            ["size", "end_session"] if line.resizable else ["end_session"],
        )

    # The line's side.

    def output(self, output: bytes) -> None:
        """The line has sent C{output}."""
        self.scrollback.append(output)
        if self._recorder is not None:
            self._recorder.output(output)
        # A copy: who is told may leave at once, if the ring has overtaken it.
        for seat in list(self._present.values()):
            if seat.waiting and seat.viewer is not None:
                seat.waiting = False
                seat.viewer.output_ready()
        if self.leaving.trying:
            self.leaving.look()

    def hold_input(self, held: bool) -> None:
        """The line can take no more input for now, or can again."""
        self.keys.hold(held)

    def line_is(self, state: str, message: str = "", down: bool = False) -> None:
        """
        The line is C{live} or C{waiting} now.

        @param down: the guest itself is, so that nothing may be typed, nor kept
            for whatever boots there next.
        """
        if self.down and state == "waiting" and not down:
            return  # who said that the guest is down knows better why
        was_down, self.down = self.down, down
        if (state, message) != (self.state, self.message):
            self.state, self.message = state, message
            end = self.scrollback.end
            self.tell_all({"event": "line", "state": state, "message": message, "offset": end})
        if down:
            self._boot += not was_down
            self.drop(self.keys.waiting())
        if down != was_down:
            self.leaving.look()
            self._look_who_is_there()

    def record(self, recorder: Recorder, with_input: bool) -> None:
        """
        From now on what is seen here is written down.

        @param with_input: and what is typed, passwords too.
        """
        self._recorder = recorder
        if with_input:
            self.keys.write = recorder.beside(self.line.write)

    @property
    def recording(self) -> bool:
        """Whether it is."""
        return self._recorder is not None and self._recorder.on

    # The viewers' side.

    def seat_of(self, resume: str | None, grant: Grant) -> Seat | None:
        """@return: the seat that C{resume} is the key of, present or absent."""
        return self._seats.find(resume, grant)

    def attach(
        self,
        viewer: Viewer,
        grant: Grant,
        resume: str | None = None,
        offset: int | None = None,
        console: str | None = None,
    ) -> tuple[Seat, bool]:
        """
        A viewer is there.  Its output begins at the seat's C{position}:
        C{offset} if it can be had, else the oldest byte there is.

        @param console: the session that key and offset are of, if that is known.
        @return: the seat, and whether C{resume} was known, and what was not counted
            may be sent again: it was meant for the guest as it runs now.
        @raise Unwelcome: the grant is over, or the session, or it is full.
        """
        if self.end is not None:
            raise Unwelcome(self.end)
        if self.leaving.closing is not None and self.leaving.closing.reason != "idle":
            raise Unwelcome(CLOSING)
        if not self._grants.alive(grant):
            # It was alive at the handshake, and a viewer may take 10 s from there.
            raise Unwelcome(REVOKED)
        if console is not None and console != self.id:
            resume = offset = None
        seat = self._seats.find(resume, grant)
        resumed = seat is not None and seat.boot == self._boot
        if (seat is None or seat.viewer is None) and len(self._present) >= self.MOST_VIEWERS:
            raise Unwelcome(FULL)
        if seat is None:
            seat = self._seats.new(grant)
        elif seat.viewer is not None:
            # The old connection is dead and does not know it yet.
            self._dismiss([seat], REPLACED)
        self._seats.sit(seat)
        seat.grant = grant
        seat.viewer = viewer
        seat.waiting = seat.greeted = False
        seat.boot = self._boot
        start, end = self.scrollback.start, self.scrollback.end
        seat.position = start if offset is None or not start <= offset <= end else offset
        self._grants.attached(grant)
        self.keyboard.came(seat)
        if grant.mode == "rw" and not resumed:
            self.idleness.used()
        self.leaving.came()
        self._look_who_is_there()
        self._log.info("Viewer {viewer} of {user} attached", viewer=seat.name, user=grant.user)
        self.report(seat.told_as("viewer_came"))
        return seat, resumed

    def greeted(self, seat: Seat) -> None:
        """The viewer has had its C{hello}; now it can be told of the others."""
        seat.greeted = True
        self._tell_viewers()
        if self.keys.stuck and seat.viewer is not None:
            seat.viewer.event({"event": "held", "held": True})

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
        if self.leaving.last is not None:
            self.leaving.look_if_seen()
        return Taken(missed, offset, output)

    def typed(self, seat: Seat, keys: bytes) -> str:
        """
        @return: why the keys will not get to the line: they were counted, and
            dropped.  Nothing if they do, or wait.
        """
        refusal = self.refusal(seat)
        if refusal:
            self.drop([seat], len(keys))
        else:
            self.idleness.used()
            self.leaving.typed()
            seat.boot = self._boot
            self.keys.add(seat, keys)
        return refusal

    def refusal(self, seat: Seat) -> str:
        """@return: why C{seat} can't type now; nothing if it can."""
        if seat.grant.mode != "rw":
            return "You may only watch this console."
        if self.end is not None:
            return "This console has ended."
        if self.leaving.closing is not None:
            return "This console is being closed."
        if self.down:
            return self.message or "The guest is down."
        return self.keyboard.refusal(seat)

    def drop(self, seats: Iterable[Seat], more: int = 0) -> None:
        """
        What waits of C{seats} will never be typed.  It is counted all the same,
        so that nobody sends it again.

        @param more: bytes behind that, which are dropped too.
        """
        for seat in seats:
            dropped = self.keys.drop(seat) + more
            seat.counted += dropped
            if seat.viewer is not None:
                seat.viewer.counted(dropped)

    def all_seen(self) -> bool:
        """@return: whether all viewers have had all output."""
        end = self.scrollback.end
        return all(seat.waiting and seat.position == end for seat in self._present.values())

    def typist(self, name: str) -> Seat | None:
        """@return: the viewer of that name, if it is there and may type."""
        return next((seat for seat in self._seats.typists() if seat.name == name), None)

    def left(self, seat: Seat, viewer: Viewer) -> None:
        """
        The connection of C{viewer} is gone.  Its seat is kept, for it may come
        back; if it has come back already, nothing changes.
        """
        if seat.viewer is not viewer:
            return
        self._vacate(seat)
        if viewer.resumes:
            self.keys.drop(seat)  # it will come again, since it was not counted
            seat.left = self._clock.seconds()
            self._seats.keep(seat)
            self.keyboard.left(seat)
        else:
            self.keys.leave_behind(seat)
            self.keyboard.gone(seat)
        self._tell_viewers()
        self._look_who_is_there()

    def viewers(self) -> list[Event]:
        """Who is there, without anything private."""
        return self._seats.names()

    def tell_all(self, event: Event) -> None:
        """Tell every viewer."""
        for seat in list(self._present.values()):
            if seat.greeted and seat.viewer is not None:
                seat.viewer.event(event)

    # Ending.

    def touch(self) -> None:
        """Somebody wants this session: its idle time begins anew."""
        self.idleness.touch()

    def revoke(self, name: str) -> bool:
        """
        A grant is over: its viewers are told, and cut.

        @return: whether the grant was known.
        """
        known = self._grants.revoke(name)
        cut = [seat for seat in self._seats if seat.grant.name == name]
        self._dismiss(cut, REVOKED)
        for seat in cut:
            self._seats.rise(seat)
            self.keyboard.gone(seat)
        if cut:
            self._tell_viewers()
            self._look_who_is_there()
        return known

    def send_elsewhere(self, grant: Grant, through: str) -> None:
        """
        A proxy is being stopped: who came through it under a grant is to come by
        another one.  Their seats are kept.
        """
        for seat in list(self._present.values()):
            viewer = seat.viewer
            if viewer is not None and (seat.grant, viewer.through) == (grant, through):
                viewer.event(ELSEWHERE.event())
                viewer.ended(ELSEWHERE)

    def finish(self, end: End) -> None:
        """End the session, for everyone.  A second time does nothing."""
        if self.end is not None:
            return
        self.end = end
        for part in (self.leaving, self.idleness, self.keyboard, self.keys):
            part.stop()
        # Where nobody came for so long that it is idle, nobody is expected.
        expected = self._clock.seconds() - (self.EXPECTED if end.reason != "idle" else 0.0)
        self.all_told = all(
            seat.left <= expected if seat.viewer is None else seat.viewer.reachable
            for seat in self._seats
        )
        self._seats.forget_absent()
        self._dismiss(list(self._present.values()), end)
        if self._recorder is not None:
            self._recorder.stop()
        self._log.info("Console {title} ended: {why}", title=self.title, why=end.reason)
        self._ended(end)

    def _stuck(self, held: bool) -> None:
        self.tell_all({"event": "held", "held": held})

    def _passed(self, event: Event) -> None:
        self.tell_all({**event, "offset": self.scrollback.end})

    def _dismiss(self, seats: list[Seat], end: End) -> None:
        """Say goodbye to viewers, who will not come back to their seats."""
        for seat in seats:
            dropped = self.keys.drop(seat)
            if end is REPLACED:
                dropped = 0  # it will come again, since it was not counted
            seat.counted += dropped
            viewer = seat.viewer
            if viewer is not None:
                self._vacate(seat)
                try:
                    if dropped:
                        viewer.counted(dropped)
                    viewer.event(end.event())
                    viewer.ended(end)
                except Exception:
                    # The others are still to be told, and the session to end.
                    self._log.failure("Viewer {viewer} could not be told", viewer=seat.name)

    def _vacate(self, seat: Seat) -> None:
        seat.viewer = None
        del self._present[seat.name]
        self._grants.left(seat.grant)
        self._log.info("Viewer {viewer} of {user} left", viewer=seat.name, user=seat.grant.user)
        self.report(seat.told_as("viewer_left"))
        if self.leaving.last is not None:
            self.leaving.look_if_seen()

    def _look_who_is_there(self) -> None:
        typist = bool(self._seats.typists())
        self.idleness.who_is_there(bool(self._present), typist and not self.down)
        self.leaving.who_is_there(typist)

    def _tell_viewers(self) -> None:
        answering = next((seat.name for seat in self._seats.typists()), None)
        self.tell_all({"event": "viewers", "viewers": self.viewers(), "answering": answering})
