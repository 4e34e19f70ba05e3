"""
A web request as a record, an answer as another, and the skin between them and
Twisted's web server.

What every request passes first: a C{Host} that is ours; and where it is to
change something, an C{Origin} that is ours or none.  Who reads a body wants
C{application/json}, which no page elsewhere can send without being asked about
it first (the CORS protocol's preflight), and we never agree.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol
from uuid import uuid4

from twisted.logger import Logger
from twisted.python.failure import Failure
from twisted.web.http_headers import Headers
from twisted.web.resource import Resource
from twisted.web.server import Request

from consoleapi.faults import Fault, fault_of
from consoleapi.schema import parse_object
from consolebus.ibus import BusFailure, Context
from groundwork.answering import answer
from groundwork.manners import HostRule, OriginRule, be_strict, only

_MOST_BODY = 64 << 10
_READING = ("GET", "HEAD")


@dataclass(frozen=True, slots=True)
class Asked:
    """
    A request that has passed the first checks.

    @ivar path: as it came, undecoded, without the query.
    @ivar query: as it came, undecoded.
    @ivar args: of the query.
    @ivar host: the name, and port if any, that the client used for us.
    @ivar address: of the client, for the log.
    @ivar request_id: as OpenStack writes them; in our log, on the bus and in
        the answer.
    """

    method: str
    path: str
    args: Mapping[str, Sequence[str]]
    headers: Headers
    body: bytes
    host: str
    is_secure: bool
    address: str
    query: str = ""
    request_id: str = field(default_factory=lambda: f"req-{uuid4()}")

    def arg(self, name: str) -> str | None:
        """
        @return: the last value of that name, as nova takes it.
        """
        values = self.args.get(name)
        return values[-1] if values else None

    def json(self) -> dict[str, Any]:
        """
        @raise Fault: 413, 415 or 400, the body is no JSON object.
        """
        if len(self.body) > _MOST_BODY:
            raise Fault(413, f"A request body has at most {_MOST_BODY} bytes.")
        try:
            kind = only(self.headers, "Content-Type") or ""
        except ValueError:
            kind = ""
        if kind.partition(";")[0].strip().lower() != "application/json":
            raise Fault(415, "The request body must come as Content-Type: application/json.")
        return parse_object(self.body)

    def context(self, user: str) -> Context:
        return Context(request_id=self.request_id, user=user)

    def must_be(self, *methods: str) -> None:
        """
        @raise Fault: 405, it is made by another method.
        """
        if self.method not in methods:
            allowed = ", ".join(methods)
            raise Fault(405, f"This address takes {allowed} only.", {"Allow": allowed})

    def must_read(self) -> None:
        """
        @raise Fault: 405, it is made by a method that changes something.
        """
        self.must_be(*_READING)


@dataclass(frozen=True, slots=True)
class Reply:
    """
    @ivar policy: a Content-Security-Policy in place of the strictest.
    """

    status: int
    body: bytes
    content_type: str
    headers: Mapping[str, str] = field(default_factory=dict)
    policy: str | None = None

    @classmethod
    def of(cls, value: Any, headers: Mapping[str, str] | None = None) -> Reply:
        """
        Success, as JSON.
        """
        return cls(200, json.dumps(value).encode("ascii"), "application/json", headers or {})

    @classmethod
    def of_fault(cls, fault: Fault, *, html: bool = False) -> Reply:
        if html:
            return cls(fault.status, fault.as_html(), "text/html; charset=utf-8", fault.headers)
        return cls(fault.status, fault.as_json(), "application/json", fault.headers)


class IRoom(Protocol):
    """
    What answers requests.
    """

    async def answer(self, asked: Asked) -> Reply:
        """
        @raise Fault: what goes wrong, and is not answered in a way of its own.
        @raise BusFailure: likewise.
        """


class ApiResource(Resource):
    """
    All paths of the API.
    """

    isLeaf = True
    _log = Logger()

    def __init__(self, room: IRoom, hosts: HostRule, origins: OriginRule) -> None:
        super().__init__()
        self._room = room
        self._hosts = hosts
        self._origins = origins

    def render(self, request: Request) -> int:
        return answer(request, self._answer(request), self._failed)

    async def _answer(self, request: Request) -> None:
        asked: Asked | None = None
        try:
            asked = self._asked(request)
            reply = await self._room.answer(asked)
        except (Fault, BusFailure) as problem:
            reply = Reply.of_fault(as_fault(problem))
        _send(request, reply, asked.request_id if asked else None)

    def _asked(self, request: Request) -> Asked:
        host = self._hosts.host(request.requestHeaders)
        if host is None:
            raise Fault(
                403,
                "The name in the address is not one that this server serves. "
                "Its administrator can allow it by --allowed-host.",
            )
        method = request.method.decode("latin-1")
        if method not in _READING and not self._origins.is_welcome(
            request.requestHeaders, request.isSecure()
        ):
            raise Fault(
                403,
                "The page that asks is not one of this server's. "
                "Its administrator can allow it by --allowed-origin.",
            )
        content: Any = request.content
        return Asked(
            method=method,
            path=request.path.decode("latin-1"),
            args=_args(request),
            headers=request.requestHeaders,
            body=content.read(_MOST_BODY + 1),
            host=host,
            is_secure=request.isSecure(),
            query=request.uri.partition(b"?")[2].decode("latin-1"),
            address=str(getattr(request.getClientAddress(), "host", "this machine")),
        )

    def _failed(self, failure: Failure, request: Request) -> None:
        self._log.failure("while answering a request", failure)
        if request.startedWriting:
            channel: Any = request.channel
            channel.transport.abortConnection()
            return
        fault = Fault(500, "Something went wrong in this server; its log says more.")
        _send(request, Reply.of_fault(fault), None)


def as_fault(problem: Fault | BusFailure) -> Fault:
    """
    What went wrong, as it is told over HTTP.
    """
    return problem if isinstance(problem, Fault) else fault_of(problem)


def _args(request: Request) -> dict[str, list[str]]:
    given: Mapping[bytes, Sequence[bytes]] = request.args or {}
    try:
        return {
            name.decode("utf-8"): [value.decode("utf-8") for value in values]
            for name, values in given.items()
        }
    except UnicodeDecodeError:
        raise Fault(400, "The query of the address is not UTF-8.") from None


def _send(request: Request, reply: Reply, request_id: str | None) -> None:
    be_strict(request, reply.policy)
    request.setResponseCode(reply.status)
    request.setHeader("Content-Type", reply.content_type)
    request.setHeader("Content-Length", str(len(reply.body)))
    if request_id is not None:
        request.setHeader("X-OpenStack-Request-Id", request_id)
        request.setHeader("X-Compute-Request-Id", request_id)
    for name, value in reply.headers.items():
        request.setHeader(name, value)
    if request.method != b"HEAD":
        request.write(reply.body)
    request.finish()
