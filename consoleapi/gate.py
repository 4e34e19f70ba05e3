"""
What every request of a user passes before its route: who it is, and whether
they ask too often.
"""

from __future__ import annotations

from consoleapi.authentication import IAuthentication
from consoleapi.faults import Fault
from consoleapi.ratelimits import RateLimits
from consoleapi.routes import NOBODY, Routes, Visit
from consoleapi.web import Asked, Reply


class Gate:
    """
    Leads to the routes of one room.

    @ivar hides: whether strangers are asked who they are even where nothing is.
    """

    def __init__(
        self,
        authentication: IAuthentication,
        limits: RateLimits,
        routes: Routes,
        *,
        hides: bool = False,
    ) -> None:
        self._hides = hides
        self._authentication = authentication
        self._limits = limits
        self._routes = routes

    async def answer(self, asked: Asked) -> Reply:
        """
        @raise Fault: as the route does.
        @raise BusFailure: as the route does.
        """
        try:
            route, names = self._routes.find(asked)
        except Fault as missing:
            if self._hides and missing.status == 404:
                await self._authentication.caller(asked)
            raise
        if route.is_public:
            return await route.answer(Visit(asked, NOBODY, names))
        caller = await self._authentication.caller(asked)
        self._limits.count(caller.name, asked.method, asked.path)
        return await route.answer(Visit(asked, caller, names))
