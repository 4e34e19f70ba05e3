"""
Logging out at the guest, so that nobody finds another one's shell.

Closing a serial console does not log anybody out: the line has no modem whose carrier
could drop.  So it is done as people do it, by typing end-of-file (or a text of one's
own) until a login prompt is seen, L{Logout.MOST} times at the most, since there may be a
shell within a shell.

  resting ──the last who can type has left──▶ waiting ──grace is over──▶ trying
     ▲                                           │                          │
     ├────────────── one came (back) ◀───────────┴──────────────────────────┤
     └────────────── a verdict ◀────────────────────────────────────────────┘

and from each of them, when the console is to end, to C{insisting}, which nobody who comes back
ends, but only its verdict: C{out} (a login prompt was seen, or the guest is
down), C{in} (none was), C{unknown} (nothing could be typed, or the guest has never said a word).
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from automat import TypeMachineBuilder
from twisted.internet.interfaces import IDelayedCall, IReactorTime

ESCAPES = re.compile(
    rb"\x1b\[[0-?]*[ -/]*[@-~]"  # CSI
    rb"|\x1b[\]PX^_][^\x07\x1b]*(?:\x07|\x1b\\)"  # OSC and other strings
    rb"|\x1b[ -/]*[0-~]"  # the other escapes (ECMA-48, 5.3)
    rb"|[\x00\r\x0e\x0f]"
)
PROMPT = re.compile(rb"login:[ ]*\Z", re.IGNORECASE)
MESSAGES = {
    "trying": "Logging out at the guest.",
    "off": "",
    "out": "Logged out: the guest shows a login prompt.",
    "in": "Still logged in: the guest has shown no login prompt.",
    "unknown": "Whether somebody is still logged in at the guest is not known.",
}


def shows_login(tail: bytes) -> bool:
    """@return: whether the last that the guest has said is a login prompt."""
    return PROMPT.search(ESCAPES.sub(b"", tail)) is not None


@dataclass(frozen=True, slots=True)
class Farewell:
    """
    How to log out.

    @ivar text: what to type; nothing for not at all.
    @ivar grace: seconds after the last viewer who can type has left.
    """

    text: bytes = b""
    grace: float = 10.0

    @classmethod
    def named(cls, name: str, grace: float) -> Farewell:
        """
        @param name: C{none}, C{eof}, or a text to type, with a return.
        """
        known = {"": b"", "none": b"", "eof": b"\x04"}
        return cls(known.get(name, name.encode("utf-8") + b"\r"), grace)


class Guest(Protocol):
    """What a logout asks of its session."""

    def tail(self) -> bytes:
        """@return: the last that the guest has said."""

    def can_take(self) -> bool:
        """@return: whether the line takes input now."""

    def is_down(self) -> bool:
        """@return: whether the guest is."""

    def type(self, keys: bytes) -> None:
        """Send this."""

    def logout_is(self, state: str, message: str) -> None:
        """Tell everybody."""


class _Life(Protocol):
    """What happens to a logout."""

    def left(self) -> None: ...

    def came(self) -> None: ...

    def demanded(self, done: Callable[[], None]) -> None: ...

    def called_off(self) -> None: ...

    def grace_over(self) -> None: ...

    def decided(self) -> None: ...


class _Work:
    """The same, step by step."""

    def __init__(self, clock: IReactorTime, farewell: Farewell, guest: Guest) -> None:
        self.clock = clock
        self.farewell = farewell
        self.guest = guest
        self.life: _Life
        self.done: Callable[[], None] = lambda: None
        self.alarm: IDelayedCall | None = None
        self.trying = False
        self.needed = False
        self.tries = self.typed = 0

    def begin(self) -> None:
        self.trying = True
        self.tries = self.typed = 0
        self.guest.logout_is("trying", MESSAGES["trying"])
        self.go_on()

    def go_on(self) -> None:
        if self.look():
            return
        if self.tries == Logout.MOST:
            self.decide("in" if self.typed and self.guest.tail() else "unknown")
            return
        self.tries += 1
        self.sleep(Logout.EVERY, self.go_on)
        if self.guest.can_take():
            # What is half typed would keep end-of-file from being one (termios, VEOF).
            clear = b"\x15" if self.typed and self.farewell.text == b"\x04" else b""
            self.typed += 1
            self.guest.type(clear + self.farewell.text)

    def look(self) -> bool:
        if self.guest.is_down():
            self.decide("out", "Logged out: the guest is down.")
        elif shows_login(self.guest.tail()):
            self.decide("out")
        return not self.trying

    def decide(self, verdict: str, message: str = "") -> None:
        self.rest()
        self.needed = verdict != "out"
        self.guest.logout_is(verdict, message or MESSAGES[verdict])
        self.life.decided()

    def sleep(self, seconds: float, wake: Callable[[], None]) -> None:
        self.rest(self.trying)
        self.alarm = self.clock.callLater(seconds, wake)

    def rest(self, trying: bool = False) -> None:
        self.trying = trying
        if self.alarm is not None and self.alarm.active():
            self.alarm.cancel()
        self.alarm = None


_builder = TypeMachineBuilder(_Life, _Work)
_resting = _builder.state("resting")
_waiting = _builder.state("waiting")
_trying = _builder.state("trying")
_insisting = _builder.state("insisting")

for _state in (_resting, _trying, _insisting):
    _state.upon(_Life.grace_over).loop().returns(None)
for _state in (_waiting, _trying, _insisting):
    _state.upon(_Life.left).loop().returns(None)
for _state in (_resting, _insisting):
    _state.upon(_Life.came).loop().returns(None)
for _state in (_resting, _waiting):
    _state.upon(_Life.decided).loop().returns(None)


@_resting.upon(_Life.left).to(_waiting)
def _wait(life: _Life, work: _Work) -> None:
    work.sleep(work.farewell.grace, life.grace_over)


@_waiting.upon(_Life.grace_over).to(_trying)
def _try(life: _Life, work: _Work) -> None:
    # In another turn, for a verdict can come at once.
    work.sleep(0, work.begin)


@_resting.upon(_Life.demanded).to(_insisting)
@_waiting.upon(_Life.demanded).to(_insisting)
@_trying.upon(_Life.demanded).to(_insisting)
def _insist(life: _Life, work: _Work, done: Callable[[], None]) -> None:
    work.done = done
    if not work.trying:
        work.sleep(0, work.begin)


@_insisting.upon(_Life.demanded).loop()
def _insist_already(life: _Life, work: _Work, done: Callable[[], None]) -> None:
    pass


@_resting.upon(_Life.called_off).loop()
@_waiting.upon(_Life.came).to(_resting)
@_trying.upon(_Life.came).to(_resting)
@_waiting.upon(_Life.called_off).to(_resting)
@_trying.upon(_Life.called_off).to(_resting)
@_insisting.upon(_Life.called_off).to(_resting)
def _call_off(life: _Life, work: _Work) -> None:
    tried = work.trying
    work.rest()
    if tried:
        work.guest.logout_is("off", MESSAGES["off"])


@_trying.upon(_Life.decided).to(_resting)
def _decided(life: _Life, work: _Work) -> None:
    pass


@_insisting.upon(_Life.decided).to(_resting)
def _decided_at_last(life: _Life, work: _Work) -> None:
    work.sleep(0, work.done)


_machine = _builder.build()


class Logout:
    """
    @ivar wanted: whether there is anything to type.
    @cvar MOST: how often it is tried.
    @cvar EVERY: seconds that the guest has for its answer to each.
    """

    MOST = 5
    EVERY = 2.0

    def __init__(self, clock: IReactorTime, farewell: Farewell, guest: Guest) -> None:
        self._work = _Work(clock, farewell, guest)
        self._work.life = self._life = _machine(self._work)
        self.wanted = bool(farewell.text)
        self._typists = False

    @property
    def trying(self) -> bool:
        """Whether it wants to hear of output."""
        return self._work.trying

    @property
    def needed(self) -> bool:
        """Whether somebody may be logged in by what was typed here."""
        return self.wanted and self._work.needed

    def typed(self) -> None:
        """Somebody has typed."""
        self._work.needed = True

    def typists(self, there: bool) -> None:
        """
        @param there: whether anybody who can type is.
        """
        if there == self._typists:
            return
        self._typists = there
        if there:
            self._life.came()
        elif self.needed:
            self._life.left()

    def demand(self, done: Callable[[], None]) -> None:
        """
        The console ends after this.

        @param done: called with the verdict, in 10 s at the latest.
        """
        self._life.demanded(done)

    def call_off(self) -> None:
        """It does not, after all; or ends at once."""
        self._life.called_off()

    def look(self) -> None:
        """The guest has said something, or is down."""
        if self._work.trying:
            self._work.look()
