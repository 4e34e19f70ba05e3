"""
Clients for tests, HTTP's and the WebSocket's, joined to a site in memory.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import h11
from twisted.internet.protocol import Protocol, connectionDone
from twisted.python.failure import Failure
from twisted.web.resource import IResource
from wsproto import ConnectionType, WSConnection
from wsproto.events import (
    AcceptConnection,
    BytesMessage,
    CloseConnection,
    Message,
    Ping,
    RejectConnection,
    Request,
    TextMessage,
)

from groundwork.outside import Outside
from groundwork.site import BoundedSite
from tests.memorysocket import MemoryReactor


class SocketClient(Protocol):
    """
    What a client has seen.

    @ivar output: the bytes of all binary messages.
    @ivar frames: the binary messages one by one.
    @ivar events: the text messages, from JSON.
    @ivar accepted: the subprotocol, C{""} for none; C{None} while not accepted.
    @ivar refused: the status of a refused handshake.
    @ivar closed: the close code.
    @ivar answer_pings: whether it answers anything by itself.
    """

    transport: Any

    def __init__(
        self,
        target: str = "/ws",
        headers: Mapping[str, str] | None = None,
        subprotocols: Iterable[str] = (),
        host: str = "127.0.0.1",
    ) -> None:
        self._ws = WSConnection(ConnectionType.CLIENT)
        self._request = Request(
            host=host,
            target=target,
            subprotocols=list(subprotocols),
            extra_headers=[(k.encode(), v.encode()) for k, v in (headers or {}).items()],
        )
        self.output = b""
        self.frames: list[bytes] = []
        self.events: list[dict[str, Any]] = []
        self.accepted: str | None = None
        self.refused: int | None = None
        self.closed: int | None = None
        self.pings = 0
        self.answer_pings = True
        self.lost = False
        self._text = ""

    def connectionMade(self) -> None:
        self.transport.write(self._ws.send(self._request))

    def send(self, message: bytes | dict[str, Any] | str) -> None:
        event: Message[Any]
        if isinstance(message, bytes):
            event = BytesMessage(data=message)
        else:
            event = TextMessage(data=message if isinstance(message, str) else json.dumps(message))
        self.transport.write(self._ws.send(event))

    def send_raw(self, frame: bytes) -> None:
        """
        Send what no library would.
        """
        self.transport.write(frame)

    def close(self, code: int = 1000) -> None:
        self.transport.write(self._ws.send(CloseConnection(code=code)))

    def attach(self, resume: str | None = None, offset: int | None = None) -> None:
        self.send({"do": "attach", "resume": resume, "offset": offset})

    def event(self, name: str) -> dict[str, Any]:
        """@return: the last event of that name."""
        return [event for event in self.events if event["event"] == name][-1]

    def names(self) -> list[str]:
        """@return: the names of all events, in their order."""
        return [event["event"] for event in self.events]

    def dataReceived(self, data: bytes) -> None:
        self._ws.receive_data(data)
        for event in self._ws.events():
            if isinstance(event, AcceptConnection):
                self.accepted = event.subprotocol or ""
            elif isinstance(event, RejectConnection):
                self.refused = event.status_code
            elif isinstance(event, BytesMessage):
                self.output += bytes(event.data)
                self.frames.append(bytes(event.data))
            elif isinstance(event, TextMessage):
                self._text += event.data
                if event.message_finished:
                    self.events.append(json.loads(self._text))
                    self._text = ""
            elif isinstance(event, Ping):
                self.pings += 1
                if self.answer_pings:
                    self.transport.write(self._ws.send(event.response()))
            elif isinstance(event, CloseConnection):
                self.closed = int(event.code)
                if self.answer_pings and self._ws.state.name == "REMOTE_CLOSING":
                    self.transport.write(self._ws.send(event.response()))

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        self.lost = True


@dataclass(frozen=True, slots=True)
class Answer:
    """
    @ivar headers: by lower-case name; of repeated ones the last.
    """

    status: int
    headers: Mapping[str, str]
    body: bytes


class Asking(Protocol):
    """
    One request.

    @ivar answer: C{None} until the whole of it is there.
    """

    transport: Any

    def __init__(self, asked: list[Any]) -> None:
        self._http = h11.Connection(h11.CLIENT)
        self._asked = asked
        self._body = b""
        self._head: h11.Response | None = None
        self.answer: Answer | None = None

    def connectionMade(self) -> None:
        for event in self._asked:
            self.transport.write(self._http.send(event) or b"")

    def dataReceived(self, data: bytes) -> None:
        self._take(data)

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        if self._head is not None:
            self._take(b"")

    def _take(self, data: bytes) -> None:
        self._http.receive_data(data)
        while self.answer is None:
            event = self._http.next_event()
            if isinstance(event, h11.Response):
                self._head = event
            elif isinstance(event, h11.Data):
                self._body += bytes(event.data)
            elif isinstance(event, h11.EndOfMessage) and self._head is not None:
                headers = {k.decode(): v.decode() for k, v in self._head.headers}
                self.answer = Answer(self._head.status_code, headers, self._body)
            else:
                return


class Wire:
    """
    Joins clients to the site of a resource.

    @ivar clock: time, and the reactor beneath; see L{MemoryReactor}.
    """

    def __init__(
        self,
        resource: IResource,
        clock: MemoryReactor | None = None,
        outside: Outside = Outside(),  # noqa: B008 (it never changes)
    ) -> None:
        self.clock = clock or MemoryReactor()
        self.site = BoundedSite(resource, self.clock, outside=outside)

    def connect(self, client: Protocol, room: int = 1 << 16) -> None:
        """
        @param room: as of L{MemoryReactor.connect}.
        """
        self.clock.connect(self.site.buildProtocol(None), client, room)

    def flush(self) -> None:
        """Move bytes until nothing moves any more."""
        self.clock.flush()

    def ask(
        self,
        method: str,
        target: str,
        headers: Mapping[str, str] | None = None,
        body: bytes = b"",
    ) -> Answer:
        """
        Ask for something that is answered at once.
        """
        answer = self.begin_to_ask(method, target, headers, body).answer
        assert answer is not None, "no answer came"
        return answer

    def begin_to_ask(
        self,
        method: str,
        target: str,
        headers: Mapping[str, str] | None = None,
        body: bytes = b"",
    ) -> Asking:
        said = {"Host": "127.0.0.1", **(headers or {})}
        if body:
            said["Content-Length"] = str(len(body))
        encoded = [(name.encode(), value.encode("latin-1")) for name, value in said.items()]
        request = h11.Request(method=method, target=target, headers=encoded)
        asking = Asking([request, *([h11.Data(data=body)] if body else []), h11.EndOfMessage()])
        self.connect(asking)
        return asking
