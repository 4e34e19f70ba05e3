"""
A relay that breaks the connections which it carries, at any byte; and a guest that talks
and listens all the time.
"""

from __future__ import annotations

import asyncio
import contextlib
import select
import socket
import struct
import threading
from hashlib import sha256
from random import Random


class CuttingRelay(threading.Thread):
    """
    @ivar port: where it listens.
    @ivar cuts: how many connections it has broken.
    """

    def __init__(self, target: int, seed: int, most: int) -> None:
        """
        @param target: the port that it leads to.
        @param most: connections to break; it leaves those that come later alone.
        """
        super().__init__(daemon=True)
        self._target = target
        self._random = Random(seed)
        self._most = most
        self.cuts = 0
        self._listening = socket.socket()
        self._listening.bind(("127.0.0.1", 0))
        self.port: int = self._listening.getsockname()[1]
        self._loop = asyncio.new_event_loop()

    def run(self) -> None:
        with contextlib.suppress(asyncio.CancelledError):
            self._loop.run_until_complete(self._serve())
        self._loop.close()

    def stop(self) -> None:
        def cancel() -> None:
            for task in asyncio.all_tasks(self._loop):
                task.cancel()

        self._loop.call_soon_threadsafe(cancel)
        self.join(10)

    async def _serve(self) -> None:
        server = await asyncio.start_server(self._carry, sock=self._listening)
        async with server:
            await server.serve_forever()

    def _budget(self) -> int:
        """
        @return: after how many bytes, in both directions together, a connection breaks: in a
            head, in a frame, or later.
        """
        if self.cuts >= self._most:
            return 1 << 60
        return self._random.randrange(self._random.choice((300, 2_000, 20_000, 60_000))) + 1

    async def _carry(self, here: asyncio.StreamReader, back: asyncio.StreamWriter) -> None:
        try:
            there, forth = await asyncio.open_connection("127.0.0.1", self._target)
        except OSError:
            back.transport.abort()
            return
        left = [self._budget()]
        broken = asyncio.Event()
        pumps = [
            asyncio.create_task(self._pump(here, forth, left, broken)),
            asyncio.create_task(self._pump(there, back, left, broken)),
        ]
        await broken.wait()
        if left[0] <= 0:
            self.cuts += 1
            # What was sent last has half of the time to arrive.
            await asyncio.sleep(self._random.choice((0, 0.002)))
        for pump in pumps:
            pump.cancel()
        for writer in (back, forth):
            if left[0] <= 0:
                whole: socket.socket = writer.get_extra_info("socket")
                with contextlib.suppress(OSError):
                    whole.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            writer.transport.abort()

    async def _pump(
        self,
        source: asyncio.StreamReader,
        target: asyncio.StreamWriter,
        left: list[int],
        broken: asyncio.Event,
    ) -> None:
        with contextlib.suppress(OSError):
            while left[0] > 0 and (moved := await source.read(16384)):
                moved = moved[: left[0]]
                left[0] -= len(moved)
                target.write(moved)
                await target.drain()
        broken.set()


class BusyGuest(threading.Thread):
    """
    @ivar said, heard: SHA-256 of all that it has said and heard.
    @ivar said_length, heard_length: in bytes.
    @ivar seen: how much of it the viewer has seen; it does not run far ahead.
    @ivar enough: say no more.
    @cvar AHEAD: bytes.
    """

    AHEAD = 200_000

    def __init__(self, socat: socket.socket, seed: int) -> None:
        super().__init__(daemon=True)
        self._socat = socat
        self._random = Random(seed)
        self.said, self.heard = sha256(), sha256()
        self.said_length = self.heard_length = 0
        self.seen = 0
        self.enough = threading.Event()
        self.over = threading.Event()

    def stop(self) -> None:
        self.over.set()
        self.join(10)

    def run(self) -> None:
        self._socat.setblocking(False)
        unsent = b""
        while not self.over.is_set():
            talks = bool(unsent) or (
                not self.enough.is_set() and self.said_length - self.seen < self.AHEAD
            )
            readable, writable, _ = select.select(
                [self._socat], [self._socat] if talks else [], [], 0.005
            )
            if readable:
                heard = self._socat.recv(self._random.randrange(1, 8192))
                if not heard:
                    return
                self.heard.update(heard)
                self.heard_length += len(heard)
            if writable:
                if not unsent:
                    unsent = self._random.randbytes(self._random.randrange(1, 9000))
                    self.said.update(unsent)
                    self.said_length += len(unsent)
                unsent = unsent[self._socat.send(unsent) :]
