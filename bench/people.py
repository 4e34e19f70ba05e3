"""
People at consoles, for the soak: they attach through the proxy as the page does, and check each
byte that they see against what the guest has to say there (L{bench.guest}).
"""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import Callable
from typing import Any

import h11
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from bench.guest import keys, text_at

PATIENCE = 60.0

NOBODY = -1
"""Who only watches."""


class Inexact(Exception):
    """Something was not as it must be; the sentence says what."""


class Http:
    """
    A connection for questions, another one when it is over.
    """

    def __init__(self, port: int) -> None:
        self._port = port
        self._writer: asyncio.StreamWriter | None = None

    async def ask(
        self, method: str, path: str, headers: dict[str, str], body: bytes = b""
    ) -> tuple[int, dict[str, str], bytes]:
        """
        @return: status, headers by lower-case name, body.
        """
        if self._writer is None:
            self._reader, self._writer = await asyncio.open_connection("127.0.0.1", self._port)
            self._http = h11.Connection(h11.CLIENT)
        said = {"Host": f"127.0.0.1:{self._port}", "Content-Length": str(len(body)), **headers}
        request = h11.Request(method=method, target=path, headers=list(said.items()))
        self._writer.write(self._http.send(request) or b"")
        self._writer.write((self._http.send(h11.Data(body)) or b"") if body else b"")
        self._http.send(h11.EndOfMessage())
        head, parts = None, []
        while True:
            event = self._http.next_event()
            if event is h11.NEED_DATA:
                self._http.receive_data(await self._reader.read(1 << 18))
            elif isinstance(event, h11.Response):
                head = event
            elif isinstance(event, h11.Data):
                parts.append(bytes(event.data))
            elif isinstance(event, h11.EndOfMessage):
                break
            elif isinstance(event, h11.ConnectionClosed):
                raise ConnectionError("closed")
        assert head is not None
        if self._http.our_state is h11.DONE and self._http.their_state is h11.DONE:
            self._http.start_next_cycle()
        else:
            self.close()
        return head.status_code, {k.decode(): v.decode() for k, v in head.headers}, b"".join(parts)

    def close(self) -> None:
        if self._writer is not None:
            self._writer.transport.abort()
            self._writer = None


