"""
Tests for L{ajaxterm.keys}: what waits for a line that takes it as it can.
"""

from __future__ import annotations

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from ajaxterm.grants import Grant
from ajaxterm.keys import Keys
from ajaxterm.viewer import Seat


class Typist:
    """
    A viewer that only counts.

    @ivar asked: whether it was asked to stop, each time.
    """

    resumes = True
    through = ""
    reachable = True

    def __init__(self, name: str) -> None:
        self.seat = Seat(name, "", Grant("g", "rw", "ann", 1), self, 0)
        self.asked: list[bool] = []
        self.times = 0

    def hold_input(self, held: bool) -> None:
        self.asked.append(held)

    def counted(self, dropped: int) -> None:
        self.times += 1

    def output_ready(self) -> None: ...

    def event(self, event: object) -> None: ...

    def ended(self, end: object) -> None: ...


class KeysTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock = Clock()
        self.typed: list[bytes] = []
        self.room = 1 << 30
        self.stuck: list[bool] = []
        self.keys = Keys(self.clock, self.write, self.stuck.append)
        self.ann, self.bob = Typist("v1"), Typist("v2")

    def write(self, keys: bytes) -> None:
        self.typed.append(keys)
        self.room -= len(keys)
        if self.room <= 0:
            self.keys.hold(True)

    def take(self, room: int) -> None:
        """
        The line has taken all, and can take some more.
        """
        self.room = room
        self.keys.hold(False)

    def test_keys_go_at_once(self) -> None:
        """
        A line that takes them gets the keys as they come.
        """
        self.keys.add(self.ann.seat, b"l")
        self.keys.add(self.ann.seat, b"s")

        self.assertEqual(self.typed, [b"l", b"s"])
        self.assertEqual((self.ann.seat.counted, self.ann.times), (2, 2))

    def test_paste_is_whole_and_in_order(self) -> None:
        """
        A line that takes 10,000 bytes at a time gets all of 1 MiB, in its order, and is never
        given much more than it can take.
        """
        paste = bytes(range(256)) * 4096
        self.room = 10_000

        self.keys.add(self.ann.seat, paste)
        for _ in range(200):
            self.assertEqual(len(b"".join(self.typed)), self.ann.seat.counted)
            self.assertGreater(self.room, -Keys.SLICE)
            self.take(10_000)

        self.assertEqual(b"".join(self.typed), paste)

    def test_others_do_not_wait_for_a_paste(self) -> None:
        """
        Another viewer's Ctrl-C is typed after a slice or two of the paste.
        """
        self.room = 1
        self.keys.add(self.ann.seat, b"x" * 100_000)
        self.keys.add(self.bob.seat, b"\x03")

        self.take(2 * Keys.SLICE)

        self.assertIn(b"\x03", self.typed)
        self.assertLess(len(b"".join(self.typed)), 5 * Keys.SLICE)

    def test_viewer_is_asked_to_stop(self) -> None:
        """
        Only one that has much waiting is asked to send no more, and told when it may again.
        """
        self.room = 1
        self.keys.add(self.ann.seat, b"x" * 2 * Keys.KEPT)
        self.keys.add(self.bob.seat, b"x")
        self.assertEqual((self.ann.asked, self.bob.asked), ([True], []))

        self.take(1 << 30)

        self.assertEqual(self.ann.asked, [True, False])

    def test_dropped(self) -> None:
        """
        What waits can be dropped, of one viewer alone.
        """
        self.room = 1
        for typist in (self.ann, self.bob, self.ann):
            self.keys.add(typist.seat, b"12345")

        self.assertEqual(self.keys.drop(self.ann.seat), 5)
        self.assertEqual(self.keys.drop(self.ann.seat), 0)
        self.take(100)

        self.assertEqual(b"".join(self.typed), b"1234512345")
        self.assertEqual((self.ann.seat.counted, self.bob.seat.counted), (5, 5))

    def test_dropped_in_part(self) -> None:
        """
        Also only the first bytes of it; the rest keeps its place.
        """
        self.room = 1
        for typist in (self.ann, self.bob, self.ann):
            self.keys.add(typist.seat, b"12345")
        self.keys.add(self.ann.seat, b"6789")

        self.assertEqual(self.keys.drop(self.ann.seat, 3), 3)
        self.assertEqual(self.keys.drop(self.ann.seat, 0), 0)
        self.take(100)

        self.assertEqual(b"".join(self.typed), b"1234512345456789")

    def test_left_behind(self) -> None:
        """
        What viewers left behind that can't come back is typed, but not without a limit.
        """
        self.room = 1
        self.keys.add(self.bob.seat, b"-")
        for number in range(20):
            typist = Typist(f"v{number}")
            self.keys.add(typist.seat, b"x" * 100_000)
            typist.seat.viewer = None
            self.keys.leave_behind(typist.seat)

        self.take(1 << 30)

        length = len(b"".join(self.typed))
        self.assertGreater(length, Keys.LEFT_BEHIND // 2)
        self.assertLessEqual(length, Keys.LEFT_BEHIND + 1)

    def test_stuck(self) -> None:
        """
        A line that takes nothing for half a second is stuck, until it takes all that waits.
        """
        self.keys.hold(True)
        self.clock.advance(0.5)
        self.keys.hold(True)
        self.keys.add(self.ann.seat, b"x" * 10_000)
        self.take(5000)
        self.assertEqual(self.stuck, [True])
        self.take(50_000)

        self.assertEqual(self.stuck, [True, False])
        self.assertEqual(self.clock.getDelayedCalls(), [])
