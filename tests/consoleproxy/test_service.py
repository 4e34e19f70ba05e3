"""
Tests for L{consoleproxy.service}: the proxy on the bus.
"""

from __future__ import annotations

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from consolebus.ibus import BadArguments, Context
from consolebus.memory import MemoryBroker, MemoryBus
from consoleproxy.grants import digest_of
from consoleproxy.leaving import Leaving
from consoleproxy.readiness import Readiness
from consoleproxy.service import ProxyService, grant_from
from tests.consoleproxy.stage import HOST, NAME, PORT, SECRET, TOKEN, Stage, some_grant

WORDS: dict[str, Any] = {
    "grant": NAME,
    "console": "c0ffee",
    "digest": digest_of(TOKEN),
    "host": HOST,
    "port": PORT,
    "secret": SECRET,
    "mode": "rw",
    "user": "ann",
    "expires_in": 600.0,
}

BAD: dict[str, list[Any]] = {
    "grant": [None, 1, "", "g", "G" + "0" * 16, NAME + "\n", "x" * 5000],
    "console": [None, 7, "x" * 256],
    "digest": [None, "", "0" * 63, "0" * 63 + "G", "A" * 64],
    "host": [
        *(None, "", "localhost", "1.2.3", "evil.example", "127.0.0.1\r\nX: y"),
        *("fe80::1%x\r\nX: y", "fe80::1%eth0\n", "fe80::1%ö"),
    ],
    "port": [None, 0, -1, 65536, "80", 80.5, True, [80]],
    "secret": [None, "", "short", "x" * 101, "with space " * 3, "x\r\nY: z" * 4],
    "user": [None, 3, "x" * 256],
    "expires_in": [None, True, "600", 0, -1, 1e10, float("nan"), float("inf"), [600]],
}


class ReadingTests(SynchronousTestCase):
    """
    What comes over the bus is read once, at the door.
    """

    def test_grant(self) -> None:
        """
        A good one becomes a grant; words that a newer agent adds do not matter.
        """
        self.assertEqual(grant_from(dict(WORDS, newer="word")), some_grant())

    def test_bad_words(self) -> None:
        """
        Each word that does not fit is refused in a sentence that does not repeat it.
        """
        for name, values in BAD.items():
            for value in values:
                refused = self.assertRaises(BadArguments, grant_from, dict(WORDS, **{name: value}))
                self.assertTrue(refused.message.startswith(f"{name} is"), (name, value))

    def test_missing_words(self) -> None:
        """
        So is each that is missing.
        """
        for name in BAD:
            words = {k: v for k, v in WORDS.items() if k != name}
            self.assertRaises(BadArguments, grant_from, words)

    @given(
        st.dictionaries(
            st.sampled_from(sorted(WORDS)),
            st.none()
            | st.booleans()
            | st.integers()
            | st.floats()
            | st.text(max_size=70)
            | st.lists(st.none(), max_size=2),
        )
    )
    @settings(derandomize=True, max_examples=200, database=None, deadline=None)
    def test_anything(self, words: dict[str, Any]) -> None:
        """
        Whatever else comes, it is a grant or refused; nothing breaks.
        """
        try:
            grant_from({**WORDS, **words})
        except BadArguments:
            pass


class ServiceTests(SynchronousTestCase):
    """
    A proxy on a bus learns what agents tell.
    """

    def setUp(self) -> None:
        self.stage = Stage()
        clock = self.stage.clock
        broker = MemoryBroker(clock)
        self.announced = 0
        self.agent = MemoryBus(broker, clock)
        self.agent.listen("compute", {"announce": self.announce})
        self.agent.start()
        self.readiness = Readiness(clock, lambda: self.stage.resource.leaving)
        self.service = ProxyService(
            clock,
            MemoryBus(broker, clock),
            self.stage.grants,
            self.stage.relay,
            self.stage.resource,
            self.readiness,
            Leaving(clock, self.stage.resource),
        )
        self.settle()
        self.service.startService()
        self.settle()

    def announce(self, context: Context) -> None:
        self.announced += 1

    def settle(self) -> None:
        for _ in range(10):
            self.stage.clock.advance(0)

    def tell(self, method: str, **words: Any) -> None:
        self.agent.fanout("consoleproxy", method, words)
        self.settle()

    def test_asks_for_what_it_missed(self) -> None:
        """
        A proxy that starts asks every agent to say its grants again.
        """
        self.assertEqual(self.announced, 1)

    def test_authorized(self) -> None:
        """
        A grant that an agent tells of can be used.
        """
        self.tell("authorize_console", **WORDS)

        self.assertEqual(self.stage.grants.find(NAME), some_grant())

    def test_revoked(self) -> None:
        """
        Until an agent revokes it.
        """
        self.tell("authorize_console", **WORDS)
        self.tell("revoke_grant", grant=NAME)

        self.assertIsNone(self.stage.grants.find(NAME))

    def test_bad_words_change_nothing(self) -> None:
        """
        What makes no sense is refused, and the next message is heard.
        """
        for grant in (None, 1, ["g"], "", "x" * 100):
            self.tell("revoke_grant", grant=grant)
        self.tell("authorize_console", **dict(WORDS, port=True))
        self.tell("authorize_console")
        self.assertEqual(self.flushLoggedErrors(), [])

        self.tell("authorize_console", **WORDS)

        self.assertEqual(len(self.stage.grants), 1)

    def test_expired_are_swept(self) -> None:
        """
        While nobody asks for anything, expired grants go all the same.
        """
        self.tell("authorize_console", **WORDS)

        self.stage.clock.pass_time(606, 5)

        self.assertEqual(len(self.stage.grants), 0)

    def test_stopping(self) -> None:
        """
        A proxy that is stopped is off the bus, and its clock stands still.
        """
        stopping = self.service.stopService()
        self.settle()

        self.successResultOf(stopping)
        self.agent.stop()
        self.settle()
        self.assertEqual(self.stage.clock.getDelayedCalls(), [])
