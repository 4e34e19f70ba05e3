"""
How long a console lives without being used.

Three limits, each off at 0.  I{idle}: nobody is there.  I{input}: nobody types (where
I{idle} is off, only while somebody is there, or what is to stay would end).
I{watching}: somebody is there, but nobody who can type (viewers who may only
watch, or the guest is down).  People who are there see a countdown first, and
can call it off.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from twisted.internet.interfaces import IDelayedCall, IReactorTime

from ajaxterm.viewer import End, Event


@dataclass(frozen=True, slots=True)
class Limits:
    """In seconds; 0 for none."""

    idle: float = 300.0
    input: float = 0.0
    watching: float = 0.0


COMING = {
    "idle": "Nobody uses this console.",
    "input": "Nobody has typed here for a while. This console is about to be closed.",
    "watching": "Nobody who can type is here. This console is about to be closed.",
}
OVER = {
    "idle": "Nobody used this console for a while, so it was closed.",
    "input": "Nobody typed here for a while, so this console was closed.",
    "watching": "Nobody who could type was here for a while, so this console was closed.",
}


class Idleness:
    """
    Nothing is scheduled when a key is typed: whoever wakes looks at what
    happened meanwhile, and sleeps on.  Only the alarm ends anything, even if it is
    late: who tells of a viewer is in the middle of letting it in, or out.

    @cvar WARNING: seconds that a countdown takes, at most half of its limit.
    """

    WARNING = 60.0

    def __init__(
        self,
        clock: IReactorTime,
        limits: Limits,
        over: Callable[[End], None],
        told: Callable[[Event], None],
    ) -> None:
        """
        @param over: called when a limit is reached.
        @param told: hears of a countdown, as the C{ending} of docs/protocol.md.
        """
        self._clock = clock
        self._limits = {"idle": limits.idle, "input": limits.input, "watching": limits.watching}
        self._over = over
        self._told = told
        now = clock.seconds()
        self._since: dict[str, float | None] = {"idle": now, "input": None, "watching": None}
        self._coming: str | None = None
        self._alarm: IDelayedCall | None = None
        self._stopped = False
        self.who_is_there(False, False)

    def who_is_there(self, anybody: bool, typist: bool) -> None:
        """
        @param anybody: whether a viewer is there.
        @param typist: whether one who can type is.
        """
        self._run("idle", not anybody)
        self._run("input", anybody or bool(self._limits["idle"]))
        self._run("watching", anybody and not typist)
        self._look()

    def used(self) -> None:
        """Somebody types."""
        self._since["input"] = self._clock.seconds()
        if self._coming == "input":
            self._look()

    def touch(self) -> None:
        """Somebody is about to come."""
        if self._since["idle"] is not None:
            self._since["idle"] = self._clock.seconds()
        self._look()

    def stay(self) -> None:
        """Somebody wants this console: all that runs begins anew."""
        now = self._clock.seconds()
        for reason, since in self._since.items():
            if since is not None:
                self._since[reason] = now
        self._look()

    def ending(self) -> Event | None:
        """@return: the countdown that runs, as in C{hello}."""
        if self._coming is None:
            return None
        moment = self._deadline(self._coming)
        left = 0.0 if moment is None else max(0.0, moment - self._clock.seconds())
        return {"reason": self._coming, "in": round(left, 1), "message": COMING[self._coming]}

    def stop(self) -> None:
        """The console ends, or is about to: a countdown that runs means nothing any more."""
        self._stopped = True
        self._announce(None)
        self._sleep_until(None)

    def start(self) -> None:
        """It does not, after all."""
        self._stopped = False
        self.stay()

    def _run(self, reason: str, runs: bool) -> None:
        if not runs:
            self._since[reason] = None
        elif self._since[reason] is None:
            self._since[reason] = self._clock.seconds()

    def _deadline(self, reason: str) -> float | None:
        since, limit = self._since[reason], self._limits[reason]
        return since + limit if limit and since is not None else None

    def _look(self, woken: bool = False) -> None:
        if self._stopped:
            return
        deadlines = [(self._deadline(reason), reason) for reason in self._limits]
        moment, reason = min(
            ((moment, reason) for moment, reason in deadlines if moment is not None),
            default=(None, ""),
        )
        if moment is None:
            self._announce(None)
            self._sleep_until(None)
            return
        now = self._clock.seconds()
        warned = moment - min(self.WARNING, self._limits[reason] / 2)
        if moment <= now and not woken:
            self._sleep_until(now)
        elif moment <= now:
            self.stop()
            self._over(End(reason, OVER[reason], 1000))
        elif warned <= now and reason != "idle":
            self._announce(reason)
            self._sleep_until(moment)
        else:
            self._announce(None)
            # To nobody, of idleness: there is no need to wake for it.
            self._sleep_until(moment if reason == "idle" else warned)

    def _announce(self, coming: str | None) -> None:
        if coming == self._coming:
            return
        self._coming = coming
        self._told({"event": "ending", **(self.ending() or {"reason": None})})

    def _sleep_until(self, moment: float | None) -> None:
        if self._alarm is not None and self._alarm.active():
            self._alarm.cancel()
        self._alarm = None
        if moment is not None:
            delay = max(0.0, moment - self._clock.seconds())
            self._alarm = self._clock.callLater(delay, self._look, True)
