"""
One console: a serial device of a guest, the terminal that serves it, and the
socat between them.

    opening ──▶ live ⇄ joining ──▶ closing ──▶ closed

C{joining}: socat is gone and a new one is not there yet; nothing is lost, for the
agent holds the device open, so the kernel keeps what the guest says.  C{closing}:
the children are being ended and reaped.  (Waiting for a guest that is down to
come back will be a state beside C{joining}.)
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from twisted.internet.defer import Deferred, TimeoutError
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import deferLater
from twisted.logger import Logger

from computeagent.devices import has_hung_up
from computeagent.hypervisor import HypervisorAway, IHypervisor, NoSuchDomain, NotRunning
from computeagent.orders import OrderFailed, TerminalGone
from computeagent.rooms import Room
from computeagent.workshop import IWorkshop, Terminal

OPENING = "opening"
LIVE = "live"
JOINING = "joining"
CLOSING = "closing"
CLOSED = "closed"


@dataclass(frozen=True, slots=True)
class Place:
    """
    What a console is of.

    @ivar uuid: the guest's.
    @ivar domain: its name.
    @ivar device: alias of the serial device.
    """

    uuid: str
    domain: str
    device: str

    @property
    def title(self) -> str:
        return f"{self.domain} {self.device}"


class Console:
    """
    @ivar name: public, unique.
    @ivar state: see above.
    @ivar terminal: once it was opened.
    @cvar LAST_OUTPUT: seconds that a guest which has ended has for its last
        output to pass.
    @cvar LAST_WORDS: seconds that the terminal has to end by itself.
    @cvar STEADY: seconds after which the end of a socat is taken for an accident,
        and the next one joins at once.
    """

    LAST_OUTPUT = 1.0
    LAST_WORDS = 5.0
    STEADY = 1.0

    _log = Logger()

    def __init__(
        self,
        clock: IReactorTime,
        hypervisor: IHypervisor,
        workshop: IWorkshop,
        name: str,
        place: Place,
        room: Room,
        device: int,
        told: Callable[[Console, Mapping[str, Any]], None],
    ) -> None:
        """
        @param device: the open serial device; it is ours from now on.
        @param told: called with what the terminal tells, and with
            C{{"event": "closed", "reason": ...}} when all is over.
        """
        self._clock = clock
        self._hypervisor = hypervisor
        self._workshop = workshop
        self.name = name
        self.place = place
        self._room = room
        self._device = device
        self._told = told
        self._socat: Any = None
        self._joins = 0
        self._joined_at = 0.0
        self._reason = "broken"
        self._closed: list[Deferred[None]] = []
        self.state = OPENING
        self.terminal: Terminal | None = None

    async def open(self) -> None:
        """
        @raise PortsExhausted: and what else L{computeagent.workshop} raises.
            The console is closed then.
        """
        try:
            terminal = await self._workshop.start_terminal(
                self._room, self.place.title, self._terminal_told
            )
        except BaseException:
            self._clear()
            raise
        self.terminal = terminal
        terminal.child.when_ended().addCallback(self._terminal_ended)
        if self.state != OPENING:
            return
        self.state = JOINING
        self._write_state()
        self._join()

    async def order(self, order: str, **words: object) -> Mapping[str, Any]:
        """
        Give the terminal an order.

        @raise TerminalGone: it has ended, or is just ending.
        @raise OrderFailed: it can't.
        """
        if self.terminal is None or self.state in (CLOSING, CLOSED):
            raise TerminalGone()
        answer: Mapping[str, Any] = await self.terminal.orders.give(order, **words)
        return answer

    def close(self, reason: str, message: str) -> Deferred[None]:
        """
        End it, telling the viewers why.

        @return: fires when nothing of it is left.
        """
        done: Deferred[None] = Deferred()
        if self.state == CLOSED:
            done.callback(None)
            return done
        self._closed.append(done)
        self._begin_to_close(reason, message, 0.0)
        return done

    def _begin_to_close(self, reason: str, message: str, linger: float) -> None:
        if self.state != CLOSING:
            self.state = CLOSING
            self._reason = reason
            closing = Deferred.fromCoroutine(self._close(reason, message, linger))
            closing.addErrback(lambda f: self._log.failure("while closing a console", f))

    # The guest.

    def guest_stopped(self) -> None:
        """libvirt says that the guest has no process any more."""
        if self.state in (LIVE, JOINING):
            message = "The guest was shut off, so its console ended."
            self._begin_to_close("guest-ended", message, self.LAST_OUTPUT)

    # The children.

    def _terminal_told(self, words: Mapping[str, Any]) -> None:
        if words.get("event") == "ended":
            self.close(str(words.get("reason"))[:64], "")
        self._told(self, words)

    def _terminal_ended(self, how: str) -> None:
        if self.state == CLOSING:
            return  # _close() waits for it
        self._log.info("The ajaxterm of {title} ended: {how}", title=self.place.title, how=how)
        self.close(self._reason, "")

    def _join(self) -> None:
        if self.state != JOINING:
            return
        try:
            self._socat = self._workshop.join(self._room, self.place.title, self._device)
        except OSError as error:
            self._log.error("{title} can't be joined: {why}", title=self.place.title, why=error)
            self._joins += 1
            self._clock.callLater(self._delay(), self._join)
            return
        self._joined_at = self._clock.seconds()
        self.state = LIVE
        self._write_state()
        self._socat.when_ended().addCallback(self._socat_ended)

    def _socat_ended(self, how: str) -> None:
        self._socat = None
        if self.state != LIVE:
            return
        self.state = JOINING
        joining = Deferred.fromCoroutine(self._join_again(how))
        joining.addErrback(lambda f: self._log.failure("while joining a console again", f))

    async def _join_again(self, how: str) -> None:
        """
        socat's end is never a reason: only libvirt knows whether the guest
        has one.  The device that we hold open is still the guest's, or dead:
        then the guest may run, but in another process, on another device.
        """
        title = self.place.title
        if self._clock.seconds() - self._joined_at > self.STEADY:
            self._joins = 0
        delay = self._delay()
        self._joins += 1
        try:
            await self._hypervisor.running(self.place.uuid)
        except (NotRunning, NoSuchDomain):
            self.guest_stopped()
            return
        except HypervisorAway:
            pass
        if self.state != JOINING:
            return
        if has_hung_up(self._device):
            self.guest_stopped()
            return
        self._log.warn("The socat of {title} ended ({how}); joining again", title=title, how=how)
        if delay:
            await deferLater(self._clock, delay)
        self._join()

    def _delay(self) -> float:
        """None for the first time; then longer and longer, to 5 s."""
        return 0.0 if not self._joins else min(5.0, 0.05 * 2.0 ** min(self._joins, 10))

    async def _close(self, reason: str, message: str, linger: float) -> None:
        """
        @param linger: seconds that socat has to read the last of the output; it
            ends by itself then.
        """
        terminal, socat = self.terminal, self._socat
        if socat is not None and linger:
            reading = socat.when_ended()
            reading.addTimeout(linger, self._clock)
            try:
                await reading
            except TimeoutError:
                pass
        if socat is not None:
            socat.end()
        if terminal is not None:
            ended = terminal.child.when_ended()
            finishing = terminal.orders.give("finish", reason=reason, message=message)
            finishing.addErrback(lambda f: f.trap(OrderFailed, TerminalGone, TimeoutError))
            ended.addTimeout(self.LAST_WORDS, self._clock)
            try:
                await ended
            except TimeoutError:
                terminal.child.end()
                await terminal.child.when_ended()
            terminal.orders.leave()
        if socat is not None:
            await socat.when_ended()
        self._clear()
        self._log.info("Console {title} is closed: {reason}", title=self.place.title, reason=reason)
        try:
            self._told(self, {"event": "closed", "reason": reason})
        finally:
            waiting, self._closed = self._closed, []
            for done in waiting:
                done.callback(None)

    def _clear(self) -> None:
        self.state = CLOSED
        os.close(self._device)
        self._room.clear()

    def _write_state(self) -> None:
        children = [
            child for child in (self.terminal and self.terminal.child, self._socat) if child
        ]
        try:
            self._room.write_state(
                {
                    "console": self.name,
                    "uuid": self.place.uuid,
                    "domain": self.place.domain,
                    "device": self.place.device,
                    "processes": [[child.pid, child.started] for child in children],
                }
            )
        except OSError as error:
            self._log.error("The state of a console can't be written: {why}", why=error)
