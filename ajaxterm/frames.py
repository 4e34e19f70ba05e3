"""
A server's WebSocket on a Twisted transport, framed by wsproto, but for the simplest
frames (L{ajaxterm.quickframes}).

The handshake is answered by L{handshake}; after it L{WebSocket} carries whole
messages to a I{listener} and back:

  listener.opened(socket)         writable() may be called from now on
  listener.received(bytes|str)    one whole message
  listener.writable()             all that was sent has left; send more
  listener.lost()                 the connection is gone

The transport knows the socket as a I{pull} producer: it asks for more exactly when
everything is written, so nothing piles up here, and it is known when nothing is queued,
which is when an unanswered ping means that the other side is gone.
"""

from __future__ import annotations

from base64 import b64decode
from binascii import Error as Base64Error
from collections.abc import Sequence
from typing import Any, Protocol

from twisted.internet.interfaces import IDelayedCall, IPullProducer, IReactorTime
from twisted.internet.protocol import Protocol as TwistedProtocol
from twisted.internet.protocol import connectionDone
from twisted.python.failure import Failure
from twisted.web.http_headers import Headers
from wsproto.connection import Connection, ConnectionState, ConnectionType
from wsproto.events import BytesMessage, CloseConnection, Ping, TextMessage
from wsproto.utilities import generate_accept_token
from zope.interface import implementer

from ajaxterm.quickframes import BINARY, PING, TEXT, Boundary, frame, whole
from groundwork.promptly import write_promptly

V1 = "ajaxterm.v1"
PLAIN = "binary"


class BadHandshake(Exception):
    """The request is no WebSocket handshake that we can answer."""


def chosen_subprotocol(offered: Sequence[str]) -> str | None:
    """
    @return: the subprotocol to speak; C{None} if none was offered.
    @raise BadHandshake: some were offered, and we speak none of them.
    """
    for known in (V1, PLAIN):
        if known in offered:
            return known
    if offered:
        raise BadHandshake(f"this server speaks the subprotocols {V1} and {PLAIN}")
    return None


def handshake(headers: Headers) -> tuple[bytes, str | None]:
    """
    Check a client's handshake (RFC 6455, 4.2.1).

    @return: the head of our answer, and the subprotocol.
    @raise BadHandshake: with a sentence for the client.
    """

    def words(name: bytes) -> list[str]:
        values = b",".join(headers.getRawHeaders(name, []))
        return [word.strip() for word in values.decode("latin-1").split(",") if word.strip()]

    if "websocket" not in [word.lower() for word in words(b"Upgrade")]:
        raise BadHandshake("this is a WebSocket: ask with Upgrade: websocket")
    if "upgrade" not in [word.lower() for word in words(b"Connection")]:
        raise BadHandshake("the header Connection: Upgrade is missing")
    if words(b"Sec-WebSocket-Version") != ["13"]:
        raise BadHandshake("this server speaks version 13 of the WebSocket protocol")
    keys = words(b"Sec-WebSocket-Key")
    try:
        if len(keys) != 1 or len(b64decode(keys[0], validate=True)) != 16:
            raise BadHandshake("Sec-WebSocket-Key must be 16 bytes in base64")
    except (Base64Error, ValueError):
        raise BadHandshake("Sec-WebSocket-Key is not base64") from None
    subprotocol = chosen_subprotocol(words(b"Sec-WebSocket-Protocol"))
    head = (
        b"HTTP/1.1 101 Switching Protocols\r\n"
        b"Upgrade: websocket\r\n"
        b"Connection: Upgrade\r\n"
        b"Sec-WebSocket-Accept: " + generate_accept_token(keys[0].encode("ascii")) + b"\r\n"
    )
    if subprotocol is not None:
        head += b"Sec-WebSocket-Protocol: " + subprotocol.encode("ascii") + b"\r\n"
    return head + b"\r\n", subprotocol


class Listener(Protocol):
    """What a L{WebSocket} asks of whoever uses it."""

    def opened(self, socket: WebSocket) -> None: ...

    def received(self, message: bytes | str) -> None: ...

    def writable(self) -> None: ...

    def lost(self) -> None: ...


