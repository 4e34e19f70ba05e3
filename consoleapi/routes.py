"""
Which method at which path does what: a table, which is all there is.

What is described in C{/openapi.json}, and what the tests of permissions go
over, is this table; a route that is in neither fails a test.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from consoleapi.callers import ANONYMOUS, Caller
from consoleapi.faults import Fault
from consoleapi.web import Asked, Reply

NOBODY = Caller(ANONYMOUS, "", "none")
"""Who asks at a public route: it is not looked at."""


@dataclass(frozen=True, slots=True)
class Visit:
    """
    A request at its route.

    @ivar names: what stood in the path for the template's C{{NAME}}s.
    """

    asked: Asked
    caller: Caller
    names: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Route:
    """
    @ivar template: such as C{/v2.1/servers/{server}}; a slash at the end of a
        path makes no difference.
    @ivar is_public: whether it is for everybody, known or not.
    """

    method: str
    template: str
    answer: Callable[[Visit], Awaitable[Reply]]
    is_public: bool = False


class Routes:
    """
    Finds a request's route.
    """

    def __init__(
        self, routes: Iterable[Route], missing: str = "The resource could not be found."
    ) -> None:
        """
        @param missing: what is said where nothing is.
        """
        self._missing = missing
        self.all: Sequence[Route] = tuple(routes)
        self._compiled = [(_compiled(route.template), route) for route in self.all]

    def find(self, asked: Asked) -> tuple[Route, Mapping[str, str]]:
        """
        @raise Fault: 404, nothing is there; 405, not for this method.
        """
        path = asked.path.removesuffix("/")
        method = "GET" if asked.method == "HEAD" else asked.method
        there = []
        for pattern, route in self._compiled:
            match = pattern.fullmatch(path)
            if match is not None:
                if route.method == method:
                    return route, match.groupdict()
                there.append(route.method)
        if not there:
            raise Fault(404, self._missing)
        allowed = sorted({*there, *(["HEAD"] if "GET" in there else [])})
        listed = ", ".join(allowed)
        raise Fault(405, f"This address takes {listed} only.", {"Allow": listed})


def _compiled(template: str) -> re.Pattern[str]:
    parts = re.split(r"\{([a-z]+)\}", template.removesuffix("/"))
    pattern = re.escape(parts[0])
    for name, rest in zip(parts[1::2], parts[2::2], strict=True):
        pattern += f"(?P<{name}>[^/]{{1,255}})" + re.escape(rest)
    return re.compile(pattern)
