"""
Who is connected through this proxy: WebSockets, and plain requests while they are answered.

Each is entered before its console is asked, so those that wait for a stuck
console count too.  While one is in, its grant does not age; when the grant is
revoked, its console has a moment to say goodbye, and what is left is cut.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from typing import Literal

from twisted.internet.interfaces import IReactorTime

from consoleproxy.grants import Grant, Grants, Held

Kind = Literal["socket", "request"]


class Full(Exception):
    """
    There is no room for another one.

    @ivar what: C{grant} or C{proxy}, whose limit it is.
    """

    def __init__(self, what: str) -> None:
        super().__init__(what)
        self.what = what


class Connection:
    """
    @ivar cut: ends it at once; C{None} while that would end nothing.
    @ivar moved: tells how many bytes went to the browser, and to the console.
    """

    __slots__ = ("cut", "grant", "held", "kind", "moved")

    def __init__(self, kind: Kind, grant: Grant, held: Held) -> None:
        self.kind = kind
        self.grant = grant
        self.held = held
        self.cut: Callable[[], object] | None = None
        self.moved: Callable[[], tuple[int, int]] = lambda: (0, 0)


class Connections:
    """
    @cvar MOST: at a time, of each kind.
    @cvar MOST_PER_GRANT: of them, under one grant.
    @cvar CUT_AFTER: seconds that an ajaxterm has to say goodbye to the viewers
        of a revoked grant.
    """

    MOST: dict[Kind, int] = {"socket": 10_000, "request": 5_000}
    MOST_PER_GRANT: dict[Kind, int] = {"socket": 64, "request": 128}
    CUT_AFTER = 0.5

    def __init__(self, clock: IReactorTime, grants: Grants) -> None:
        self._clock = clock
        self._grants = grants
        self._inside: dict[str, set[Connection]] = {}
        self._counts: Counter[tuple[str, Kind]] = Counter()
        self._totals: Counter[Kind] = Counter()
        self._to_browsers = self._to_consoles = 0
        grants.on_revoked(self._revoked)

    def __iter__(self) -> Iterator[Connection]:
        return iter([each for inside in self._inside.values() for each in inside])

    def __len__(self) -> int:
        return self._totals["socket"] + self._totals["request"]

    def count(self, kind: Kind) -> int:
        return self._totals[kind]

    @property
    def consoles(self) -> int:
        """How many consoles anybody is connected to."""
        return len({each.grant.console for each in self if each.kind == "socket"})

    @property
    def moved(self) -> tuple[int, int]:
        """Bytes that went to browsers and to consoles, since the start."""
        open_now = [each.moved() for each in self]
        return (
            self._to_browsers + sum(there for there, _ in open_now),
            self._to_consoles + sum(back for _, back in open_now),
        )

    def enter(self, kind: Kind, grant: Grant) -> Connection | None:
        """
        @return: for L{leave}; C{None} if the grant is none any more.
        @raise Full:
        """
        if self._totals[kind] >= self.MOST[kind]:
            raise Full("proxy")
        if self._counts[grant.name, kind] >= self.MOST_PER_GRANT[kind]:
            raise Full("grant")
        held = self._grants.attach(grant.name)
        if held is None:
            return None
        connection = Connection(kind, grant, held)
        self._inside.setdefault(grant.name, set()).add(connection)
        self._counts[grant.name, kind] += 1
        self._totals[kind] += 1
        return connection

    def leave(self, connection: Connection) -> None:
        """It is over."""
        name, kind = connection.grant.name, connection.kind
        there, back = connection.moved()
        self._to_browsers += there
        self._to_consoles += back
        inside = self._inside[name]
        inside.remove(connection)
        if not inside:
            del self._inside[name]
        self._totals[kind] -= 1
        self._counts[name, kind] -= 1
        if not self._counts[name, kind]:
            del self._counts[name, kind]
        self._grants.left(connection.held)

    def cut_all(self, kind: Kind | None = None) -> None:
        """End every one, or every one of a kind."""
        self._cut([each for each in self if kind in (None, each.kind)])

    def _revoked(self, name: str) -> None:
        inside = list(self._inside.get(name, ()))
        if inside:
            self._clock.callLater(self.CUT_AFTER, self._cut, inside)

    def _cut(self, connections: list[Connection]) -> None:
        for each in connections:
            if each in self._inside.get(each.grant.name, ()) and each.cut is not None:
                each.cut()
