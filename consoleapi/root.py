"""
Which room answers a request.

    /                    the lobby, if C{Accept} prefers HTML; else the versions
    /lobby/...           what the lobby's page is made of, and what it asks
    /v2.1..., /v1.1...   OpenStack's compute API
    /services/Cloud      EC2's
    /openapi.json        what there is, for programs
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from twisted.web.http_headers import Headers

from consoleapi import versions
from consoleapi.addresses import Addresses
from consoleapi.authentication import IAuthentication
from consoleapi.faults import Fault
from consoleapi.gate import Gate
from consoleapi.headers import values
from consoleapi.lobbypage import Lobby
from consoleapi.openstack import PREFIXES, OpenStack
from consoleapi.ratelimits import RateLimits
from consoleapi.routes import Route, Routes, Visit
from consoleapi.web import Asked, Reply, as_fault
from consolebus.ibus import BusFailure


class Root:
    """
    Everything that the API serves.

    @ivar routes: all there are.
    """

    def __init__(
        self,
        openstack: OpenStack,
        lobby: Lobby,
        others: Iterable[Route],
        authentication: IAuthentication,
        limits: RateLimits,
        addresses: Addresses,
        description: bytes,
    ) -> None:
        """
        @param authentication: of the lobby.
        @param description: as OpenAPI has it.
        """
        self._openstack = openstack
        self._lobby = lobby
        self._addresses = addresses
        self._description = description
        here = [
            Route("GET", "/", self._door, is_public=True),
            Route("GET", "/openapi.json", self._describe, is_public=True),
            *lobby.routes(),
            *others,
        ]
        self.routes: Sequence[Route] = (*here, *openstack.routes.all)
        self._gate = Gate(authentication, limits, Routes(here, "There is nothing at this address."))

    async def answer(self, asked: Asked) -> Reply:
        if asked.path.startswith(tuple(f"{prefix}/" for prefix in PREFIXES)) or (
            asked.path in PREFIXES
        ):
            return await self._openstack.answer(asked)
        html = prefers_html(asked.headers)
        try:
            return await self._gate.answer(asked)
        except (Fault, BusFailure) as problem:
            fault = as_fault(problem)
            headers = {"Vary": "Accept", **fault.headers}
            return Reply.of_fault(Fault(fault.status, fault.message, headers), html=html)

    async def _door(self, visit: Visit) -> Reply:
        if prefers_html(visit.asked.headers):
            return self._lobby.page()
        listed = versions.list_of_versions(self._addresses.api(visit.asked))
        return Reply.of(listed, {"Vary": "Accept"})

    async def _describe(self, visit: Visit) -> Reply:
        return Reply(200, self._description, "application/json")


def prefers_html(headers: Headers) -> bool:
    """
    Whether C{text/html} is named, and not less liked than C{application/json}
    (RFC 9110, 12.5.1).  Browsers name it; clients that take anything do not.
    """
    liking = {"text/html": 0.0, "application/json": 0.0}
    for line in values(headers, "Accept"):
        for choice in line.split(","):
            kind, *parameters = (part.strip().lower() for part in choice.split(";"))
            if kind in liking:
                liking[kind] = _quality(parameters)
    return liking["text/html"] > 0 and liking["text/html"] >= liking["application/json"]


def _quality(parameters: list[str]) -> float:
    for parameter in parameters:
        name, _, value = parameter.partition("=")
        if name.strip() == "q":
            try:
                return float(value)
            except ValueError:
                return 0.0
    return 1.0
