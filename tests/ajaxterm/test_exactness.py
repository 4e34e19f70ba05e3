"""
Whatever happens to viewers and their connections: each has seen what the guest has said, less
what it was told is gone, and all that it has typed was typed once and in order.
"""

from __future__ import annotations

import os
from random import Random

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    precondition,
    rule,
    run_state_machine_as_test,
)
from twisted.trial.unittest import SynchronousTestCase

from tests.ajaxterm.stage import Stage
from tests.ajaxterm.witnesses import (
    PlainWitness,
    PollWitness,
    SocketWitness,
    Witness,
    keys,
    typed_by,
)

RING = 5000
MOST = 8

chances = st.integers(min_value=0, max_value=MOST - 1)
lengths = st.one_of(st.integers(1, 40), st.integers(1000, 9000))


class Console(RuleBasedStateMachine):
    """
    A console with a small scrollback, and at most eight viewers.
    """

    def __init__(self) -> None:
        super().__init__()
        self.stage = Stage(size=RING)
        self.stage.grant("rw", lifetime=1e9)
        self.said = b""
        self.witnesses: list[Witness] = []

    def _of(self, kind: type, chance: int) -> list[Witness]:
        """
        @return: one of a kind, or none.
        """
        those = [witness for witness in self.witnesses if isinstance(witness, kind)]
        return [those[chance % len(those)]] if those else []

    # The guest.

    @rule(output=st.binary(min_size=1, max_size=50))
    def says(self, output: bytes) -> None:
        self.said += output
        self.stage.output(output)

    @rule(length=lengths, parts=st.integers(1, 5))
    def says_much(self, length: int, parts: int) -> None:
        for _ in range(parts):
            first = len(self.said)
            output = bytes(n * 7 % 251 for n in range(first, first + length))
            self.said += output
            self.stage.session.output(output)
        self.stage.clock.flush()

    @rule(held=st.booleans())
    def takes_input(self, held: bool) -> None:
        self.stage.session.hold_input(held)
        self.stage.clock.flush()

    @rule(seconds=st.sampled_from([0.01, 0.1, 1, 12, 70]))
    def time_passes(self, seconds: float) -> None:
        self.stage.clock.pass_time(seconds, step=max(0.01, seconds / 10))

    # The viewers.

    @precondition(lambda self: len(self.witnesses) < MOST)
    @rule(kind=st.sampled_from(["socket", "plain", "poll"]), replay=st.integers(0, 2 * RING))
    def comes(self, kind: str, replay: int) -> None:
        number = len(self.witnesses)
        if kind == "socket":
            self.witnesses.append(SocketWitness(self.stage, number))
        elif kind == "plain":
            self.witnesses.append(PlainWitness(self.stage, number, replay))
        else:
            self.witnesses.append(PollWitness(self.stage, number))

    @rule(chance=chances, stalled=st.booleans())
    def stalls(self, chance: int, stalled: bool) -> None:
        for witness in self._of((SocketWitness, PlainWitness), chance):  # type: ignore[arg-type]
            witness.stall(stalled)  # type: ignore[attr-defined]

    @rule(chance=chances)
    def disconnects(self, chance: int) -> None:
        for witness in self._of(SocketWitness, chance):
            witness.disconnect()  # type: ignore[attr-defined]

    @rule(chance=chances)
    def comes_back(self, chance: int) -> None:
        for witness in self._of(SocketWitness, chance):
            witness.disconnect()  # type: ignore[attr-defined]
            witness.connect()  # type: ignore[attr-defined]

    @rule(chance=chances, length=lengths)
    def types(self, chance: int, length: int) -> None:
        for witness in self.witnesses[chance : chance + 1]:
            witness.type(length)  # type: ignore[attr-defined]

    @rule(chance=chances, how=st.sampled_from(["poll", "lose", "cut", "hear"]))
    def polls(self, chance: int, how: str) -> None:
        for witness in self._of(PollWitness, chance):
            getattr(witness, how)()

    @rule(chance=chances, back=st.integers(0, 100))
    def sends_again(self, chance: int, back: int) -> None:
        for witness in self._of(PollWitness, chance):
            witness.ask(back)  # type: ignore[attr-defined]

    # The end.

    def teardown(self) -> None:
        self.stage.session.hold_input(False)
        for witness in self.witnesses:
            witness.catch_up()
        # Again, since one that comes back can be another one's news.
        for witness in self.witnesses:
            witness.catch_up()
        for witness in self.witnesses:
            witness.check(self.said)
            wanted = keys(witness.number, 0, witness.length)
            got = typed_by(witness.number, self.stage.line.typed)
            assert got == wanted, (witness.number, len(got), len(wanted))
            if len(self.said) <= RING:
                assert witness.gone == 0


class CharactersTests(SynchronousTestCase):
    def test_characters_that_are_cut(self) -> None:
        """
        2 MiB of characters of one byte to four, cut anywhere, are exact at a client of C{binary}
        that decodes each frame by itself, also where there is a pause in a character.
        """
        random = Random(11)
        kinds = ((0x20, 0x7F), (0xA0, 0x800), (0x800, 0xD800), (0x10000, 0x110000))
        text = "".join(chr(random.randrange(*random.choice(kinds))) for _ in range(900_000))
        said = text.encode()
        stage = Stage(size=1 << 17)
        stage.grant("rw")
        client = stage.plain("rw", room=1 << 20)  # a frame is not cut on its way

        at = 0
        while at < len(said):
            length = random.choice((1, 2, 3, random.randrange(20_000)))
            stage.session.output(said[at : at + length])
            at += length
            if random.random() < 0.5:
                stage.clock.pass_time(0.01, step=0.01)
        stage.clock.pass_time(0.1, step=0.02)

        self.assertGreater(len(said), 2 << 20)
        self.assertIsNone(client.closed)
        self.assertEqual("".join(frame.decode("utf-8") for frame in client.frames), text)


class ExactnessTests(SynchronousTestCase):
    def test_nothing_is_lost_or_repeated(self) -> None:
        """
        Random outputs, viewers of all kinds, stalls, broken connections, answers that are lost
        and questions that are repeated.  For more of it, set C{EXACTNESS_EXAMPLES}.
        """
        examples = int(os.environ.get("EXACTNESS_EXAMPLES", "20"))
        run_state_machine_as_test(
            Console,
            settings=settings(
                max_examples=examples, stateful_step_count=40, deadline=None, database=None
            ),
        )
