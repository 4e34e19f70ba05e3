"""
Slow viewers, and what they cost the others: nothing.
"""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from tests.ajaxterm.stage import Stage


class SlowViewerTests(SynchronousTestCase):
    def test_binary_client_overrun_in_one_piece(self) -> None:
        """
        The guest says more at once than the scrollback holds: a C{binary} client is sent
        away with 4008, and the others and the guest do not notice.
        """
        stage = Stage(size=4096)
        stage.grant("s")
        plain, other = stage.plain("s"), stage.attached("s")

        stage.output(b"x" * 5000)
        stage.output(b"more")

        self.assertEqual(plain.closed, 4008)
        self.assertEqual(other.event("gap")["missed"], 904)
        self.assertEqual(other.output, b"x" * 4096 + b"more")

    def test_slow_viewer_is_told_what_it_missed(self) -> None:
        """
        A tab on a bad network goes on at the oldest byte that is still there, and says how
        much is gone.
        """
        stage = Stage(size=1 << 20)
        stage.grant("s")
        slow, fast = stage.attached("s", room=1000), stage.attached("s")
        slow.transport.pauseProducing()

        for _ in range(100):
            stage.output(b"0123456789abcdef" * 4096)
        slow.transport.resumeProducing()
        stage.clock.flush()

        gap = slow.event("gap")
        self.assertEqual(len(slow.output) + gap["missed"], 100 << 16)
        self.assertEqual(gap["offset"], (100 << 16) - (1 << 20))
        self.assertEqual(len(fast.output), 100 << 16)
        self.assertNotIn("gap", fast.names())

    def test_slow_viewer_has_one_message_in_flight(self) -> None:
        """
        However much the guest says, a viewer that does not read has one chunk waiting for
        it, not a copy of everything.
        """
        stage = Stage()
        stage.grant("s")
        slow = stage.attached("s", room=1000)
        slow.transport.pauseProducing()

        for _ in range(100):
            stage.output(b"x" * 65536)

        [server] = stage.clock.getWriters()
        self.assertLess(server.queued, 1 << 18)

    def test_viewer_cut_by_an_event_leaves_the_others_informed(self) -> None:
        """
        A viewer with a full queue is cut while all are told who is there; what the others
        read last is the truth.
        """
        stage = Stage()
        stage.grant("s")
        stage.grant("long", user="x" * 900)
        first, stuck = stage.attached("s"), stage.attached("s", room=1000)
        last = stage.attached("s")
        stuck.transport.pauseProducing()

        for _ in range(55):
            stage.attached("long")
            there = stage.session.viewers()
            for client in (first, last):
                self.assertEqual(client.event("viewers")["viewers"], there)

        self.assertNotIn("v2", [viewer["name"] for viewer in there])

    def test_peer_that_asks_and_never_reads_is_cut(self) -> None:
        """
        Pings without end, of which no answer is read, end the connection, not our memory.
        """
        stage = Stage()
        stage.grant("s")
        greedy = stage.attached("s", room=1000)
        greedy.transport.pauseProducing()

        for _ in range(400):
            stage.send(greedy, {"do": "ping", "sent": 10**4000})

        greedy.transport.resumeProducing()
        stage.clock.flush()
        self.assertTrue(greedy.lost)
        self.assertEqual(stage.session.viewers(), [])
