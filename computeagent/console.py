"""
One console: the terminal that serves a guest's serial device, and what it was told.

    opening ──▶ live ⇄ joining ⇄ waiting ──▶ closing ──▶ closed
       ▲______________│ the terminal died

What happens between C{live}, C{joining} and C{waiting} is L{computeagent.guestline}'s: it
is about the guest.  C{opening}: the terminal is being started, the first one or one in
place of another that died, under the same name, grants and, if it can be had, port.
C{closing}: the children are being ended and reaped.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from twisted.internet.defer import CancelledError, Deferred, TimeoutError
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.internet.task import deferLater
from twisted.logger import Logger

from computeagent.guestline import GuestLine
from computeagent.kept import Kept, write_kept
from computeagent.orders import OrderFailed, TerminalGone
from computeagent.place import LIVE, UNATTENDED, WAITING, Place
from computeagent.remembering import Remember, tell_before
from computeagent.rooms import Room
from computeagent.standing import StandingOrders
from computeagent.workshop import IWorkshop, Terminal

OPENING = "opening"
OPEN = "open"
CLOSING = "closing"
CLOSED = "closed"


class Console:
    """
    @ivar name: public, unique.
    @ivar room: where what another agent needs is written down.
    @ivar line: the guest's side of it.
    @ivar terminal: the one there is, or was last; C{None} before the first.
    @ivar lasts: whether it stays when nobody is there.
    @cvar LAST_WORDS: seconds that the terminal has to end by itself.
    @cvar LOGOUT: seconds more if it logs out first.
    @cvar MOST_DEATHS: of terminals, one after another, until it is given up.
    @cvar MOST_VIEWERS: that are remembered, whatever a terminal says.
    @cvar STEADY: seconds after which the end of one is taken for an accident.
    @cvar REBOOT: seconds for which viewers are told that the guest is rebooting.
    """

    LAST_WORDS = 5.0
    LOGOUT = 15.0
    MOST_DEATHS = 5
    MOST_VIEWERS = 1000
    STEADY = 60.0
    REBOOT = 15.0

    _log = Logger()

    def __init__(
        self,
        clock: IReactorTime,
        workshop: IWorkshop,
        name: str,
        place: Place,
        room: Room,
        line: GuestLine,
        told: Callable[[Console, Mapping[str, Any]], None],
        lasts: bool = False,
        remember: Remember | None = None,
    ) -> None:
        """
        @param line: to the guest; ours from now on.
        @param lasts: whether it stays when nobody is there.
        @param remember: finds what the guest said before.
        @param told: called with what the terminal tells; with C{{"event": "moved"}} when
            another one has taken its place; and with C{{"event": "closed", "reason":
            ...}} when all is over.
        """
        self._clock = clock
        self._workshop = workshop
        self.name = name
        self.place = place
        self.room, self.line = room, line
        self._told = told
        self.lasts = lasts
        self._remember = remember
        self._stage = OPENING
        self.terminal: Terminal | None = None
        self._standing = StandingOrders()
        self._viewers: dict[str, str] = {}
        self._line_told: tuple[str, str] | None = None
        self._proven = False
        self._rebooting: IDelayedCall | None = None
        self._deaths = 0
        self._started_at = 0.0
        self._starts = 0
        self._gone = False
        self._replacing: Deferred[None] | None = None
        self._pause: Deferred[None] | None = None
        self._waiting: list[Deferred[None]] = []
        self._reason = "broken"
        self._closed: list[Deferred[None]] = []

    @property
    def state(self) -> str:
        """See above."""
        return self.line.state if self._stage == OPEN else self._stage

    @property
    def viewers(self) -> int:
        """How many are there."""
        return len(self._viewers)

    @property
    def ending(self) -> bool:
        """Whether it is closing or closed."""
        return self._stage in (CLOSING, CLOSED)

    async def open(self) -> None:
        """
        @raise PortsExhausted: and what else L{computeagent.workshop} raises.
            The console is closed then.
        """
        try:
            await self._start_terminal()
        except BaseException:
            await self._clear()
            raise
        await self._tell_before("prefill")
        self._go_on()
        if self.lasts:
            self.tell("grants")  # nobody else may ask for long whether it works

    def take_over(self, terminal: Terminal, kept: Kept, socat: Any, viewers: object) -> None:
        """
        Go on where an earlier agent was.

        @param terminal: its ajaxterm, which has answered.
        @param socat: its child, if that is still there.
        @param viewers: who is there, as the terminal told.
        """
        self.terminal = terminal
        self._proven = True
        self._started_at = self._clock.seconds()
        self._stage = OPEN
        if isinstance(viewers, list):
            for viewer in viewers[: self.MOST_VIEWERS]:
                self._viewers[str(viewer["name"])[:64]] = str(viewer["user"])
        for name, message in kept.notices.items():
            self._standing.notice(name, message)
        self._line_told = ("waiting" if kept.waits else "live", kept.message)
        terminal.child.when_ended().addCallback(self._terminal_ended, self._starts)
        self.line.adopt(self, socat, kept.waits, kept.message, kept.logged)
        self.notice("rebooting", "")
        self._write_state()

    # Orders.

    async def order(self, order: str, **words: object) -> Mapping[str, Any]:
        """
        Give the terminal an order; if it is just dying, the one that takes its place.

        @raise TerminalGone: the console has ended, or is just ending.
        @raise OrderFailed: it can't.
        """
        while True:
            terminal = await self._ready()
            try:
                answer: Mapping[str, Any] = await terminal.orders.give(order, **words)
            except TerminalGone:
                await self._wait_for_the_end_of(terminal, self.LAST_WORDS)
                continue
            self._proven = True
            return answer

    async def grant(self, name: str, **words: object) -> Terminal:
        """
        Let somebody in, with this terminal and those after it.

        @return: the terminal that knows it.
        @raise TerminalGone: and what else L{order} raises.
        """
        await self.order("grant", grant=name, **words)
        if self.terminal is None or self.ending:
            raise TerminalGone()
        self.remember(name, **words)
        return self.terminal

    def remember(self, name: str, **words: object) -> None:
        """The terminal knows this grant; so shall those that take its place."""
        self._standing.grant(name, words)

    async def revoke(self, name: str) -> None:
        """
        Let somebody in no more; he is cut, if he is there.

        @raise TerminalGone: and what else L{order} raises.
        """
        self.forget([name])
        await self.order("revoke", grant=name)

    def forget(self, names: Sequence[str]) -> None:
        """These grants are over; terminals to come need not know them."""
        for name in names:
            self._standing.forget(name)

    async def _ready(self) -> Terminal:
        if self._replacing is not None and not self.ending:
            ready: Deferred[None] = Deferred()
            self._waiting.append(ready)
            await ready
        if self.terminal is None or self.ending or self._gone:
            raise TerminalGone()
        return self.terminal

    async def _wait_for_the_end_of(self, terminal: Terminal, patience: float) -> None:
        """It is ending, or should be; if it does not, it is made to."""
        ended = terminal.child.when_ended()
        ended.addTimeout(patience, self._clock)
        try:
            await ended
        except TimeoutError:
            terminal.child.end()
            await terminal.child.when_ended()

    # Its end.

    def close(self, reason: str, message: str) -> Deferred[None]:
        """
        End it, telling the viewers why.

        @return: fires when nothing of it is left.
        """
        done: Deferred[None] = Deferred()
        if self._stage == CLOSED:
            done.callback(None)
            return done
        self._closed.append(done)
        if self._stage != CLOSING:
            self._stage = CLOSING
            self._reason = reason
            self._write_state()
            _cancel(self._rebooting)
            if self._pause is not None:
                self._pause.cancel()
            _fire(self._waiting)
            closing = Deferred.fromCoroutine(self._close(reason, message))
            closing.addErrback(lambda f: self._log.failure("while closing a console", f))
        return done

    def leave(self) -> None:
        """Let it be, as it is, for another agent."""
        self._stage = CLOSED
        _cancel(self._rebooting)
        if self._pause is not None:
            self._pause.cancel()
        self.line.leave()
        if self.terminal is not None:
            self.terminal.orders.leave()

    async def _close(self, reason: str, message: str) -> None:
        # Somebody wants its end, and may want to be logged out first.
        logout = reason == "closed" and self.line.state == LIVE
        self.line.part(cut=not logout)
        if self._replacing is not None:
            await self._replacing
        terminal = self.terminal
        if terminal is not None:
            give = terminal.orders.give
            finishing = give("finish", reason=reason, message=message, logout=logout)
            finishing.addErrback(lambda f: f.trap(OrderFailed, TerminalGone, TimeoutError))
            patience = self.LAST_WORDS + (self.LOGOUT if logout else 0.0)
            await self._wait_for_the_end_of(terminal, patience)
            terminal.orders.leave()
        await self._clear()
        self._log.info("Console {title} is closed: {reason}", title=self.place.title, reason=reason)
        try:
            self._told(self, {"event": "closed", "reason": reason})
        finally:
            _fire(self._closed)

    async def _clear(self) -> None:
        await self.line.end()
        self._stage = CLOSED
        self.room.clear()

    # The guest.

    def happened(self, what: str) -> None:
        """As of L{IHypervisor.watch}, to this guest."""
        if what == "migrated":
            # Leave to attach was given on this host, and goes with the guest.
            self.close("guest-ended", "The guest was moved to another host. Ask for it there.")
            return
        if what == "rebooted":
            _cancel(self._rebooting)
            self.notice("rebooting", "The guest is rebooting.")
            self._rebooting = self._clock.callLater(self.REBOOT, self.notice, "rebooting", "")
        self.line.happened(what)

    def notice(self, name: str, message: str) -> None:
        """
        Something that viewers should know, until it is taken back.

        @param message: an empty one takes it back.
        """
        if self._standing.notice(name, message) and self._stage == OPEN:
            self._write_state()
            self.tell("notice", name=name, message=message)

    def line_changed(self) -> None:
        """As of L{computeagent.place.Watcher}."""
        if self._stage != OPEN:
            return
        self._write_state()
        said = ("waiting" if self.line.state == WAITING else "live", self.line.message)
        if said != (self._line_told or ("live", "")):
            self._line_told = said
            self.tell("line", state=said[0], message=said[1])
            self._told(self, {"event": said[0]})

    async def coming_back(self) -> None:
        """As of L{computeagent.place.Watcher}."""
        await self._tell_before("missed")

    async def unattended(self) -> None:
        """As of L{computeagent.place.Watcher}."""
        try:
            await self.order("mark", text=UNATTENDED)
        except (OrderFailed, TerminalGone, TimeoutError):
            pass  # there is nobody to be told

    def guest_removed(self, message: str) -> None:
        """As of L{computeagent.place.Watcher}."""
        self.close("guest-ended", f"{message} It does not exist on this host any more.")

    def tell(self, order: str, **words: object) -> None:
        """Give an order whose answer changes nothing."""
        telling = Deferred.fromCoroutine(self.order(order, **words))
        telling.addErrback(lambda f: f.trap(OrderFailed, TerminalGone, TimeoutError))
        telling.addErrback(lambda f: self._log.failure("while telling a terminal", f))

    # The terminal.

    async def _start_terminal(self, port: int | None = None) -> None:
        self._starts += 1
        start = self._starts

        def told(words: Mapping[str, Any]) -> None:
            if start == self._starts:  # and not one that had to be given up
                self.terminal_told(words)

        terminal = await self._workshop.start_terminal(
            self.room, self.place.title, told, port, self.lasts
        )
        self.terminal = terminal
        self._gone = False
        self._started_at = self._clock.seconds()
        self._write_state()
        terminal.child.when_ended().addCallback(self._terminal_ended, start)

    async def _tell_before(self, order: str) -> None:
        if self._remember is not None and self.terminal is not None and not self.ending:
            await tell_before(self.terminal.orders, self._remember, self.line, self.place, order)

    def _go_on(self) -> None:
        """A terminal is there, and knows what it must."""
        if self._stage == OPENING:
            self._stage = OPEN
            self._line_told = None
            self._write_state()
            self.line.join(self)

    def terminal_told(self, words: Mapping[str, Any]) -> None:
        """Its terminal says something unasked."""
        event, viewer = words.get("event"), str(words.get("viewer"))[:64]
        if event == "ended":
            self.close(str(words.get("reason"))[:64], "")
        elif event == "viewer_came" and len(self._viewers) < self.MOST_VIEWERS:
            self._viewers[viewer] = str(words.get("user"))
        elif event == "viewer_left":
            self._viewers.pop(viewer, None)
        self._told(self, words)

    def _terminal_ended(self, how: str, start: int) -> None:
        if start != self._starts:
            return
        self._gone = True
        if self.ending:
            return  # _close() waits for it
        title = self.place.title
        self._log.warn("The ajaxterm of {title} ended: {how}", title=title, how=how)
        if self._clock.seconds() - self._started_at > self.STEADY:
            self._deaths = 0
        self._deaths += 1
        if not self._proven or self._deaths > self.MOST_DEATHS:
            self.close(self._reason, "")
        elif self._replacing is None:  # or else the loop there goes on
            self._stage = OPENING
            self.line.part()
            for viewer, user in list(self._viewers.items()):
                self.terminal_told({"event": "viewer_left", "viewer": viewer, "user": user})
            self._replacing = Deferred()
            replacing = Deferred.fromCoroutine(self._replace())
            replacing.addErrback(lambda f: self._log.failure("while replacing a terminal", f))
            replacing.addCallback(self._replaced)

    async def _replace(self) -> None:
        while not self.ending:
            try:
                port = None if self.terminal is None else self.terminal.port
                self.room.vacate()
                await self._start_terminal(port)
                if await self._is_told():
                    return
            except Exception as error:
                why = str(error) or type(error).__name__
                self._log.error("{title} has no terminal: {why}", title=self.place.title, why=why)
                self._deaths += 1
                if self._deaths > self.MOST_DEATHS:
                    return
            if not self.ending:
                delay = 2.0 ** (self._deaths - 2)
                self._pause = deferLater(self._clock, delay, lambda: None)
                self._pause.addErrback(lambda failure: failure.trap(CancelledError))
                await self._pause

    async def _is_told(self) -> bool:
        """@return: whether the new terminal lives, and knows what it must; or it is ended."""
        terminal = self.terminal
        if terminal is None:
            return False
        if await self._standing.give(terminal.orders):
            await self._tell_before("prefill")
        else:
            await self._wait_for_the_end_of(terminal, 0.0)
        # What it was told last may have killed it.
        return not self._gone

    def _replaced(self, _: object) -> None:
        replacing, self._replacing = self._replacing, None
        if replacing is not None:
            replacing.callback(None)
        if self.ending:
            return
        if self._deaths > self.MOST_DEATHS or self.terminal is None:
            self.close(self._reason, "")
            return
        self._told(self, {"event": "moved"})
        self._go_on()
        _fire(self._waiting)

    def _write_state(self) -> None:
        if self.terminal is None:
            return
        notices = self._standing.notices
        kept = Kept.of(self.place, self.lasts, self.terminal, self.line, notices)
        try:
            write_kept(self.room, kept, self._stage == OPEN)
        except OSError as error:
            self._log.error("The state of a console can't be written: {why}", why=error)


def _cancel(call: IDelayedCall | None) -> None:
    if call is not None and call.active():
        call.cancel()


def _fire(waiting: list[Deferred[None]]) -> None:
    while waiting:
        waiting.pop(0).callback(None)
