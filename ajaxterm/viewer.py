"""
A viewer as its session sees it: how it is spoken to, its seat, how it is sent away.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Protocol

from ajaxterm.grants import Grant

Event = dict[str, Any]


@dataclass(frozen=True, slots=True)
class End:
    """
    Why a viewer's connection ends, for people and for programs.

    @ivar reason: one word: C{idle}, C{input}, C{watching}, C{closed}, C{line-ended},
        C{revoked}, C{leaving}, C{full}, C{replaced}, C{gone}, C{closing}.
    @ivar message: a sentence.
    @ivar code: the WebSocket close code (docs/protocol.md).
    @ivar retry: whether connecting again can help.
    """

    reason: str
    message: str
    code: int
    retry: bool = False

    def event(self) -> Event:
        """@return: the C{end} of docs/protocol.md."""
        return {
            "event": "end",
            "reason": self.reason,
            "message": self.message,
            "retry": self.retry,
        }


REVOKED = End("revoked", "Your leave to use this console was withdrawn or is over.", 4003)
FULL = End("full", "This console has as many viewers as it may have.", 4029, retry=True)
CLOSING = End("closing", "This console is just being closed.", 1000, retry=True)
ELSEWHERE = End("leaving", "The proxy is being stopped; reconnecting.", 1001, retry=True)
REPLACED = End("replaced", "The same viewer has connected again.", 1000)


class Unwelcome(Exception):
    """
    A viewer can't attach.

    @ivar end: what to tell it.
    """

    def __init__(self, end: End) -> None:
        super().__init__(end.reason)
        self.end = end


class Viewer(Protocol):
    """
    What a session asks of a viewer's skin.

    @ivar resumes: whether it can come back, and sends again what was not counted.
    @ivar through: the proxy that it came through, by the name that this gave itself.
    @ivar reachable: whether it can be told something now, and not only when it asks again.
    """

    resumes: bool
    through: str

    @property
    def reachable(self) -> bool: ...

    def output_ready(self) -> None:
        """There is output again; C{Session.take} it when it can be written."""

    def event(self, event: Event) -> None:
        """Tell the viewer."""

    def hold_input(self, held: bool) -> None:
        """Much of this viewer's input waits for the line: read no more of it until released."""

    def counted(self, dropped: int) -> None:
        """
        Input of this viewer was counted.

        @param dropped: how many bytes of it will never be typed.
        """

    def ended(self, end: End) -> None:
        """Say goodbye and close; the seat is gone already."""


@dataclass(slots=True, eq=False)
class Seat:
    """
    One viewer's place.

    @ivar name: public, unique within the console.
    @ivar key: private; whoever shows it, under the same grant, gets this seat.
    @ivar viewer: the skin, or C{None} while its connection is gone.
    @ivar boot: for which boot of the guest it has typed: how often that had been down.
    @ivar left: the moment when that was lost.
    @ivar position: the offset of the next byte this viewer gets.
    @ivar counted: bytes of input taken from it, all connections together:
        those that went to the line, and those that will never be typed.
    @ivar waiting: whether it is to be woken by more output; who has had all of it is.
    @ivar greeted: whether it had its C{hello}, before which it is told nothing.
    @ivar pending: bytes of input behind those, which wait for the line.
    @ivar stopped: whether the viewer was asked to send no more.
    @ivar told: how many events were told in answers to polls.
    """

    name: str
    key: str
    grant: Grant
    viewer: Viewer | None
    position: int
    counted: int = 0
    waiting: bool = False
    greeted: bool = False
    pending: bytearray = field(default_factory=bytearray)
    stopped: bool = False
    told: int = 0
    boot: int = 0
    left: float = 0.0

    def told_as(self, event: str) -> Event:
        """
        What the agent is told when it comes or goes: besides who, the bytes typed
        so far, and the offset of the next byte for it.
        """
        return {
            "event": event,
            "viewer": self.name,
            "user": self.grant.user,
            "typed": self.counted,
            "offset": self.position,
        }


@dataclass(frozen=True, slots=True)
class Taken:
    """
    What C{Session.take} gives.

    @ivar missed: bytes before C{output} which the ring no longer had.
    @ivar offset: of the first byte of C{output}.
    """

    missed: int
    offset: int
    output: bytes
