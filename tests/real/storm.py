"""
What strangers may throw at a proxy, from one process, until it is told to stop.

    python -m tests.real.storm KIND PORT [TOKEN]

It says what it did in a line of JSON, C{{"done": N, "answers": {status: N}}}, when a line comes on
its standard input.

C{half-open}: 10,000 connections on which nothing is said.  C{loris}: 500 whose requests come a
byte at a time.  C{tokens}: 10,000 wrong tokens a second.  C{heads}, C{bodies}, C{frames}: such as
never end, again and again; frames behind a valid C{TOKEN}.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import os
import re
import sys
from collections import Counter
from secrets import token_urlsafe

# It has a line for each write to a connection that the proxy has cut.
logging.getLogger("asyncio").setLevel(logging.CRITICAL)

HALF_OPEN = 10_000
SLOW = 500
AT_ONCE = 200
MUCH = b"x" * 65536
RATE = 10_000
PIECE = 8
"""Wrong tokens a second, and in one write."""


class Storm:
    """
    @ivar done: connections, requests or megabytes, whatever it counts.
    """

    def __init__(self, port: int, token: str) -> None:
        self._port = port
        self._token = token
        self.done = 0
        self.answers: Counter[str] = Counter()

    async def _dial(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        return await asyncio.open_connection("127.0.0.1", self._port, limit=1 << 20)

    async def half_open(self) -> None:
        writers = []
        while len(writers) < HALF_OPEN:
            dialled = await asyncio.gather(*(self._dial() for _ in range(200)))
            writers += [writer for _, writer in dialled]
            self.done = len(writers)
        await asyncio.sleep(3600)

    async def loris(self) -> None:
        async def drip() -> None:
            while True:
                with contextlib.suppress(OSError):
                    _, writer = await self._dial()
                    self.done += 1
                    for byte in b"GET / HTTP/1.1\r\n" + b"X-Slow: y\r\n" * 100_000:
                        writer.write(bytes([byte]))
                        await writer.drain()
                        await asyncio.sleep(0.5)

        await asyncio.gather(*(drip() for _ in range(SLOW)))

    async def tokens(self) -> None:
        async def guess() -> None:
            while True:
                with contextlib.suppress(OSError, asyncio.IncompleteReadError):
                    reader, writer = await self._dial()
                    listening = asyncio.create_task(self._count(reader))
                    try:
                        while not listening.done():
                            for _ in range(PIECE):
                                target = f"/?token={token_urlsafe(32)}"
                                words = f"GET {target} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"
                                writer.write(words.encode())
                            self.done += PIECE
                            await writer.drain()
                            await asyncio.sleep(PIECE * AT_ONCE / RATE)
                    finally:
                        listening.cancel()
                        writer.close()

        await asyncio.gather(*(guess() for _ in range(AT_ONCE)))

    async def heads(self) -> None:
        await self._pour(b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nX-Long: ")

    async def bodies(self) -> None:
        head = b"POST /console/g0000000000000000/input HTTP/1.1\r\nHost: 127.0.0.1\r\n"
        await asyncio.gather(
            self._pour(head + b"Content-Length: 1073741824\r\n\r\n"),
            self._pour(head + b"Transfer-Encoding: chunked\r\n\r\n40000000\r\n"),
        )

    async def frames(self) -> None:
        frame = b"\x82\xff" + (1 << 30).to_bytes(8, "big") + b"mask"
        await self._pour(
            f"GET /?token={self._token} HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\n"
            "Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
            "Sec-WebSocket-Key: MDEyMzQ1Njc4OWFiY2RlZg==\r\n\r\n".encode(),
            frame,
        )

    async def _pour(self, head: bytes, behind: bytes = b"") -> None:
        """
        Say C{head} and then anything, up to 1 GiB, as long as the other side bears it; and again.
        """

        async def pour() -> None:
            while True:
                with contextlib.suppress(OSError, asyncio.IncompleteReadError):
                    reader, writer = await self._dial()
                    try:
                        writer.write(head)
                        if behind:
                            await reader.readuntil(b"\r\n\r\n")
                            writer.write(behind)
                        for _ in range((1 << 30) // len(MUCH)):
                            writer.write(MUCH)
                            await asyncio.wait_for(writer.drain(), 2)
                            if reader.at_eof():
                                break
                    finally:
                        self.done += 1
                        writer.close()
                await asyncio.sleep(0.05)

        await asyncio.gather(*(pour() for _ in range(4)))

    async def _count(self, reader: asyncio.StreamReader) -> None:
        while words := await reader.read(1 << 16):
            for status in re.findall(rb"HTTP/1\.1 ([0-9]{3})", words):
                self.answers[status.decode()] += 1


async def run(kind: str, port: str, token: str = "") -> None:
    # Strangers have machines of their own; here they take what the others leave.
    os.nice(19)
    storm = Storm(int(port), token)
    raging = asyncio.create_task(getattr(storm, kind.replace("-", "_"))())
    reading = asyncio.get_running_loop().run_in_executor(None, sys.stdin.readline)
    await asyncio.wait([raging, reading], return_when=asyncio.FIRST_COMPLETED)
    failed = raging.exception() if raging.done() else None
    words = {"done": storm.done, "answers": storm.answers, "failed": failed and repr(failed)}
    sys.stdout.write(json.dumps(words) + "\n")
    sys.stdout.flush()
    raging.cancel()
    await asyncio.gather(raging, return_exceptions=True)


if __name__ == "__main__":
    asyncio.run(run(*sys.argv[1:]))
