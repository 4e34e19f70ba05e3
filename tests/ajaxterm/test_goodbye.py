"""
Tests for L{ajaxterm.frames}: pings and goodbyes.
"""

from __future__ import annotations

from ajaxterm.frames import WebSocket
from tests.ajaxterm.peers import FramesFixture, masked


class GoodbyeTests(FramesFixture):
    def test_we_close(self) -> None:
        """
        A goodbye bears code and reason; the connection ends when the peer agrees.
        """
        self.connect()

        self.listener.socket.close(4003, "revoked")
        self.clock.flush()
        self.assertFalse(self.peer.lost)
        self.sends(masked(8, b"\x0f\xa3"))

        self.assertEqual(self.heard(), b"\x88\x09\x0f\xa3revoked")
        self.assertTrue(self.peer.lost)
        self.assertEqual(self.listener.losses, 1)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_we_close_on_one_who_is_held(self) -> None:
        """
        A peer whose input waited can agree at once as well.
        """
        self.connect()
        self.listener.socket.hold_input(True)

        self.listener.socket.close(1000)
        self.sends(masked(2, b"typed late") + masked(8, b"\x03\xe8"))

        self.assertTrue(self.peer.lost)
        self.assertEqual(self.listener.heard, [])

    def test_peer_that_does_not_agree_is_cut(self) -> None:
        """
        Nobody can hold a connection open by not answering a goodbye.
        """
        self.connect()

        self.listener.socket.close(1000)
        self.clock.pass_time(WebSocket.GOODBYE)

        self.assertTrue(self.peer.lost)

    def test_long_reason_is_cut_between_characters(self) -> None:
        """
        A reason has 123 bytes (RFC 6455, 5.5).
        """
        self.connect()

        self.listener.socket.close(1000, "ü" * 100)
        self.clock.flush()

        self.assert_closed(1000)

    def test_nothing_is_sent_or_heard_after_our_close(self) -> None:
        """
        After the goodbye, neither side can slip anything in.
        """
        self.connect()

        self.listener.socket.close(1000)
        self.listener.socket.close(1001)
        self.listener.socket.send(b"more")
        self.listener.socket.hold_input(True)
        self.sends(masked(2, b"typed late"), masked(9, b"ping"))

        self.assert_closed(1000)
        self.assertEqual(self.listener.heard, [])

    def test_peer_closes(self) -> None:
        """
        A closed tab's goodbye is answered in kind.
        """
        self.connect()

        self.sends(masked(8, b"\x03\xe9"))

        self.assert_closed(1001)
        self.assertTrue(self.peer.lost)
        self.assertEqual(self.listener.losses, 1)

    def test_peer_that_closes_and_never_reads_is_cut(self) -> None:
        """
        A goodbye in front of a full queue does not leave the connection open for ever.
        """
        self.connect(room=100)
        self.peer.transport.pauseProducing()
        self.listener.socket.send(b"x" * 10_000)

        self.sends(masked(8, b"\x03\xe8"))
        self.clock.pass_time(WebSocket.GOODBYE)

        self.assertEqual(self.clock.getWriters(), [])
        self.assertEqual(self.listener.losses, 1)

    def test_peer_vanishes(self) -> None:
        """
        A connection that is cut is a viewer gone, and leaves no timer.
        """
        self.connect()

        self.peer.transport.abortConnection()
        self.clock.flush()

        self.assertEqual(self.listener.losses, 1)
        self.assertEqual(self.clock.getDelayedCalls(), [])


class PingTests(FramesFixture):
    PING = b"\x89\x00"

    def test_silent_peer_is_pinged(self) -> None:
        """
        Every 15 s there is a ping.
        """
        self.connect()

        self.clock.pass_time(WebSocket.PING_EVERY)

        self.assertEqual(self.heard(), self.PING)

    def test_peer_that_answers_stays(self) -> None:
        """
        Answered pings keep a silent viewer for as long as it likes.
        """
        self.connect()

        for _ in range(20):
            self.clock.pass_time(WebSocket.PING_EVERY)
            self.sends(masked(10, b""))

        self.assertFalse(self.peer.lost)

    def test_peer_that_does_not_answer_is_gone(self) -> None:
        """
        Two pings unanswered: gone.
        """
        self.connect()

        self.clock.pass_time(3 * WebSocket.PING_EVERY)

        self.assertEqual(self.heard(), 2 * self.PING)
        self.assertTrue(self.peer.lost)
        self.assertEqual(self.listener.losses, 1)

    def test_peer_with_a_full_queue_is_not_pinged(self) -> None:
        """
        A slow viewer's pings would wait behind its output; that alone never cuts it.
        """
        self.connect(room=100)
        self.peer.transport.pauseProducing()
        self.listener.socket.send(b"x" * 10_000)

        self.clock.pass_time(10 * WebSocket.PING_EVERY)

        self.assertFalse(self.peer.lost)
        self.assertEqual(self.listener.losses, 0)

    def test_held_peer_is_not_taken_for_dead(self) -> None:
        """
        While the guest takes no input we do not read the viewer's answers either; it is
        still there afterwards, and so is what it typed.
        """
        self.connect()
        self.listener.socket.hold_input(True)
        self.sends(masked(2, b"typed"))

        for _ in range(10):
            self.clock.pass_time(WebSocket.PING_EVERY)
            self.sends(masked(10, b""))
        self.assertEqual(self.listener.heard, [])
        self.listener.socket.hold_input(False)
        self.clock.flush()

        self.assertEqual(self.listener.losses, 0)
        self.assertEqual(self.listener.heard, [b"typed"])

    def test_held_peer_that_vanishes_is_noticed(self) -> None:
        """
        A tab that is closed while its input is held is gone at the next pings.
        """
        self.connect()
        self.listener.socket.hold_input(True)

        self.peer.transport.abortConnection()
        self.clock.pass_time(2 * WebSocket.PING_EVERY)

        self.assertEqual(self.listener.losses, 1)
