"""
Tests for L{ajaxterm.viewer_log}: C{GET log?follow}.
"""

from __future__ import annotations

from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from ajaxterm.session import Session
from ajaxterm.viewer import End
from tests.ajaxterm.stage import Stage
from tests.memorysocket import Collector

TARGET = "/log?follow"


class FollowTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.stage = Stage(size=100_000)
        self.stage.grant("s")

    def follow(self, target: str = TARGET, room: int = 1 << 16) -> Collector:
        reader = Collector()
        self.stage.wire.connect(reader, room)
        asked = f"GET {target} HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer s\r\n\r\n"
        reader.transport.write(asked.encode())
        self.stage.clock.flush()
        return reader

    def body(self, reader: Collector) -> bytes:
        """
        @return: what has come, without its chunks.
        """
        head, _, rest = reader.heard.partition(b"\r\n\r\n")
        self.assertIn(b"Transfer-Encoding: chunked", head)
        said = b""
        while rest:
            length, _, rest = rest.partition(b"\r\n")
            said += rest[: int(length, 16)]
            rest = rest[int(length, 16) + 2 :]
        return said

    def test_followed(self) -> None:
        """
        First what the guest has said, then what it says, until the console ends.
        """
        self.stage.output(b"one ")
        reader = self.follow()
        self.assertIn(b"X-Ajaxterm-Offset: 0\r\n", reader.heard)
        self.assertEqual(self.body(reader), b"one ")

        self.stage.output(b"two")
        self.stage.session.finish(End("closed", "", 1000))
        self.stage.clock.flush()

        self.assertEqual(self.body(reader), b"one two")
        self.assertTrue(reader.heard.endswith(b"\r\n0\r\n\r\n"))

    def test_from(self) -> None:
        """
        From a byte on; and before the guest has said anything there is an answer too.
        """
        self.assertIn(b"200 OK", self.follow().heard)
        self.stage.output(b"0123456789")

        self.assertEqual(self.body(self.follow("/log?follow&from=7")), b"789")
        self.assertEqual(self.body(self.follow("/log?from=3&follow=1")), b"3456789")
        self.assertEqual(self.body(self.follow("/log?follow&from=11")), b"0123456789")

    def test_seen_by_others(self) -> None:
        """
        Others see who reads, as one who may only watch; until it leaves.
        """
        watching = self.stage.attached("s")
        reader = self.follow()
        viewers: list[dict[str, Any]] = watching.event("viewers")["viewers"]
        self.assertEqual([viewer["mode"] for viewer in viewers], ["rw", "ro"])

        reader.transport.loseConnection()
        self.stage.clock.flush()

        self.assertEqual(len(watching.event("viewers")["viewers"]), 1)

    def test_slow_reader_is_cut_at_a_gap(self) -> None:
        """
        Who is overtaken by the ring is cut, not ended, so that nobody takes that for the whole.
        """
        reader = self.follow(room=1000)
        reader.transport.pauseProducing()

        for _ in range(10):
            self.stage.output(b"x" * 50_000)
        reader.transport.resumeProducing()
        self.stage.clock.flush()

        self.assertTrue(reader.lost)
        self.assertFalse(reader.heard.endswith(b"0\r\n\r\n"))
        self.assertEqual(self.stage.session.viewers(), [])

    def test_stalled_reader_is_cut(self) -> None:
        """
        Who reads nothing any more is not there for ever, but until the ring has overtaken it.
        """
        reader = self.follow(room=1000)
        reader.transport.pauseProducing()
        self.stage.output(b"x" * 90_000)
        self.assertEqual(len(self.stage.session.viewers()), 1)

        for _ in range(10):
            self.stage.output(b"x" * 50_000)

        self.assertEqual(self.stage.session.viewers(), [])

    def test_slow_reader_and_the_last_output(self) -> None:
        """
        Who has not read what was said last has not seen it.
        """
        reader = self.follow(room=1000)
        reader.transport.pauseProducing()
        self.stage.output(b"x" * 90_000)
        self.assertFalse(self.stage.session.all_seen())

        reader.transport.resumeProducing()
        self.stage.clock.flush()

        self.assertTrue(self.stage.session.all_seen())

    def test_slow_reader_has_all_at_the_end(self) -> None:
        """
        Who has not read all that was said when the console ends still gets it, and then the end.
        """
        reader = self.follow(room=1000)
        reader.transport.pauseProducing()
        self.stage.output(b"x" * 90_000)

        self.stage.session.finish(End("closed", "", 1000))
        self.stage.clock.flush()
        reader.transport.resumeProducing()
        self.stage.clock.flush()

        self.assertEqual(self.body(reader), b"x" * 90_000)
        self.assertTrue(reader.heard.endswith(b"\r\n0\r\n\r\n"))

    def test_overtaken_at_the_end(self) -> None:
        """
        When the ring has overtaken it, that is no end.
        """
        reader = self.follow(room=1000)
        reader.transport.pauseProducing()
        for _ in range(10):
            self.stage.output(b"x" * 50_000)

        self.stage.session.finish(End("closed", "", 1000))
        self.stage.clock.flush()
        reader.transport.resumeProducing()
        self.stage.clock.flush()

        self.assertTrue(reader.lost)
        self.assertFalse(reader.heard.endswith(b"0\r\n\r\n"))

    def test_revoked(self) -> None:
        """
        Who may not read on is cut, since the console has not ended.
        """
        self.stage.output(b"one ")
        reader = self.follow()

        self.stage.session.revoke("g-s")
        self.stage.clock.flush()

        self.assertEqual((self.body(reader), reader.lost), (b"one ", True))
        self.assertFalse(reader.heard.endswith(b"0\r\n\r\n"))

    def test_full(self) -> None:
        """
        A console that is full says so.
        """
        for _ in range(Session.MOST_VIEWERS):
            self.stage.attached("s")

        self.assertIn(b" 409 ", self.follow().heard[:20])
