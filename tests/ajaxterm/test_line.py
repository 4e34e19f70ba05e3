"""
Tests for L{ajaxterm.line}: a guest's bytes through one socat after another.
"""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from ajaxterm.grants import Grant, Grants, digest_of
from ajaxterm.keys import Keys
from ajaxterm.line import SocketLine
from ajaxterm.scrollback import Scrollback
from ajaxterm.session import Session
from tests.ajaxterm.viewers import FakeViewer
from tests.memorysocket import Collector, MemoryReactor


class LineTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock = MemoryReactor()
        grants = Grants(self.clock)
        self.line = SocketLine()
        self.session = Session(self.clock, self.line, grants, Scrollback(1 << 20))
        self.line.serve(self.session)
        grant = Grant("g", "rw", "ann", 600)
        grants.add(digest_of("s"), grant)
        self.viewer = FakeViewer(self.session)
        self.viewer.attach(grant)

    def socat(self, room: int = 1 << 16, reads: bool = True) -> Collector:
        """
        Another socat joins.
        """
        socat = Collector(reads)
        self.clock.connect(self.line.buildProtocol(None), socat, room)
        return socat

    def types(self, keys: bytes) -> None:
        self.session.typed(self.viewer.seat, keys)
        self.clock.flush()

    @property
    def is_held(self) -> bool:
        return bool(self.viewer.held) and self.viewer.held[-1]

    def test_bytes_pass_both_ways(self) -> None:
        """
        What the guest says is seen, what is typed gets there.
        """
        socat = self.socat()

        socat.transport.write(b"login: ")
        self.types(b"ann\r")

        self.assertEqual(self.viewer.output, b"login: ")
        self.assertEqual(socat.heard, b"ann\r")

    def test_parted(self) -> None:
        """
        All that are joined are let go, and the next one that joins has the line.
        """
        former = [self.socat(), self.socat()]

        self.line.part()
        self.clock.flush()
        now = self.socat()
        self.types(b"a")

        self.assertEqual([each.lost for each in former], [True, True])
        self.assertEqual(([each.heard for each in former], now.heard), ([b"", b""], b"a"))

    def test_empty_messages_do_not_wait(self) -> None:
        """
        However many a viewer sends while there is no line: no limit in bytes would end them.
        """
        written: list[bytes] = []
        keys = Keys(self.clock, written.append, lambda stuck: None)

        keys.add(self.viewer.seat, b"")

        self.assertEqual((written, keys.waiting()), ([], []))

    def test_keys_typed_early_wait(self) -> None:
        """
        What is typed before the line is joined, or while it is interrupted, arrives.
        """
        self.types(b"a")
        self.types(b"b")
        self.assertFalse(self.is_held)
        first = self.socat()
        first.transport.loseConnection()
        self.clock.flush()
        self.types(b"c")
        self.types(b"d")

        second = self.socat()

        self.assertEqual((first.heard, second.heard), (b"ab", b"cd"))

    def test_much_input_without_a_line_waits(self) -> None:
        """
        Of a long paste while the line is interrupted all arrives when it is back, and
        meanwhile nothing of it is counted.
        """
        self.types(b"x" * 1_000_000)

        self.assertTrue(self.is_held)
        self.assertEqual(self.viewer.seat.counted, 0)
        socat = self.socat()
        self.assertFalse(self.is_held)
        self.assertEqual(socat.heard, b"x" * 1_000_000)

    def test_input_for_a_guest_that_is_down_is_forgotten(self) -> None:
        """
        What was typed while the line was interrupted does not go to whatever boots next.
        """
        self.types(b"x" * 1_000_000)

        self.session.line_is("waiting", "The guest is off.", down=True)

        self.assertFalse(self.is_held)
        self.assertEqual((self.viewer.seat.counted, self.viewer.dropped), (1_000_000, 1_000_000))
        self.assertEqual(self.socat().heard, b"")

    def test_input_without_a_line_can_be_called_back(self) -> None:
        """
        Between the end of one socat and the next, nothing is out of reach: neither of who
        cancels, nor of the news that the guest was switched off.
        """
        self.socat().transport.loseConnection()
        self.clock.flush()
        self.types(b"rm -rf x\r")
        self.session.drop([self.viewer.seat])
        self.assertEqual((self.viewer.seat.counted, self.viewer.dropped), (9, 9))
        self.types(b"reboot\r")

        self.session.line_is("waiting", "The guest is off.", down=True)

        self.assertEqual((self.viewer.seat.counted, self.viewer.dropped), (16, 16))
        self.assertEqual(self.socat().heard, b"")

    def test_guest_that_takes_no_input(self) -> None:
        """
        While the guest reads nothing, nobody's input is read; when it does again, it goes on
        and nothing is lost.
        """
        socat = self.socat(room=1000, reads=False)
        self.types(b"x" * 1000)
        self.assertEqual(self.viewer.seat.counted, 1000)

        self.types(b"x" * 1_000_000)
        self.assertTrue(self.is_held)
        self.assertLess(self.viewer.seat.counted, 10_000)
        socat.transport.resumeProducing()
        self.clock.flush()

        self.assertFalse(self.is_held)
        self.assertEqual(len(socat.heard), 1_001_000)

    def test_new_line_can_be_full_at_once(self) -> None:
        """
        Much was typed without a line, and the new socat does not take it: everybody stays
        held.
        """
        self.types(b"x" * 1_000_000)
        socat = self.socat(room=1000, reads=False)

        self.assertTrue(self.is_held)
        self.types(b"y" * 1_000_000)
        socat.transport.resumeProducing()
        self.clock.flush()
        self.assertEqual(socat.heard, b"x" * 1_000_000 + b"y" * 1_000_000)

    def test_state_follows_the_socat(self) -> None:
        """
        The page says that the line is interrupted, and when it is back.
        """
        self.socat().transport.loseConnection()
        self.clock.flush()
        self.socat()

        states = [event["state"] for event in self.viewer.events if event["event"] == "line"]
        self.assertEqual(states, ["waiting", "live"])

    def test_held_line_that_parts_holds_nobody(self) -> None:
        """
        A socat that dies with a full pipe frees those who waited for it, and takes no more with
        it than it was given.
        """
        socat = self.socat(room=1000, reads=False)
        self.types(b"x" * 50_000)
        given = self.viewer.seat.counted

        socat.transport.abortConnection()
        self.clock.flush()
        self.types(b"y")

        self.assertFalse(self.is_held)
        self.assertLess(given, 10_000)
        self.assertEqual(self.socat().heard, b"x" * (50_000 - given) + b"y")

    def test_successor_waits_for_the_last_output(self) -> None:
        """
        The next socat joins before the last one's output was read: the order stays.
        """
        old = self.socat()
        new = self.socat()

        new.transport.write(b"second")
        self.clock.flush()
        self.types(b"k")
        old.transport.write(b"first ")
        old.transport.loseConnection()
        self.clock.flush()

        self.assertEqual(self.viewer.output, b"first second")
        self.assertEqual(old.heard, b"k")
        self.types(b"l")
        self.assertEqual(new.heard, b"l")

    def test_successor_that_dies_first(self) -> None:
        """
        A socat that ends while it waits for its turn is forgotten, with what it never got to
        say kept out of the order.
        """
        old = self.socat()
        new = self.socat()

        new.transport.abortConnection()
        self.clock.pass_time(1)
        old.transport.write(b"x")
        self.clock.flush()
        old.transport.loseConnection()
        self.clock.flush()

        self.assertEqual(self.viewer.output, b"x")
        self.assertEqual(self.session.state, "waiting")

    def test_line_has_no_size(self) -> None:
        """
        A serial line can't be told how large a window is.
        """
        self.assertFalse(self.line.resizable)
        self.assertRaises(NotImplementedError, self.line.resize, 24, 80)
