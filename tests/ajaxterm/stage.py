"""
A terminal in memory: the whole of it but for the sockets, on a guest that is a list.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from ajaxterm.frames import PLAIN, V1
from ajaxterm.grants import Grant, Grants, Mode, digest_of
from ajaxterm.idleness import Limits
from ajaxterm.scrollback import Scrollback
from ajaxterm.session import Session
from ajaxterm.viewer import End, Event
from ajaxterm.web import Door, Page, ProxyDoor, TerminalResource
from tests.memorysocket import MemoryReactor
from tests.websocket import Answer, SocketClient, Wire


class FakeLine:
    """
    Keeps what is typed at it.

    @ivar full_at: the length from which on it holds its session's input.
    """

    session: Session

    def __init__(self, resizable: bool = False) -> None:
        self.full_at = 1 << 60
        self.resizable = resizable
        self.typed = b""
        self.sizes: list[tuple[int, int]] = []

    def write(self, keys: bytes) -> None:
        self.typed += keys
        if len(self.typed) >= self.full_at:
            self.session.hold_input(True)

    def resize(self, rows: int, columns: int) -> None:
        self.sizes.append((rows, columns))


NEVER = Limits(idle=0.0)
PAGE = Page(
    {
        "index.html": b"<html>",
        "page-1.js": b"js()",
        "page-1.css": b"css{}",
        "page-1.css.br": b"css in brotli",
        "page-1.css.gz": b"css in gzip",
        "odd": b"?",
    }
)


class Stage:
    """
    @ivar ends: how the session has ended; one at the most.
    @ivar reports: what the agent is told.
    """

    def __init__(
        self,
        size: int = 1 << 20,
        resizable: bool = False,
        limits: Limits = NEVER,
        door: Callable[[Grants], Door] = ProxyDoor,
        title: str = "web1 serial0",
    ) -> None:
        self.clock = MemoryReactor()
        self.line = FakeLine(resizable)
        self.grants = Grants(self.clock)
        self.ends: list[End] = []
        self.reports: list[Event] = []
        self.session = Session(
            self.clock,
            self.line,
            self.grants,
            Scrollback(size),
            title,
            limits,
            self.ends.append,
            self.reports.append,
        )
        self.line.session = self.session
        resource = TerminalResource(self.clock, self.session, door(self.grants), PAGE, "1.2.3")
        self.wire = Wire(resource, self.clock)

    def grant(
        self, secret: str, mode: Mode = "rw", user: str = "ann", lifetime: float = 600.0
    ) -> Grant:
        """
        Let in whoever shows C{secret}.
        """
        grant = Grant(f"g-{secret}", mode, user, lifetime)
        self.grants.add(digest_of(secret), grant)
        return grant

    def ask(
        self,
        method: str,
        target: str,
        secret: str | None = None,
        headers: Mapping[str, str] | None = None,
        body: bytes = b"",
    ) -> Answer:
        said = dict(headers or {})
        if secret is not None:
            said["Authorization"] = f"Bearer {secret}"
        return self.wire.ask(method, target, said, body)

    def dial(
        self,
        secret: str,
        subprotocol: str = "",
        target: str = "/ws",
        room: int = 1 << 16,
        **headers: str,
    ) -> SocketClient:
        """
        A client with an open WebSocket, not attached yet.
        """
        headers["Authorization"] = f"Bearer {secret}"
        client = SocketClient(target, headers, [subprotocol] if subprotocol else [])
        self.wire.connect(client, room)
        return client

    def plain(self, secret: str, target: str = "/ws", **words: Any) -> SocketClient:
        """
        A viewer that speaks C{binary}.
        """
        return self.dial(secret, PLAIN, target, **words)

    def attached(
        self, secret: str, resume: str | None = None, offset: int | None = None, **words: Any
    ) -> SocketClient:
        """
        A viewer that speaks C{ajaxterm.v1} and has its C{hello}.
        """
        client = self.dial(secret, V1, **words)
        client.attach(resume, offset)
        self.clock.flush()
        return client

    def output(self, output: bytes) -> None:
        """
        The guest says something.
        """
        self.session.output(output)
        self.clock.flush()

    def send(self, client: SocketClient, message: bytes | str | dict[str, Any]) -> None:
        client.send(message)
        self.clock.flush()
