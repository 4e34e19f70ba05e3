"""
Tests for L{ajaxterm.viewer_plain}: what nova-serialproxy's clients speak.
"""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from ajaxterm.session import Session
from ajaxterm.viewer import End
from ajaxterm.viewer_plain import ViewerPlain
from tests.ajaxterm.stage import Stage

HOLD = ViewerPlain.HOLD
GRIN = "\N{GRINNING FACE}".encode()


class PlainTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.stage = Stage()
        self.stage.grant("rw")
        self.stage.grant("ro", "ro")

    def wait(self, seconds: float) -> None:
        self.stage.clock.pass_time(seconds, step=0.01)

    def test_with_and_without_a_subprotocol(self) -> None:
        """
        C{binary}, or nothing, is the same; and neither hears events.
        """
        clients = [self.stage.plain("rw"), self.stage.dial("rw")]

        self.stage.output(b"login: ")

        for client in clients:
            self.assertEqual(client.output, b"login: ")
            self.assertEqual(client.events, [])

    def test_output_begins_now(self) -> None:
        """
        Without C{replay}, what was said before is not shown.
        """
        self.stage.output(b"before")
        client = self.stage.plain("rw")

        self.stage.output(b"after")

        self.assertEqual(client.output, b"after")

    def test_replay(self) -> None:
        """
        C{?replay=N} shows the last N bytes first, all there is if that is less, and nothing
        if it is not a number.
        """
        self.stage.output(b"0123456789")

        for query, shown in [
            ("?replay=4", b"6789"),
            ("?replay=999999999", b"0123456789"),
            ("?replay=0", b""),
            ("?replay=-1", b""),
            ("?replay=1234567890123456789", b""),
            ("?replay=x", b""),
            ("?replay=1&replay=2", b""),
        ]:
            self.assertEqual(self.stage.plain("rw", f"/ws{query}").output, shown)

    def test_input_from_text_and_binary(self) -> None:
        """
        Some clients type in text frames, some in binary ones.
        """
        client = self.stage.plain("rw")

        self.stage.send(client, "grüße\r")
        self.stage.send(client, b"\x03\xff")

        self.assertEqual(self.stage.line.typed, "grüße\r".encode() + b"\x03\xff")

    def test_json_is_input_too(self) -> None:
        """
        What would be a question in C{ajaxterm.v1} is typed here.
        """
        client = self.stage.plain("rw")

        self.stage.send(client, {"do": "attach"})

        self.assertEqual(self.stage.line.typed, b'{"do": "attach"}')

    def test_watcher_types_nothing(self) -> None:
        """
        What a C{ro} client types is dropped.
        """
        client = self.stage.plain("ro")

        self.stage.send(client, b"reboot\r")

        self.assertEqual(self.stage.line.typed, b"")
        self.assertFalse(client.lost)

    def test_character_is_kept_whole(self) -> None:
        """
        A character that comes in two pieces goes out in one frame.
        """
        client = self.stage.plain("rw")

        self.stage.output(b"a" + GRIN[:1])
        self.stage.output(GRIN[1:3])
        self.stage.output(GRIN[3:] + b"b")

        self.assertEqual(client.frames, [b"a", GRIN + b"b"])

    def test_beginning_that_goes_on_too_late_passes(self) -> None:
        """
        The rest does not come: after 50 ms what there is goes out.
        """
        client = self.stage.plain("rw")
        self.stage.output(b"a" + GRIN[:2])

        self.wait(HOLD - 0.02)
        self.assertEqual(client.frames, [b"a"])
        self.wait(0.03)

        self.assertEqual(client.frames, [b"a", GRIN[:2]])
        self.stage.output(b"c")
        self.assertEqual(client.output, b"a" + GRIN[:2] + b"c")

    def test_no_byte_is_held_for_longer(self) -> None:
        """
        A character that trickles, a byte every 40 ms, is not held until it is whole.
        """
        client = self.stage.plain("rw")

        self.stage.output(GRIN[:1])
        self.wait(0.04)
        self.stage.output(GRIN[1:2])
        self.wait(0.02)

        self.assertEqual(client.output, GRIN[:2])

    def test_invalid_bytes_pass_at_once(self) -> None:
        """
        Latin-1 is not held back as if it were UTF-8.
        """
        client = self.stage.plain("rw")

        self.stage.output(b"\xff")
        self.stage.output(b"gr\xfc\xdfe")

        self.assertEqual(client.frames, [b"\xff", b"gr\xfc\xdfe"])

    def test_what_was_held_is_said_before_the_end(self) -> None:
        """
        A console that ends inside a character loses none of its bytes.
        """
        client = self.stage.plain("rw")
        self.stage.output(b"a" + GRIN[:3])

        self.stage.session.finish(End("closed", "", 1000))
        self.stage.clock.flush()

        self.assertEqual(client.output, b"a" + GRIN[:3])
        self.assertEqual(client.closed, 1000)

    def test_client_that_left_holds_nothing(self) -> None:
        """
        No timer stays behind.
        """
        client = self.stage.plain("rw")
        self.stage.output(GRIN[:1])
        self.stage.output(GRIN[1:2])

        client.transport.loseConnection()
        self.stage.clock.flush()

        self.assertEqual(self.stage.clock.getDelayedCalls(), [])
        self.assertEqual(self.stage.session.viewers(), [])

    def test_close_codes(self) -> None:
        """
        Revoked is 4003, full is 4029, closed is 1000.
        """
        revoked = self.stage.plain("ro")
        self.stage.session.revoke("g-ro")
        self.stage.clock.flush()
        closed = [self.stage.plain("rw") for _ in range(Session.MOST_VIEWERS)]
        full = self.stage.plain("rw")
        self.stage.session.finish(End("closed", "", 1000))
        self.stage.clock.flush()

        self.assertEqual((revoked.closed, full.closed), (4003, 4029))
        self.assertEqual({client.closed for client in closed}, {1000})

    def test_latecomer_to_a_full_line_is_held(self) -> None:
        """
        A client that comes while the guest takes no input is not read either.
        """
        self.stage.session.hold_input(True)
        client = self.stage.plain("rw")

        self.stage.send(client, b"x" * 100_000)

        self.assertEqual(self.stage.line.typed, b"")
        self.stage.session.hold_input(False)
        self.stage.clock.flush()
        self.assertEqual(len(self.stage.line.typed), 100_000)

    @settings(max_examples=60, derandomize=True, deadline=None, database=None)
    @given(
        text=st.text(alphabet="aü€\N{GRINNING FACE}", min_size=1, max_size=30),
        cuts=st.lists(st.integers(1, 5), max_size=60),
    )
    def test_every_frame_is_text(self, text: str, cuts: list[int]) -> None:
        """
        However text is cut on its way here, a client that decodes each frame by itself reads
        all of it.
        """
        stage = Stage()
        stage.grant("s")
        client = stage.plain("s")
        output = text.encode()

        for cut in [*cuts, len(output)]:
            stage.output(output[:cut])
            output = output[cut:]

        self.assertEqual("".join(frame.decode() for frame in client.frames), text)


class SlowTests(SynchronousTestCase):
    """
    A viewer that can't be told of a gap, and fell behind by more than there is kept.
    """

    def setUp(self) -> None:
        self.stage = Stage(size=4096)
        self.stage.grant("rw")
        self.client = self.stage.plain("rw", room=1000)
        self.client.transport.pauseProducing()
        self.stage.output(b"x" * 9000)

    def test_reads_on_after_a_while(self) -> None:
        """
        It learns why it ends, also if it stalled for as long as a busy machine may.
        """
        self.stage.clock.pass_time(ViewerPlain.READS_ON - 1)
        self.client.transport.resumeProducing()
        self.stage.clock.flush()

        self.assertEqual(self.client.closed, 4008)

    def test_never_reads_on(self) -> None:
        """
        It is cut in the end.
        """
        self.stage.clock.pass_time(ViewerPlain.READS_ON + 1)

        self.assertLess(self.client.transport.end.peer.fileno(), 0)
        self.client.transport.resumeProducing()
        self.stage.clock.flush()
        self.assertTrue(self.client.lost)
        self.assertIsNone(self.client.closed)
