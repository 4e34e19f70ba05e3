"""
Viewers that come, go and come back at random, on a guest that talks at random.
"""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from tests.ajaxterm.stage import Stage
from tests.websocket import SocketClient

SIZE = 4096
PEOPLE = 3


def pattern(start: int, length: int) -> bytes:
    """
    @return: what the guest says at an offset; hardly two places are alike.
    """
    return bytes((number * 7 + number // 251) % 256 for number in range(start, start + length))


class Person:
    """
    Somebody in front of a page, with the page's memory.

    @ivar offset: of the next byte wanted.
    @ivar typed: how many keys were pressed.
    """

    def __init__(self, stage: Stage, key: bytes) -> None:
        self._stage = stage
        self._client: SocketClient | None = None
        self._resume: str | None = None
        self._shown = 0
        self._told = 0
        self._slow = False
        self.key = key
        self.offset: int | None = None
        self.typed = 0

    def come(self, said: int) -> None:
        """
        Connect, whether or not an older connection is still there.
        """
        self._client = self._stage.attached("s", self._resume, self.offset)
        hello = self._client.event("hello")
        assert hello["resumed"] == (self._resume is not None)
        # As the page does: what was not counted is sent again.
        assert hello["input"] <= self.typed
        if self.typed > hello["input"]:
            self._client.send(self.key * (self.typed - hello["input"]))
        if self.offset is not None:
            assert hello["offset"] == max(self.offset, said - SIZE), hello
        self._resume, self.offset = hello["resume"], hello["offset"]
        self._shown = self._told = 0
        self._slow = False

    def come_or_go(self, said: int) -> None:
        if self._client is None:
            self.come(said)
        else:
            self._client.transport.abortConnection()
            self._client = None

    def dawdle_or_hurry(self) -> None:
        if self._client is not None:
            self._slow = not self._slow
            if self._slow:
                self._client.transport.pauseProducing()
            else:
                self._client.transport.resumeProducing()

    def type(self, length: int) -> None:
        if self._client is not None:
            self._client.send(self.key * length)
            self.typed += length

    def look(self) -> None:
        """
        Compare what is new on the screen with what the guest said there.
        """
        if self._client is None or self.offset is None:
            return
        assert self._client.closed is None
        for event in self._client.events[self._told :]:
            if event["event"] == "gap":
                self._check(event["offset"] - event["missed"] - self.offset)
                self.offset = event["offset"]
        self._told = len(self._client.events)
        self._check(len(self._client.output) - self._shown)

    def _check(self, length: int) -> None:
        assert self._client is not None and self.offset is not None
        shown = self._client.output[self._shown : self._shown + length]
        assert len(shown) == length
        assert shown == pattern(self.offset, length)
        self._shown += length
        self.offset += length


ACTIONS = [
    *("speak", "speak", "speak", "burst", "type", "type"),
    *("come_or_go", "come_or_go", "come_again", "dawdle_or_hurry", "wait", "hold_or_release"),
]
STORIES = st.lists(
    st.tuples(st.sampled_from(ACTIONS), st.integers(0, PEOPLE - 1), st.integers(1, 600)),
    min_size=80,
    max_size=120,
)


class LivesTests(SynchronousTestCase):
    @settings(max_examples=40, derandomize=True, deadline=None, database=None)
    @given(STORIES)
    def test_viewers_see_what_was_said_and_type_once(
        self, story: list[tuple[str, int, int]]
    ) -> None:
        """
        Whatever happens, a viewer sees exactly what was said from its offset on, but for what
        it was told is gone; and what it typed arrives, once.
        """
        stage, said, held = Stage(size=SIZE), 0, False
        stage.grant("s")
        people = [Person(stage, bytes([65 + number])) for number in range(PEOPLE)]

        for action, who, number in story:
            person = people[who]
            if action in ("speak", "burst"):
                length = number * (1 if action == "speak" else 20)
                stage.session.output(pattern(said, length))
                said += length
            elif action == "type":
                person.type(number)
            elif action == "come_or_go":
                person.come_or_go(said)
            elif action == "come_again":
                person.come(said)
            elif action == "dawdle_or_hurry":
                person.dawdle_or_hurry()
            elif action == "hold_or_release":
                held = not held
                stage.session.hold_input(held)
            else:
                stage.clock.advance(0.2)
            stage.clock.flush()
            for each in people:
                each.look()

        for each in people:
            each.come(said)
        stage.session.hold_input(False)
        stage.clock.flush()
        for each in people:
            each.look()
            assert each.offset == said
            assert stage.line.typed.count(each.key) == each.typed