class Person:
    """
    By WebSocket.

    @ivar who: of the guest's four; L{NOBODY} if it only watches.
    @ivar offset: the next byte of output that it wants.
    @ivar missed: bytes that it was told are gone.
    @ivar typed: bytes, of which C{counted} are.
    @ivar closed: the close code.
    """

    def __init__(self, port: int, who: int, first_key: int) -> None:
        """
        @param first_key: how many keys were typed in that one's name before.
        """
        self.port, self.who, self._first_key = port, who, first_key
        self.offset = -1
        self.missed = self.typed = self.counted = 0
        self.closed: int | None = None
        self.stalls = False
        self._resume: str | None = None
        self._outbox = b""
        self._greeted = 0
        self._changed = asyncio.Event()
        self._awake = asyncio.Event()
        self._awake.set()
        self._http = Http(port)
        self._reading: asyncio.Task[None] | None = None
        self._failure: BaseException | None = None

    async def arrive(self, token: str) -> None:
        """Show a token, and attach."""
        status, headers, _ = await self._http.ask("GET", f"/?token={token}", {})
        if status != 303:
            raise Inexact(f"the token is answered {status}")
        self.cookie = headers["set-cookie"].partition(";")[0]
        self.place = f"/{headers['location']}"
        status, _, page = await self._http.ask("GET", self.place, {"Cookie": self.cookie})
        if status != 200 or b"<script" not in page:
            raise Inexact(f"the page is answered {status}")
        self._http.close()
        await self.attach()

    async def attach(self) -> None:
        """Attach, or go on after a break."""
        greeted, self.closed = self._greeted, None
        self._reading = asyncio.create_task(self._read())
        await self.until(lambda: self._greeted > greeted, "it is greeted")

    async def break_off(self) -> None:
        """As when the network goes."""
        self._ws.transport.abort()
        await self.until_closed()

    async def leave(self) -> None:
        await self._ws.close()
        await self.until_closed()

    async def until_closed(self) -> int:
        self.wake()
        await self.until(lambda: self.closed is not None, "it is closed")
        assert self._reading is not None and self.closed is not None
        await self._reading
        return self.closed

    def stall(self) -> None:
        """Read nothing for now."""
        self.stalls = True
        self._awake.clear()

    def wake(self) -> None:
        self.stalls = False
        self._awake.set()

    async def type(self, length: int) -> None:
        typed = keys(self.who, self._first_key + self.typed, length)
        self.typed += length
        self._outbox += typed
        await self._send(typed)

    async def until(self, condition: Callable[[], bool], what: str) -> None:
        async with asyncio.timeout(PATIENCE):
            while not condition():
                if self._failure is not None:
                    raise self._failure
                self._changed.clear()
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(self._changed.wait(), 1.0)

    # How it is carried.

    async def _send(self, typed: bytes) -> None:
        with contextlib.suppress(ConnectionClosed):
            await self._ws.send(typed)

    async def _read(self) -> None:
        try:
            self._ws: ClientConnection = await connect(
                f"ws://127.0.0.1:{self.port}{self.place}ws",
                additional_headers={"Cookie": self.cookie},
                origin=f"http://127.0.0.1:{self.port}",  # type: ignore[arg-type]
                subprotocols=["ajaxterm.v1"],  # type: ignore[list-item]
                compression=None,
                max_size=None,
                max_queue=2,
                ping_interval=None,
                proxy=None,
            )
            await self._ws.send(self._attach())
            while True:
                await self._awake.wait()
                message = await self._ws.recv()
                if isinstance(message, bytes):
                    self.see(message)
                else:
                    await self.hear(json.loads(message))
        except ConnectionClosed as closed:
            self.closed = closed.rcvd.code if closed.rcvd is not None else 1006
        except Exception as failure:
            self._failure = failure
        self._changed.set()

    def _attach(self) -> str:
        offset = self.offset if self._resume else None
        return json.dumps({"do": "attach", "resume": self._resume, "offset": offset})

    # What it learns.

    def see(self, output: bytes) -> None:
        for begin in range(0, len(output), 1 << 19):
            part = output[begin : begin + (1 << 19)]
            if part != text_at(self.offset, len(part)):
                raise Inexact(f"{len(part)} bytes at {self.offset} are not what the guest said")
            self.offset += len(part)
        self._changed.set()

    async def hear(self, event: dict[str, Any]) -> None:
        name = event["event"]
        if name == "hello":
            await self._greet(event)
        elif name == "counted":
            if event.get("dropped"):
                raise Inexact(f"input was dropped: {event}")
            self.count(event["input"])
        elif name == "gap":
            if event["offset"] != self.offset + event["missed"]:
                raise Inexact(f"a gap at {self.offset} is told as {event}")
            self.missed += event["missed"]
            self.offset = event["offset"]
        elif name == "refused":
            raise Inexact(f"refused: {event}")
        self._changed.set()

    async def _greet(self, hello: dict[str, Any]) -> None:
        if self._resume is not None:
            if not hello["resumed"] or hello["offset"] < self.offset:
                raise Inexact(f"it wanted to go on at {self.offset}, and was told {hello}")
            self.missed += hello["offset"] - self.offset
        self._resume, self.offset = hello["resume"], hello["offset"]
        self.count(hello["input"])
        self._greeted += 1
        if self._outbox:
            await self._send(self._outbox)

    def count(self, counted: int) -> None:
        if not self.counted <= counted <= self.typed:
            raise Inexact(f"{counted} bytes are counted, of {self.typed} and {self.counted} before")
        self._outbox = self._outbox[counted - self.counted :]
        self.counted = counted


class Poller(Person):
    """
    By long-poll.
    """

    _seen = 0
    _gone = False

    async def break_off(self) -> None:
        self._http.close()

    async def leave(self) -> None:
        self._gone = True
        self._http.close()
        await self.until_closed()

    async def _send(self, typed: bytes) -> None:
        typing = Http(self.port)
        while self._outbox:
            headers = {"X-Ajaxterm-Resume": str(self._resume), "X-Ajaxterm-At": str(self.counted)}
            status, _, body = await typing.ask(
                "POST", self.place + "input", self._headers() | headers, self._outbox
            )
            if status != 200:
                raise Inexact(f"input is answered {status} {body!r}")
            self.count(max(self.counted, json.loads(body)["input"]))
        typing.close()

    def _headers(self) -> dict[str, str]:
        return {"Cookie": self.cookie, "Origin": f"http://127.0.0.1:{self.port}"}

    async def _read(self) -> None:
        try:
            while not self._gone:
                await self._awake.wait()
                wanted = json.loads(self._attach()) | {"seen": self._seen, "wait": 2}
                try:
                    status, _, body = await self._http.ask(
                        "POST", self.place + "poll", self._headers(), json.dumps(wanted).encode()
                    )
                except (OSError, h11.RemoteProtocolError):
                    self._http.close()
                    continue
                if status != 200:
                    self.closed = status
                    break
                await self._take(body)
        except Exception as failure:
            self._failure = failure
        self.closed = self.closed or 1000
        self._http.close()
        self._changed.set()

    async def _take(self, body: bytes) -> None:
        while body:
            length = int.from_bytes(body[1:5], "big")
            kind, payload, body = body[:1], body[5 : 5 + length], body[5 + length :]
            if kind == b"b":
                self.see(payload)
                continue
            event = json.loads(payload)
            self._seen = max(self._seen, event["n"])
            if event["event"] == "hello":
                event["input"] = max(event["input"], self.counted)  # what is typed is counted there
            if event["event"] != "counted":
                await self.hear(event)
