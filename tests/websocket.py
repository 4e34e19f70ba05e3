"""
A WebSocket client for tests, joined to a server in memory.
"""

from __future__ import annotations

import json
from typing import Any

from twisted.internet.protocol import Protocol, connectionDone
from twisted.internet.task import Clock
from twisted.python.failure import Failure
from twisted.test.iosim import FakeTransport, IOPump
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

from groundwork.site import BoundedSite


class SocketClient(Protocol):
    """
    What a client has seen.

    @ivar output: the bytes of all binary messages.
    @ivar frames: the binary messages one by one.
    @ivar events: the text messages, from JSON.
    @ivar accepted: the subprotocol, C{""} for none; C{None} while not accepted.
    @ivar refused: the status of a refused handshake.
    @ivar closed: the close code.
    """

    transport: Any

    def __init__(
        self,
        target: str,
        headers: dict[str, str],
        subprotocols: list[str],
        host: str = "127.0.0.1",
    ) -> None:
        self._ws = WSConnection(ConnectionType.CLIENT)
        self._request = Request(
            host=host,
            target=target,
            subprotocols=subprotocols,
            extra_headers=[(k.encode(), v.encode()) for k, v in headers.items()],
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

    def attach(self, resume: str | None = None, offset: int | None = None) -> None:
        self.send({"do": "attach", "resume": resume, "offset": offset})

    def event(self, name: str) -> dict[str, Any]:
        """@return: the last event of that name."""
        return [event for event in self.events if event["event"] == name][-1]

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
                if self._ws.state.name == "REMOTE_CLOSING":
                    self.transport.write(self._ws.send(event.response()))

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        self.lost = True


class Wire:
    """
    Joins clients to the site of a resource, and moves bytes when told.
    """

    def __init__(self, resource: IResource) -> None:
        self.clock = Clock()
        self.site = BoundedSite(resource, self.clock)
        self._pumps: list[IOPump] = []

    def connect(self, client: Protocol) -> IOPump:
        server = self.site.buildProtocol(None)
        client_io = FakeTransport(client, isServer=False)
        server_io = FakeTransport(server, isServer=True)
        # The web server looks for these.
        pump = IOPump(_Holder(client_io), _Holder(server_io), client_io, server_io, False)
        server.makeConnection(server_io)
        client.makeConnection(client_io)
        self._pumps.append(pump)
        self.flush()
        return pump

    def flush(self) -> None:
        """Move bytes until nothing moves any more."""
        for _ in range(10_000):
            if not any([pump.pump(advanceClock=False) for pump in self._pumps]):
                return
        raise AssertionError("the wire never comes to rest")


class _Holder:
    """IOPump speaks to the protocol its transport has now, which may change."""

    def __init__(self, transport: FakeTransport) -> None:
        self._transport = transport

    def dataReceived(self, data: bytes) -> None:
        self._transport.protocol.dataReceived(data)

    def connectionLost(self, reason: Failure) -> None:
        self._transport.protocol.connectionLost(reason)