@implementer(IPullProducer)
class WebSocket(TwistedProtocol):
    """
    @cvar LONGEST: bytes of one message; a longer one is answered by 1009.
    @cvar MOST_QUEUED: bytes that may wait to be sent.  Output never comes near it,
        being pulled; a peer that asks and asks and never reads is cut there.
    @cvar PING_EVERY: seconds; a peer that leaves two unanswered while nothing
        is queued to it is gone.
    @cvar GOODBYE: seconds a peer has for its answer to our close.
    """

    LONGEST = 1 << 20
    MOST_QUEUED = 1 << 20
    PING_EVERY = 15.0
    GOODBYE = 2.0

    transport: Any

    def __init__(self, clock: IReactorTime, listener: Listener, head: bytes) -> None:
        """
        @param head: the answer to the handshake, sent before anything else.
        """
        self._clock = clock
        self._listener = listener
        self._head = head
        self._framing: Connection | None = None
        self._boundary = Boundary()
        self._message = bytearray()
        self._unanswered = 0
        self._queued = 0
        self._held = False
        self._closing = False
        self._gone = False
        self._next_ping: IDelayedCall | None = None
        self._cut: IDelayedCall | None = None

    def connectionMade(self) -> None:
        self.transport.setTcpNoDelay(True)
        self.transport.write(self._head)
        self._listener.opened(self)
        if not self._closing:
            self.transport.registerProducer(self, False)
            self._next_ping = self._clock.callLater(self.PING_EVERY, self._ping)

    # What the listener calls.

    def send(self, message: bytes | str) -> bool:
        """
        Send one message: C{bytes} as a binary one, C{str} as text.

        @return: whether it has left already, so that more can be sent;
            if not, C{writable} will be called.
        """
        if self._closing or not self._is_open():
            return False
        if isinstance(message, str):
            return self._write(frame(TEXT, message.encode("utf-8")))
        return self._write(frame(BINARY, message))

    def close(self, code: int, reason: str = "", patience: float = GOODBYE) -> None:
        """
        Say goodbye; the connection ends when the peer agrees, or soon.

        @param patience: seconds until it is cut.
        """
        if self._closing:
            return
        self._closing = True
        self._lose()
        framing = self._library()
        if framing.state in (ConnectionState.OPEN, ConnectionState.REMOTE_CLOSING):
            reason = reason.encode()[:120].decode("utf-8", "ignore")
            self.transport.write(framing.send(CloseConnection(code=code, reason=reason)))
        self.transport.unregisterProducer()
        self.transport.resumeProducing()
        if framing.state is ConnectionState.CLOSED:
            self.transport.loseConnection()
        self._cut_soon(patience)

    def hold_input(self, held: bool) -> None:
        """Read no more from the peer until released."""
        if self._closing:
            return
        self._held = held
        self._unanswered = 0
        if held:
            self.transport.pauseProducing()
        else:
            self.transport.resumeProducing()

    # What the transport calls.

    def resumeProducing(self) -> None:
        self._queued = 0
        if not self._closing:
            self._listener.writable()

    def stopProducing(self) -> None:
        pass

    def dataReceived(self, data: bytes) -> None:
        self._unanswered = 0
        if self._boundary.between and not self._closing and self._take_whole(data):
            return
        framing = self._library()
        self._boundary.follow(data)
        framing.receive_data(data)
        for event in framing.events():
            if isinstance(event, (BytesMessage, TextMessage)):
                self._collect(event)
            elif isinstance(event, Ping):
                if framing.state is ConnectionState.OPEN:
                    self._write(framing.send(event.response()))
            elif isinstance(event, CloseConnection):
                self._peer_closes(framing, event)
                return

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        for call in (self._next_ping, self._cut):
            if call is not None and call.active():
                call.cancel()
        self._closing = True
        self._lose()

    # Within.

    def _library(self) -> Connection:
        if self._framing is None:
            self._framing = Connection(ConnectionType.SERVER)
        return self._framing

    def _is_open(self) -> bool:
        return self._framing is None or self._framing.state is ConnectionState.OPEN

    def _take_whole(self, data: bytes) -> bool:
        """@return: whether it was a frame that needs no library."""
        taken = whole(data)
        if taken is None:
            return False
        kind, payload = taken
        if kind == BINARY:
            self._listener.received(payload)
        elif kind == TEXT:
            try:
                words = payload.decode("utf-8")
            except UnicodeDecodeError:
                return False  # it knows what is to be said to that
            self._listener.received(words)
        return True

    def _collect(self, event: BytesMessage | TextMessage) -> None:
        if self._closing:
            return
        is_text = isinstance(event, TextMessage)
        self._message += event.data.encode("utf-8") if isinstance(event.data, str) else event.data
        if len(self._message) > self.LONGEST:
            self._message.clear()
            self.close(1009, f"messages are at most {self.LONGEST} bytes")
            self.transport.loseConnection()
        elif event.message_finished:
            message, self._message = self._message, bytearray()
            self._listener.received(message.decode("utf-8") if is_text else bytes(message))

    def _peer_closes(self, framing: Connection, event: CloseConnection) -> None:
        if framing.state is ConnectionState.OPEN:
            # No close has come: this is how wsproto tells of a broken frame.
            self.close(int(event.code), event.reason or "")
        elif framing.state is ConnectionState.REMOTE_CLOSING:
            if not self._closing:
                self._closing = True
                self._lose()
                self.transport.unregisterProducer()
                self._cut_soon()
            self.transport.write(framing.send(event.response()))
        self.transport.loseConnection()

    def _ping(self) -> None:
        if self._closing:
            return
        self._next_ping = self._clock.callLater(self.PING_EVERY, self._ping)
        if self._queued:
            return  # it is reading, slowly, or its pings wait behind our output
        if self._unanswered >= 2:
            self._abort()
            return
        if not self._held:
            # While held we do not read the answer.  But a ping that can't be
            # delivered shows that the peer is gone.
            self._unanswered += 1
        self._write(frame(PING, b""))

    def _write(self, data: bytes) -> bool:
        if write_promptly(self.transport, data):
            return True
        self._queued += len(data)
        if self._queued > self.MOST_QUEUED:
            self._abort()
        return False

    def _abort(self) -> None:
        # The listener hears of it by connectionLost(), a turn later: it may be
        # in the middle of sending the same to many.
        self._closing = True
        self.transport.abortConnection()

    def _cut_soon(self, patience: float = GOODBYE) -> None:
        self._cut = self._clock.callLater(patience, self.transport.abortConnection)

    def _lose(self) -> None:
        if not self._gone:
            self._gone = True
            self._listener.lost()
