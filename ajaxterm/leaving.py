"""
How a session ends: with a logout first, where that is wanted; with its last words, where
the line itself has ended.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.logger import Logger

from ajaxterm.logout import Farewell, Logout
from ajaxterm.viewer import End

if TYPE_CHECKING:
    from ajaxterm.session import Session


class Leaving:
    """
    Also what L{Logout} sees of its session.

    @ivar closing: why the session ends, as soon as the logout has a verdict.
    @ivar last: why it ends, as soon as all has been seen.
    @cvar TAIL: bytes of output in which a login prompt is looked for.
    @cvar PATIENCE: seconds that viewers have for the last output.
    """

    TAIL = 512
    PATIENCE = 5.0

    _log = Logger()

    def __init__(self, clock: IReactorTime, farewell: Farewell, session: Session) -> None:
        self._clock = clock
        self._session = session
        self._patience: IDelayedCall | None = None
        self.last: End | None = None
        self._logout = Logout(clock, farewell, self)
        self.closing: End | None = None

    # The session's side.

    @property
    def trying(self) -> bool:
        """Whether output is to be looked at."""
        return self._logout.trying

    def look(self) -> None:
        """The guest has said something, or is down."""
        self._logout.look()

    def typed(self) -> None:
        """Somebody has typed."""
        self._logout.typed()

    def who_is_there(self, typist: bool) -> None:
        """
        @param typist: whether anybody who may type is.
        """
        self._logout.typists(typist)

    def close(self, end: End) -> None:
        """End the session for everyone; if anybody may be logged in, with a logout first."""
        session = self._session
        if session.end is not None or self.closing is not None:
            return
        # Who ends it by hand may have found somebody logged in.
        by_hand = self._logout.wanted and end.reason == "closed"
        if not (self._logout.needed or by_hand):
            session.finish(end)
            return
        self.closing = end
        session.idleness.stop()
        session.drop(session.keys.waiting())
        self._logout.demand(self._closed)

    def finish_when_seen(self, end: End) -> None:
        """
        End the session when all viewers have had all output, or have not in
        L{PATIENCE} seconds.
        """
        if self._session.end is None and self.last is None:
            self.last = end
            self._patience = self._clock.callLater(self.PATIENCE, self._session.finish, end)
            self.look_if_seen()

    def look_if_seen(self) -> None:
        """A viewer has had output, or has left."""
        if self._patience is not None and self._patience.active() and self._session.all_seen():
            self._patience.reset(0)

    def came(self) -> None:
        """A viewer is there: a console that nobody used goes on."""
        if self.closing is not None and self.closing.reason == "idle":
            self.closing = None
            self._logout.call_off()
            self._session.idleness.start()

    def stop(self) -> None:
        """The session has ended."""
        if self._patience is not None and self._patience.active():
            self._patience.cancel()
        self.closing = None
        self._logout.call_off()

    def _closed(self) -> None:
        if self.closing is not None:
            self._session.finish(self.closing)

    # The logout's side.

    def tail(self) -> bytes:
        scrollback = self._session.scrollback
        offset = max(scrollback.start, scrollback.end - self.TAIL)
        return scrollback.read(offset, self.TAIL)

    def can_take(self) -> bool:
        return self._session.state == "live" and not self._session.keys.held

    def is_down(self) -> bool:
        return self._session.down

    def type(self, keys: bytes) -> None:
        self._session.line.write(keys)

    def logout_is(self, state: str, message: str) -> None:
        session = self._session
        if session.end is not None:
            return  # which has called it off
        self._log.info("Logout of {title}: {state}", title=session.title, state=state)
        session.tell_all({"event": "logout", "state": state, "message": message})
        if state != "off":
            session.report({"event": "logout", "state": state})
