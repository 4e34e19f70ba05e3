"""
A viewer for tests of the session alone.
"""

from __future__ import annotations

from ajaxterm.grants import Grant
from ajaxterm.session import Session
from ajaxterm.viewer import End, Event, Seat


class FakeViewer:
    """
    Pulls its output when told, and remembers what it was told.

    @ivar eager: whether it pulls at once when there is output.
    @ivar held: whether it was asked to send no more, each time.
    @ivar dropped: how many bytes of its input were.
    """

    seat: Seat
    resumes = True
    through = ""
    reachable = True

    def __init__(self, session: Session, eager: bool = True) -> None:
        self._session = session
        self.eager = eager
        self.output = b""
        self.missed = 0
        self.events: list[Event] = []
        self.held: list[bool] = []
        self.dropped = 0
        self.ends: list[End] = []

    def attach(self, grant: Grant, resume: str | None = None, offset: int | None = None) -> bool:
        """
        @return: whether it was resumed.
        """
        self.seat, resumed = self._session.attach(self, grant, resume, offset)
        self._session.greeted(self.seat)
        self.pull()
        return resumed

    def pull(self, most: int = 1 << 17) -> None:
        """
        Take what there is.
        """
        while self.eager or most:
            taken = self._session.take(self.seat, most)
            self.missed += taken.missed
            self.output += taken.output
            if not self.eager or not taken.output:
                return

    def leave(self) -> None:
        """
        Lose the connection.
        """
        self._session.left(self.seat, self)

    def names(self) -> list[str]:
        return [event["event"] for event in self.events]

    # What the session calls.

    def output_ready(self) -> None:
        if self.eager:
            self.pull()

    def event(self, event: Event) -> None:
        self.events.append(event)

    def hold_input(self, held: bool) -> None:
        self.held.append(held)

    def counted(self, dropped: int) -> None:
        self.dropped += dropped

    def ended(self, end: End) -> None:
        self.ends.append(end)
