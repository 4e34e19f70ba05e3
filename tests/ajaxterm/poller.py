"""
A viewer that polls, in memory.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from tests.ajaxterm.stage import Stage
from tests.websocket import Answer, Asking


def records(body: bytes) -> Iterator[tuple[bytes, bytes]]:
    """
    @return: kind and payload of each record.
    """
    while body:
        length = int.from_bytes(body[1:5], "big")
        yield body[:1], body[5 : 5 + length]
        body = body[5 + length :]


class Poller:
    """
    What a page without a WebSocket does.

    @ivar offset: of the next byte it wants.
    @ivar pieces: the output, each part with its offset.
    @ivar seen: the number of the last event it has had.
    @ivar counted: how many bytes of its input the server has taken, as far as it knows.
    """

    def __init__(self, stage: Stage, secret: str) -> None:
        self._stage = stage
        self._secret = secret
        self.resume: str | None = None
        self.offset: int | None = None
        self.seen = 0
        self.counted = 0
        self.output = b""
        self.pieces: list[tuple[int, bytes]] = []
        self.missed = 0
        self.events: list[dict[str, Any]] = []

    def begin(self, wait: float = 25.0) -> Asking:
        """
        Ask what is new.
        """
        said = {
            "resume": self.resume,
            "offset": self.offset,
            "seen": self.seen,
            "wait": wait,
        }
        return self.post("poll", json.dumps(said).encode())

    def take(self, asking: Asking) -> Answer:
        """
        Take what was answered.
        """
        answer = asking.answer
        assert answer is not None, "no answer came"
        if answer.status == 200:
            for kind, payload in records(answer.body):
                if kind == b"b":
                    self.output += payload
                    assert self.offset is not None
                    self.pieces.append((self.offset, payload))
                    self.offset += len(payload)
                else:
                    self._hear(json.loads(payload))
        return answer

    def poll(self, wait: float = 0.0) -> Answer:
        """
        Ask what is new, and take it.
        """
        asking = self.begin(wait)
        self._stage.clock.flush()
        return self.take(asking)

    def type(self, keys: bytes, at: int | None = None) -> Asking:
        at = self.counted if at is None else at
        return self.post("input", keys, **{"X-Ajaxterm-At": str(at)})

    def say(self, words: dict[str, Any]) -> int:
        """
        @return: the status.
        """
        asking = self.post("say", json.dumps(words).encode())
        assert asking.answer is not None
        return asking.answer.status

    def post(self, path: str, body: bytes, **headers: str) -> Asking:
        said = {"Authorization": f"Bearer {self._secret}", **headers}
        if self.resume is not None:
            said["X-Ajaxterm-Resume"] = self.resume
        return self._stage.wire.begin_to_ask("POST", f"/{path}", said, body)

    def names(self) -> list[str]:
        return [event["event"] for event in self.events]

    def _hear(self, event: dict[str, Any]) -> None:
        self.events.append(event)
        self.seen = event.pop("n")
        if event["event"] == "hello":
            self.resume, self.counted = event["resume"], event["input"]
            self.offset = event["offset"]
        elif event["event"] == "gap":
            self.missed += event["missed"]
            self.offset = event["offset"]
        elif event["event"] == "counted":
            self.counted = event["input"]
