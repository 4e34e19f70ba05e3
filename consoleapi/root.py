"""
Which room answers a request.

    /                    the lobby, if C{Accept} prefers HTML; else the versions
    /lobby/...           what the lobby's page is made of, and what it asks
    /v2.1, /v2.1/...     OpenStack's compute API
"""

from __future__ import annotations

from twisted.web.http_headers import Headers

from consoleapi import versions
from consoleapi.addresses import Addresses
from consoleapi.faults import Fault
from consoleapi.web import Asked, IRoom, Reply, as_fault
from consolebus.ibus import BusFailure


class Root:
    """
    Everything that the API serves.
    """

    def __init__(self, openstack: IRoom, lobby: IRoom, addresses: Addresses) -> None:
        self._openstack = openstack
        self._lobby = lobby
        self._addresses = addresses

    async def answer(self, asked: Asked) -> Reply:
        path = asked.path
        if path == "/v2.1" or path.startswith("/v2.1/"):
            return await self._openstack.answer(asked)
        html = prefers_html(asked.headers)
        try:
            if path == "/" and not html:
                asked.must_read()
                listed = versions.list_of_versions(self._addresses.api(asked))
                return Reply.of(listed, {"Vary": "Accept"})
            if path == "/" or path.startswith("/lobby/"):
                return await self._lobby.answer(asked)
            raise Fault(404, "There is nothing at this address.")
        except (Fault, BusFailure) as problem:
            fault = as_fault(problem)
            headers = {"Vary": "Accept", **fault.headers}
            return Reply.of_fault(Fault(fault.status, fault.message, headers), html=html)


def prefers_html(headers: Headers) -> bool:
    """
    Whether C{text/html} is named, and not less liked than C{application/json}
    (RFC 9110, 12.5.1).  Browsers name it; clients that take anything do not.
    """
    liking = {"text/html": 0.0, "application/json": 0.0}
    for line in headers.getRawHeaders("Accept", []):
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
