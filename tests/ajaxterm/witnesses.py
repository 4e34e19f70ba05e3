"""
Viewers of every kind that write down what they see and type, so that it can be compared
with what the guest has said and heard.

Each types bytes that are its own and in an order: the C{n}th byte of viewer C{k} is
C{32 * k + n % 31}, C{k} from 0 to 7.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from ajaxterm.frames import V1
from tests.ajaxterm.poller import Poller
from tests.ajaxterm.stage import Stage
from tests.websocket import Asking, SocketClient


def keys(viewer: int, first: int, length: int) -> bytes:
    """
    @return: what viewer C{viewer} types, from its byte C{first} on.
    """
    return bytes(32 * viewer + n % 31 for n in range(first, first + length))


def typed_by(viewer: int, typed: bytes) -> bytes:
    """
    @return: what of C{typed} is of C{viewer}.
    """
    return bytes(byte for byte in typed if byte // 32 == viewer)


class Witness:
    """
    One viewer.

    @ivar length: how many bytes it has typed.
    @ivar gone: of the output, as it was told.
    """

    def __init__(self, stage: Stage, number: int) -> None:
        self.stage = stage
        self.number = number
        self.length = 0
        self.gone = 0

    def catch_up(self) -> None:
        """
        Do what is needed to have seen, and typed, everything.
        """

    def check(self, said: bytes) -> None:
        """
        @param said: all that the guest has said.
        @raise AssertionError: what it saw is not that, less what it was told is gone.
        """


class SocketWitness(Witness):
    """
    A viewer by C{ajaxterm.v1}.
    """

    client: _Ordered

    def __init__(self, stage: Stage, number: int) -> None:
        super().__init__(stage, number)
        self.resume: str | None = None
        self.offset: int | None = None
        self.pieces: list[tuple[int, bytes]] = []
        self.counted = 0
        self.sent = 0
        self.connect()

    def connect(self) -> None:
        """
        As a page does, also after its connection broke.
        """
        self.client = _Ordered(self._hear, self._see)
        self.client.attach_first = {"resume": self.resume, "offset": self.offset}
        self.stage.wire.connect(self.client, room=2000)

    def disconnect(self) -> None:
        self.client.forget()
        if not self.client.lost:
            self.client.transport.abortConnection()
            self.stage.clock.flush()

    def stall(self, stalled: bool) -> None:
        if not self.client.lost:
            if stalled:
                self.client.transport.pauseProducing()
            else:
                self.client.transport.resumeProducing()
            self.stage.clock.flush()

    def type(self, length: int) -> None:
        self.length += length
        self._send()

    def catch_up(self) -> None:
        if self.client.lost or self.client.closed is not None:
            self.disconnect()
            self.connect()
        self.stall(False)
        self.stage.clock.pass_time(0.5, step=0.1)

    def check(self, said: bytes) -> None:
        check_pieces(self.pieces, said)
        assert self.offset == len(said), (self.offset, len(said))
        assert self.counted == self.length, (self.counted, self.length)

    def _send(self) -> None:
        if self.resume is not None and not self.client.lost and self.sent < self.length:
            rest = keys(self.number, self.sent, self.length - self.sent)
            self.sent = self.length
            self.stage.send(self.client, rest)

    def _see(self, output: bytes) -> None:
        assert self.offset is not None
        self.pieces.append((self.offset, output))
        self.offset += len(output)

    def _hear(self, event: dict[str, Any]) -> None:
        if event["event"] == "hello":
            assert self.resume is None or event["resumed"]
            self.gone += event["offset"] - (self.offset or 0)
            self.resume, self.offset = event["resume"], event["offset"]
            assert self.counted <= event["input"] <= self.length
            self.counted = self.sent = event["input"]
            # Not in the middle of what is heard.
            self.stage.clock.callLater(0, self._send)
        elif event["event"] == "gap":
            assert self.offset is not None
            assert event["offset"] == self.offset + event["missed"]
            self.gone += event["missed"]
            self.offset = event["offset"]
        elif event["event"] == "counted":
            assert "dropped" not in event
            self.counted = event["input"]


class _Ordered(SocketClient):
    """
    Tells what comes in the order in which it comes.
    """

    attach_first: dict[str, Any]

    def __init__(self, heard: Callable[[Any], None], saw: Callable[[Any], None]) -> None:
        super().__init__("/ws", {"Authorization": "Bearer rw"}, [V1])
        self.events, self.frames = _Told(heard), _Told(saw)

    def forget(self) -> None:
        """
        What comes from now on is lost.
        """
        self.events, self.frames = [], []

    def dataReceived(self, data: bytes) -> None:
        was_accepted = self.accepted is not None
        super().dataReceived(data)
        if self.accepted is not None and not was_accepted:
            self.send({"do": "attach", **self.attach_first})


class _Told(list[Any]):
    """
    A list that tells of what it gets.
    """

    def __init__(self, told: Callable[[Any], None]) -> None:
        super().__init__()
        self._told = told

    def append(self, item: Any) -> None:
        self._told(item)


class PlainWitness(Witness):
    """
    A viewer by C{binary}.  It can't come back.
    """

    def __init__(self, stage: Stage, number: int, replay: int) -> None:
        super().__init__(stage, number)
        scrollback = stage.session.scrollback
        self.begin = max(scrollback.start, scrollback.end - replay)
        self.client = stage.plain("rw", f"/ws?replay={replay}", room=2000)
        self.stalled = False

    def stall(self, stalled: bool) -> None:
        self.stalled = self.stalled or stalled
        if not self.client.lost:
            if stalled:
                self.client.transport.pauseProducing()
            else:
                self.client.transport.resumeProducing()
            self.stage.clock.flush()

    def type(self, length: int) -> None:
        if self.client.closed is None and not self.client.lost:
            self.stage.send(self.client, keys(self.number, self.length, length))
            self.length += length

    def catch_up(self) -> None:
        self.stall(False)
        self.stage.clock.pass_time(0.5, step=0.1)

    def check(self, said: bytes) -> None:
        expected = said[self.begin :]
        if self.client.closed is None and not self.client.lost:
            assert self.client.output == expected
        else:
            # Who reads nothing for a minute can't be told why it is cut.
            assert self.client.closed == 4008 or self.stalled, self.client.closed
            assert expected.startswith(self.client.output)


class PollWitness(Witness):
    """
    A viewer by long-poll.
    """

    def __init__(self, stage: Stage, number: int) -> None:
        super().__init__(stage, number)
        self.poller = Poller(stage, "rw")
        self._begun: Asking | None = None
        self._typing: Asking | None = None
        self.poll()

    def poll(self) -> None:
        """
        Ask, and take the answer.
        """
        answer = self.poller.poll()
        if answer.status == 409:
            self.poller.seen = 0
            self.poller.poll()

    def lose(self) -> None:
        """
        Ask, and lose the answer.
        """
        if self.poller.resume is not None:
            self._begun = self.poller.begin(1.0)

    def cut(self) -> None:
        """
        The connections of all that was asked break.
        """
        for asking in (self._begun, self._typing):
            if asking is not None:
                asking.transport.abortConnection()
        self._begun = self._typing = None
        self.stage.clock.flush()

    def type(self, length: int) -> None:
        self.length += length
        self.ask()

    def ask(self, back: int = 0) -> None:
        """
        Send what is not known to be counted.

        @param back: and so many bytes before that.
        """
        first = max(0, self.poller.counted - back)
        rest = keys(self.number, first, self.length - first)
        self._typing = self.poller.type(rest, first)
        self.stage.clock.flush()

    def hear(self) -> None:
        """
        Take what C{ask} was answered.
        """
        if self._typing is not None and self._typing.answer is not None:
            answer, self._typing = self._typing.answer, None
            if answer.status == 409 and b"gone" in answer.body:
                self.poll()
            else:
                assert answer.status in (200, 409), answer
                self.poller.counted = json.loads(answer.body)["input"]

    def catch_up(self) -> None:
        for _ in range(50):
            self.poll()
            self.ask()
            self.stage.clock.pass_time(0.2, step=0.1)
            self.hear()
        self.poll()

    def check(self, said: bytes) -> None:
        check_pieces(self.poller.pieces, said)
        assert self.poller.offset == len(said), (self.poller.offset, len(said))
        assert self.poller.counted == self.length


def check_pieces(pieces: list[tuple[int, bytes]], said: bytes) -> None:
    """
    Each is what the guest has said there, and none comes twice.
    """
    end = 0
    for offset, piece in pieces:
        assert offset >= end, (offset, end)
        end = offset + len(piece)
        assert piece == said[offset:end], (offset, piece, said[offset:end])
