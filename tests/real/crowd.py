"""
Many viewers at once, each at a console of its own, that come back by themselves as the page
does.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import threading
from collections.abc import Callable, Sequence
from hashlib import sha256
from random import Random

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import WebSocketException

from tests.real.light import token

WINDOW = 64 * 1024


class Watcher:
    """
    @ivar seen: SHA-256 of all output, C{offset} the number of the next byte.
    @ivar typed: SHA-256 of all input, C{length} how much, C{counted} how much of it is counted.
    @ivar arrivals: how often it was let in.
    @ivar port: of the proxy that it is at.
    """

    def __init__(self, index: int, ports: Sequence[int]) -> None:
        self._index = index
        self._ports = ports
        self._random = Random(f"watcher {index}")
        self.seen, self.typed = sha256(), sha256()
        self.offset: int | None = None
        self._resume: str | None = None
        self.length = self.counted = 0
        self._outbox = b""
        self._sent = 0
        self.arrivals = 0
        self.port = 0

    async def run(self, types: Callable[[], bool]) -> None:
        """
        @param types: whether it still does.
        """
        turn = self._index
        while True:
            port = self._ports[turn % len(self._ports)]
            turn += 1
            try:
                async with connect(
                    f"ws://127.0.0.1:{port}/?token={token(self._index)}",
                    subprotocols=["ajaxterm.v1"],  # type: ignore[list-item]
                    compression=None,
                    ping_interval=None,
                    close_timeout=0.1,
                    proxy=None,
                ) as socket:
                    await self._use(socket, port, types)
            except (OSError, EOFError, WebSocketException, TimeoutError):
                self.port = 0
                await asyncio.sleep(self._random.uniform(0.05, 0.3))

    async def _use(self, socket: ClientConnection, port: int, types: Callable[[], bool]) -> None:
        wanted = {"do": "attach", "resume": self._resume, "offset": self.offset}
        await socket.send(json.dumps(wanted))
        typing: asyncio.Task[None] | None = None
        try:
            async for message in socket:
                if isinstance(message, bytes):
                    assert self.offset is not None
                    self.seen.update(message)
                    self.offset += len(message)
                    continue
                event = json.loads(message)
                self._hear(event)
                if event["event"] == "hello":
                    self.arrivals += 1
                    self.port = port
                    self._sent = self.counted
                    typing = asyncio.create_task(self._type(socket, types))
        finally:
            if typing is not None:
                typing.cancel()

    async def _type(self, socket: ClientConnection, types: Callable[[], bool]) -> None:
        while True:
            if types() and len(self._outbox) < WINDOW:
                keys = self._random.randbytes(self._random.randrange(1, 20))
                self.typed.update(keys)
                self.length += len(keys)
                self._outbox += keys
            unsent = self._outbox[self._sent - self.counted :]
            if unsent:
                self._sent += len(unsent)
                await socket.send(unsent)
            await asyncio.sleep(0.2)

    def _hear(self, event: dict[str, object]) -> None:
        name = event["event"]
        if name == "hello":
            assert self.offset in (None, event["offset"]), (self.offset, event)
            assert self._resume in (None, event["resume"]), "the seat was lost"
            self._resume, self.offset = str(event["resume"]), int(str(event["offset"]))
        if name in ("hello", "counted"):
            counted = int(str(event["input"]))
            assert self.counted <= counted <= self.length, (self.counted, counted, self.length)
            self._outbox = self._outbox[counted - self.counted :]
            self.counted = counted
        elif name in ("gap", "refused", "end"):
            raise AssertionError(str(event))


class Crowd(threading.Thread):
    """
    @ivar watchers: each of them.
    @ivar types: whether they do.
    @ivar failures: why some have ended, which none should.
    """

    def __init__(self, count: int, ports: Sequence[int]) -> None:
        """
        @param ports: of the proxies.
        """
        super().__init__(daemon=True)
        self.watchers = [Watcher(index, ports) for index in range(count)]
        self.types = True
        self.failures: list[BaseException] = []
        self._loop = asyncio.new_event_loop()

    def run(self) -> None:
        with contextlib.suppress(asyncio.CancelledError):
            self._loop.run_until_complete(self._all())
        self._loop.close()

    def stop(self) -> None:
        def cancel() -> None:
            for task in asyncio.all_tasks(self._loop):
                task.cancel()

        if self.is_alive():
            self._loop.call_soon_threadsafe(cancel)
            self.join(20)

    async def _all(self) -> None:
        tasks = [asyncio.create_task(self._one(watcher)) for watcher in self.watchers]
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _one(self, watcher: Watcher) -> None:
        try:
            await watcher.run(lambda: self.types)
        except asyncio.CancelledError:
            pass
        except BaseException as failure:
            self.failures.append(failure)
