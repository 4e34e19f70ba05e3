"""
What every bus does, and how a request fails on it.

A topic is a dotted name.  At most one process I{serves} a topic: it takes the
calls and casts addressed to it.  Any number of processes I{listen} to a topic:
each of them gets every fan-out.  (The two are verbs of their own since they
fail differently: a call that nobody serves is an error at once, a fan-out
that nobody hears is not.)

A failure crosses the bus as a code of the closed list below and a sentence
for people, never as a traceback.  The codes say what a caller can do about
it; they know nothing of consoles.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from twisted.internet.defer import Deferred
from zope.interface import Attribute, Interface


class BusFailure(Exception):
    """
    A request failed, in a way that both sides know.

    @cvar code: what crosses the wire.
    @ivar message: one sentence for people, saying what to do where it can.
    """

    code: ClassVar[str]

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message


class NotFound(BusFailure):
    """What was asked for does not exist there."""

    code = "not-found"


class Conflict(BusFailure):
    """It exists, but is in no state for this."""

    code = "conflict"


class BadArguments(BusFailure):
    """The request itself is wrong; sending it again will not help."""

    code = "bad-arguments"


class Unavailable(BusFailure):
    """Something that is needed is away or used up; later it may be back."""

    code = "unavailable"


class Refused(BusFailure):
    """It is possible, but not allowed."""

    code = "refused"


class Broken(BusFailure):
    """A mistake of the program's own; its log says more."""

    code = "broken"


class NobodyThere(Unavailable):
    """No process serves that topic."""

    code = "nobody-there"


class BusAway(Unavailable):
    """There is no connection to the broker now."""

    code = "bus-away"


class DeadlineExceeded(BusFailure):
    """No answer came in time; whether it was done is not known."""

    code = "deadline-exceeded"


FAILURES: Mapping[str, type[BusFailure]] = {
    failure.code: failure
    for failure in (
        NotFound,
        Conflict,
        BadArguments,
        Unavailable,
        Refused,
        Broken,
        NobodyThere,
        BusAway,
        DeadlineExceeded,
    )
}
"""The closed list.  An unknown code from the wire is read as L{Broken}."""


@dataclass(frozen=True, slots=True)
class Context:
    """
    On whose behalf a request goes over the bus.

    @ivar request_id: names one request of a user in every log it touches; at
        most 64 characters.
    @ivar user: who asked, as the API knows them; at most 255 characters.
    """

    request_id: str = ""
    user: str = ""


Method = Callable[..., Any | Awaitable[Any]]
"""
What answers a request: called with the L{Context} and then the message's
C{args} as keywords.  It returns a JSON value, or a coroutine or C{Deferred} of
one, or raises a L{BusFailure}.  Any other exception is logged and answered as
L{Broken}.  Arguments that its signature does not take are refused as
L{BadArguments} before it is called.
"""


class IConsoleBus(Interface):
    """
    A bus, seen from one daemon.  Each daemon has one of its own, also when all
    are in one process.
    """

    connected = Attribute("C{bool}: whether a request would leave now.")

    def start() -> Deferred[None]:
        """
        Begin connecting, and stay connected from then on.  Fires when the
        first connection is there and everything declared is served, or after
        the first failed attempt; the bus keeps trying either way.
        """

    def stop() -> Deferred[None]:
        """
        Leave: requests of ours that wait end with L{BusAway}; methods that
        are under way are waited for, 5 seconds at most.
        """

    def serve(topic: str, methods: Mapping[str, Method]) -> None:
        """
        Answer the calls and casts to C{topic}.  May be called before or after
        L{start}, once for a topic.  Where another process serves it already,
        that is retried for three heartbeats (it can be our own ghost), then
        logged as an error, and C{on_refused} of the provider is called.
        """

    def listen(topic: str, methods: Mapping[str, Method]) -> None:
        """
        Hear the fan-outs to C{topic}; what the methods return is dropped.
        """

    def call(
        topic: str,
        method: str,
        args: Mapping[str, Any],
        context: Context = ...,
        timeout: float = ...,
    ) -> Deferred[Any]:
        """
        Ask, and wait for the answer.

        @param timeout: seconds (10 unless told); also the life of the message
            on its way, so that nothing stale is carried out.
        @return: what the method returned.
        @raise NobodyThere: at once, when nobody serves C{topic}.
        @raise BusAway: at once, when there is no connection.
        @raise DeadlineExceeded: after C{timeout}.
        @raise BusFailure: what the method raised.
        """

    def cast(topic: str, method: str, args: Mapping[str, Any], context: Context = ...) -> None:
        """
        Tell the one that serves C{topic}, without an answer.  Casts and
        fan-outs made while the connection is away are kept, 1000 of them at
        most for 60 seconds at most, and sent when it is back; what is dropped
        is logged.
        """

    def fanout(topic: str, method: str, args: Mapping[str, Any], context: Context = ...) -> None:
        """
        Tell everyone that listens to C{topic}, oneself too.
        """

    def when_connected(callback: Callable[[], None]) -> None:
        """
        Call C{callback} now if connected, and after every later connection:
        where a daemon says again what others may have missed.
        """
