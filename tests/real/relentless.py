"""
Viewers that go on whatever breaks, as the page does: by WebSocket, and by long-poll.
"""

from __future__ import annotations

import http.client
import json
import logging
import threading
import time
from hashlib import sha256
from random import Random
from typing import Any

from websockets.exceptions import ConnectionClosed, WebSocketException
from websockets.sync.client import ClientConnection, connect

from tests.real.cutting import BusyGuest

WINDOW = 64 * 1024

# It logs a traceback for each connection that breaks.
logging.getLogger("websockets").setLevel(logging.CRITICAL + 1)


class Relentless:
    """
    @ivar seen: SHA-256 of all output.
    @ivar offset: the number of the next byte that it wants.
    @ivar typed: SHA-256 of all input.
    @ivar length: how much of that there is; C{counted}: how much is counted.
    """

    def __init__(self, port: int, guest: BusyGuest, seed: int) -> None:
        self.port = port
        self.guest = guest
        self.random = Random(seed)
        self.seen, self.typed = sha256(), sha256()
        self.offset: int | None = None
        self.resume: str | None = None
        self.length = self.counted = 0
        self.outbox = b""
        self.connections = 0

    def more(self) -> None:
        """
        Type something, if little is on its way, and the guest still talks.
        """
        if len(self.outbox) < WINDOW and not self.guest.enough.is_set():
            keys = self.random.randbytes(self.random.randrange(1, 3000))
            self.typed.update(keys)
            self.length += len(keys)
            self.outbox += keys

    def see(self, output: bytes) -> None:
        assert self.offset is not None
        self.seen.update(output)
        self.offset += len(output)
        self.guest.seen = self.offset

    def count(self, counted: int) -> None:
        assert self.counted <= counted <= self.length, (self.counted, counted, self.length)
        self.outbox = self.outbox[counted - self.counted :]
        self.counted = counted

    def hear(self, event: dict[str, Any]) -> None:
        name = event["event"]
        if name == "hello":
            assert self.offset in (None, event["offset"]), (self.offset, event["offset"])
            assert self.resume in (None, event["resume"]), "the seat was lost"
            self.resume, self.offset = event["resume"], event["offset"]
            self.count(event["input"])
        elif name == "counted":
            assert "dropped" not in event
            self.count(event["input"])
        elif name in ("gap", "refused", "end"):
            raise AssertionError(str(event))

    def is_done(self) -> bool:
        return (
            self.guest.enough.is_set()
            and self.offset == self.guest.said_length
            and self.counted == self.length
        )

    def run(self, patience: float) -> None:
        """
        @raise AssertionError: it was never done.
        """
        raise NotImplementedError


class BySocket(Relentless):
    def run(self, patience: float) -> None:
        deadline = time.monotonic() + patience
        while not self.is_done():
            assert time.monotonic() < deadline, "never done"
            try:
                with connect(
                    f"ws://127.0.0.1:{self.port}/ws",
                    additional_headers={"Authorization": "Bearer s"},
                    subprotocols=["ajaxterm.v1"],  # type: ignore[list-item]
                    compression=None,
                    ping_interval=None,
                    close_timeout=0.1,
                    max_size=None,
                    proxy=None,
                ) as socket:
                    self.connections += 1
                    self._use(socket, deadline)
            except (OSError, EOFError, WebSocketException, TimeoutError):
                continue

    def _use(self, socket: ClientConnection, deadline: float) -> None:
        wanted = {"do": "attach", "resume": self.resume, "offset": self.offset}
        socket.send(json.dumps(wanted))
        sent, greeted = 0, False
        while not self.is_done() and time.monotonic() < deadline:
            if greeted:
                self.more()
                unsent = self.outbox[sent - self.counted :]
                if unsent:
                    keys = unsent[: self.random.randrange(1, 5000)]
                    sent += len(keys)
                    # Of what was sent before the connection broke, nothing is known here.
                    socket.send(keys)
            try:
                message = socket.recv(timeout=0.002)
            except TimeoutError:
                continue
            except ConnectionClosed:
                return
            if isinstance(message, bytes):
                self.see(message)
            else:
                event = json.loads(message)
                self.hear(event)
                if event["event"] == "hello":
                    greeted, sent = True, self.counted


class ByPolls(Relentless):
    """
    @ivar failure: of the thread that types.
    """

    seq = 0
    failure: BaseException | None = None

    def run(self, patience: float) -> None:
        self._deadline = time.monotonic() + patience
        typing = threading.Thread(target=self._type, daemon=True)
        typing.start()
        line = _Line(self)
        while not self.is_done() and self.failure is None:
            assert time.monotonic() < self._deadline, "never done"
            wanted = {
                "do": "attach",
                "resume": self.resume,
                "offset": self.offset,
                "seen": self.seq,
                "wait": 0.2,
            }
            answer = line.ask("poll", json.dumps(wanted).encode(), {})
            if answer is None:
                continue
            status, body = answer
            if status == 409:
                assert json.loads(body)["reason"] == "gone", body
                self.seq = 0
                continue
            assert status == 200, (status, body)
            self._take(body)
        typing.join(10)
        if self.failure is not None:
            raise self.failure

    def _take(self, body: bytes) -> None:
        while body:
            length = int.from_bytes(body[1:5], "big")
            kind, payload, body = body[:1], body[5 : 5 + length], body[5 + length :]
            if kind == b"b":
                self.see(payload)
                continue
            event = json.loads(payload)
            assert event["n"] > self.seq
            self.seq = event["n"]
            if event["event"] == "hello" and self.resume is not None:
                event["input"] = max(event["input"], self.counted)  # it is the typist's to count
                self.resume = event["resume"]
                assert event["offset"] == self.offset
            else:
                self.hear(event)

    def _type(self) -> None:
        try:
            self._type_on()
        except BaseException as error:
            self.failure = error

    def _type_on(self) -> None:
        line = _Line(self)
        while not (self.guest.enough.is_set() and not self.outbox):
            assert time.monotonic() < self._deadline, "never typed"
            self.more()
            if self.resume is None:
                time.sleep(0.01)
                continue
            keys = self.outbox[: self.random.randrange(1, 5000)]
            answer = line.ask(
                "input",
                keys,
                {"X-Ajaxterm-Resume": self.resume, "X-Ajaxterm-At": str(self.counted)},
            )
            if answer is None:
                continue
            status, body = answer
            said = json.loads(body)
            if status == 409 and "reason" in said:
                assert said["reason"] == "gone", said
                time.sleep(0.01)
                continue
            assert status == 200, (status, body)
            self.count(said["input"])


class _Line:
    """
    A connection for questions, another one when it is broken.
    """

    def __init__(self, viewer: Relentless) -> None:
        self._viewer = viewer
        self._http: http.client.HTTPConnection | None = None

    def ask(self, path: str, body: bytes, headers: dict[str, str]) -> tuple[int, bytes] | None:
        """
        @return: status and body; C{None} if the connection broke.
        """
        try:
            if self._http is None:
                self._http = http.client.HTTPConnection("127.0.0.1", self._viewer.port, timeout=30)
                self._viewer.connections += 1
            said = {"Authorization": "Bearer s", **headers}
            self._http.request("POST", f"/{path}", body, said)
            answer = self._http.getresponse()
            return answer.status, answer.read()
        except (OSError, http.client.HTTPException):
            if self._http is not None:
                self._http.close()
            self._http = None
            return None
