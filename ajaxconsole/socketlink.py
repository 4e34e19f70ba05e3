"""
A WebSocket to a console, for a program that waits with C{select}.
"""

from __future__ import annotations

import socket
import ssl
from typing import Any
from urllib.parse import urlsplit

from wsproto import ConnectionType, WSConnection
from wsproto.events import (
    AcceptConnection,
    BytesMessage,
    CloseConnection,
    Message,
    Ping,
    RejectConnection,
    RejectData,
    Request,
    TextMessage,
)
from wsproto.utilities import ProtocolError

_CONNECT = 10.0
_MOST_MESSAGE = 4 << 20
_DEFAULT_PORTS = {"http": 80, "ws": 80, "https": 443, "wss": 443}


class Lost(Exception):
    """
    There is no connection, or no longer one.

    @ivar status: of HTTP, where the server refused; 0 otherwise.
    @ivar code: the WebSocket's close code; 0 without one.
    """

    def __init__(self, why: str, *, status: int = 0, code: int = 0) -> None:
        super().__init__(why)
        self.status = status
        self.code = code


class SocketLink:
    """
    One connection, open when the constructor returns.
    """

    def __init__(self, url: str, tls: ssl.SSLContext) -> None:
        """
        @raise Lost: it can't be made.
        """
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port or _DEFAULT_PORTS[parts.scheme]
        self._messages: list[bytes | str] = []
        self._parts: list[bytes | str] = []
        self._length = 0
        self._is_open = False
        self._protocol = WSConnection(ConnectionType.CLIENT)
        try:
            self.socket: socket.socket = socket.create_connection((host, port), _CONNECT)
        except OSError as error:
            raise Lost(f"{host} can't be reached: {error.strerror or error}") from None
        try:
            if parts.scheme in ("https", "wss"):
                self.socket = tls.wrap_socket(self.socket, server_hostname=host)
            target = f"{parts.path or '/'}?{parts.query}" if parts.query else parts.path or "/"
            request = Request(host=parts.netloc, target=target, subprotocols=["ajaxterm.v1"])
            self._write(self._protocol.send(request))
            while not self._is_open:
                self._read()
        except (OSError, ProtocolError) as error:
            self.close()
            raise Lost(f"{host}: {error}") from None
        except Lost:
            self.close()
            raise

    def fileno(self) -> int:
        return self.socket.fileno()

    @property
    def has_more(self) -> bool:
        """
        Whether there is something to read that C{select} does not see.
        """
        return isinstance(self.socket, ssl.SSLSocket) and self.socket.pending() > 0

    def send(self, message: bytes | str) -> None:
        """
        @raise Lost: it can't be.
        """
        event: BytesMessage | TextMessage
        if isinstance(message, bytes):
            event = BytesMessage(data=message)
        else:
            event = TextMessage(data=message)
        try:
            self._write(self._protocol.send(event))
        except (OSError, ProtocolError) as error:
            raise Lost(str(error)) from None

    def receive(self) -> list[bytes | str]:
        """
        What has come; waits for something.

        @raise Lost: the connection has ended.
        """
        if self._ended is not None:
            raise self._ended
        if not self._messages:
            try:
                self._read()
            except (OSError, ProtocolError) as error:
                raise Lost(str(error)) from None
        found, self._messages = self._messages, []
        return found

    def close(self) -> None:
        self.socket.close()

    def _write(self, octets: bytes) -> None:
        self.socket.sendall(octets)

    def _read(self) -> None:
        octets = self.socket.recv(1 << 16)
        self._protocol.receive_data(octets or None)
        for event in self._protocol.events():
            if isinstance(event, AcceptConnection):
                self._is_open = True
            elif isinstance(event, (RejectConnection, RejectData)):
                status = getattr(event, "status_code", 0)
                raise Lost(f"the server answered {status}", status=status)
            elif isinstance(event, Message):
                self._take(event)
            elif isinstance(event, Ping):
                self._write(self._protocol.send(event.response()))
            elif isinstance(event, CloseConnection):
                if self._messages:
                    # They come first; the end comes again with the next reading.
                    self._ended = Lost(event.reason or "closed", code=event.code)
                    return
                raise Lost(event.reason or "closed", code=event.code)
        if not octets:
            raise Lost("the connection was cut")

    _ended: Lost | None = None

    def _take(self, event: Message[Any]) -> None:
        piece = event.data if isinstance(event.data, str) else bytes(event.data)
        self._parts.append(piece)
        self._length += len(piece)
        if self._length > _MOST_MESSAGE:
            raise Lost("the server sends messages that are too long")
        if event.message_finished:
            whole: bytes | str = (
                "".join(p for p in self._parts if isinstance(p, str))
                if isinstance(piece, str)
                else b"".join(p for p in self._parts if isinstance(p, bytes))
            )
            self._messages.append(whole)
            self._parts, self._length = [], 0
