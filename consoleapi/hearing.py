"""
Where the API hears of guests and consoles.

    consoleapi  host_is, console_is        listened to
    compute     announce()                 said to all, after every connection
    compute.HOST  list_consoles, list_viewers   asked of each host after every
                                           connection, until it has told; then of
                                           one with open consoles every 30 s

For two seconds after a connection the answers to C{announce} are still coming
in: who looks for a guest in vain waits for them that long.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any, TypeVar

from twisted.internet.defer import Deferred, TimeoutError
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger

from consoleapi.attendance import Attendance, OpenConsole
from consoleapi.directory import Directory, parse_uuid
from consolebus.ibus import (
    BusAway,
    BusFailure,
    Context,
    IConsoleBus,
    NobodyThere,
    NotFound,
    Unavailable,
)

T = TypeVar("T")


class Hearing:
    """
    @cvar SETTLING: seconds after a connection in which agents introduce
        themselves.
    @cvar ASK_AGAIN: seconds after which a host with open consoles, or one that
        has not told, is asked what is open.
    @cvar MOST_ASKED: hosts asked at a time; others wait for their turn.
    @cvar MOST_VIEWED: consoles of a host whose viewers are asked for.
    """

    SETTLING = 2.0
    ASK_AGAIN = 25.0
    MOST_ASKED = 20
    MOST_VIEWED = 200

    _log = Logger()

    def __init__(
        self,
        clock: IReactorTime,
        bus: IConsoleBus,
        directory: Directory,
        attendance: Attendance,
        happened: Callable[[Mapping[str, object]], None],
    ) -> None:
        """
        @param happened: called with every event of a console.
        """
        self._clock = clock
        self._bus = bus
        self._directory = directory
        self._attendance = attendance
        self._happened = happened
        self._settled = 0.0
        self._waiting: set[Deferred[None]] = set()
        self._to_ask: dict[str, None] = {}  # in turn, each once
        self._asking: set[str] = set()
        self._asked: dict[str, float] = {}  # at which moment
        self._told: set[str] = set()  # whose answer is believed, or awaited
        self._askers = 0

    def start(self) -> None:
        self._bus.listen("consoleapi", {"host_is": self.host_is, "console_is": self.console_is})
        self._bus.when_connected(self._connected)

    async def find(self, look: Callable[[], Awaitable[T]]) -> T:
        """
        What C{look} finds; where that is nothing, but hosts are still
        introducing themselves, what it finds later.

        @raise Unavailable: nothing is found, but there may be something: the
            broker is away, so nobody would tell.
        """
        found = await look()
        while not found and self._bus.connected:
            left = self._settled - self._clock.seconds()
            if left <= 0:
                break
            await self._news(left)
            found = await look()
        if not found and not self._bus.connected:
            raise Unavailable(
                "The message broker can't be reached now, so nothing is known of this; "
                "try again in a moment."
            )
        return found

    # What the bus tells.

    def host_is(
        self,
        context: Context,
        host: object,
        domains: object,
        address: object = "",
        away: object = "",
        **more: object,
    ) -> None:
        is_new = self._directory.host_is(host, away, domains)
        for waiting in list(self._waiting):
            if not waiting.called:
                waiting.callback(None)
        if isinstance(host, str):
            if is_new:
                self._told.discard(host)
            if self._is_due(host):
                self._ask(host)

    def console_is(
        self,
        context: Context,
        event: object,
        host: object,
        console: object,
        domain: object,
        viewer: object = None,
        **more: object,
    ) -> None:
        if isinstance(host, str) and self._directory.knows(host):
            if host in self._asking:
                self._told.discard(host)  # its answer may be older than this
            self._attendance.console_is(
                event, host, console, domain, viewer, more.get("user"), more.get("device")
            )
            self._happened(
                {"event": event, "host": host, "console": console, "domain": domain}
                | ({} if viewer is None else {"viewer": viewer})
                | more
            )

    def _connected(self) -> None:
        self._settled = self._clock.seconds() + self.SETTLING
        # What happened while the broker was away was told to nobody.
        self._told.clear()
        self._asked.clear()
        self._to_ask.clear()
        self._bus.fanout("compute", "announce", {})

    async def _news(self, most: float) -> None:
        """
        Wait for news, C{most} seconds at the most.
        """
        news: Deferred[None] = Deferred()
        self._waiting.add(news)
        news.addTimeout(most, self._clock)
        try:
            await news
        except TimeoutError:
            pass
        finally:
            self._waiting.discard(news)

    # What is asked of hosts.

    def _is_due(self, host: str) -> bool:
        if host in self._told and not self._attendance.is_busy(host):
            return False
        asked = self._asked.get(host)
        return asked is None or self._clock.seconds() - asked > self.ASK_AGAIN

    def _ask(self, host: str) -> None:
        if host in self._asking:
            return
        self._to_ask[host] = None
        if self._askers < self.MOST_ASKED:
            self._askers += 1
            asking = Deferred.fromCoroutine(self._ask_all())
            asking.addErrback(lambda failure: self._log.failure("while asking hosts", failure))

    async def _ask_all(self) -> None:
        """
        One host after another, until nobody waits.  When the broker is back, all are
        due anyway.
        """
        try:
            while self._to_ask and self._bus.connected:
                host = next(iter(self._to_ask))
                del self._to_ask[host]
                await self._ask_one(host)
        finally:
            self._askers -= 1

    async def _ask_one(self, host: str) -> None:
        if len(self._asked) > 2 * self._directory.MOST_HOSTS:
            self._asked.clear()
            self._told.clear()
        self._asked[host] = self._clock.seconds()
        self._asking.add(host)
        self._told.add(host)
        try:
            await self._ask_consoles(host)
        except BusFailure as failure:
            # It has just gone, or is older than these questions.
            self._told.discard(host)
            self._log.debug("{host} does not tell: {why}", host=host, why=failure.message)
        except Exception:
            self._told.discard(host)
            self._log.failure("while asking {host}", host=host)
        finally:
            self._asking.discard(host)

    async def _ask_consoles(self, host: str) -> None:
        topic = f"compute.{host}"
        consoles = _parse_consoles(await self._bus.call(topic, "list_consoles", {}))
        for name, console in list(consoles.items())[: self.MOST_VIEWED]:
            known = self._attendance.of(console.domain).get(name)
            console.viewers = {} if known is None else known.viewers
        for name in list(consoles)[: self.MOST_VIEWED]:
            try:
                answer = await self._bus.call(topic, "list_viewers", {"console": name})
            except (NobodyThere, BusAway):
                raise
            except NotFound:
                del consoles[name]  # it has ended since
            except Unavailable:
                pass  # it is ending, or hangs; until it is closed there are grants to revoke
            except BusFailure:
                break  # too slow, or older than this question: not again for each of them
            else:
                consoles[name].viewers = _parse_viewers(answer)
        self._attendance.host_has(host, consoles)


def _parse_consoles(answer: Any) -> dict[str, OpenConsole]:
    listed = answer.get("consoles") if isinstance(answer, dict) else None
    consoles: dict[str, OpenConsole] = {}
    for console in listed if isinstance(listed, list) else ():
        name, domain = _words(console, "console"), parse_uuid(_words(console, "domain"))
        if name and domain:
            consoles[name] = OpenConsole(domain, _words(console, "device"))
    return consoles


def _parse_viewers(answer: Any) -> dict[str, str]:
    listed = answer.get("viewers") if isinstance(answer, dict) else None
    viewers = listed if isinstance(listed, list) else []
    named = {_words(viewer, "name"): _words(viewer, "user") for viewer in viewers}
    named.pop("", None)
    return named


def _words(record: Any, key: str) -> str:
    value = record.get(key) if isinstance(record, dict) else None
    return value if isinstance(value, str) and len(value) <= 100 else ""
