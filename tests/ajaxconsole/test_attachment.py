"""
One's own terminal on a console: what is sent, shown and kept, over connections
that come and go.
"""

from __future__ import annotations

import json
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from ajaxconsole.attachment import MOST_KEPT, Attachment


class AttachmentTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.shown = b""
        self.notices: list[str] = []
        self.sent: list[bytes | str] = []
        self.attachment = Attachment(self.show, self.notices.append)

    def show(self, output: bytes) -> None:
        self.shown += output

    def connect(self) -> dict[str, Any]:
        """
        @return: what it says first.
        """
        self.sent.clear()
        self.attachment.connected(self.sent.append)
        first = self.sent.pop(0)
        assert isinstance(first, str)
        return dict(json.loads(first))

    def hear(self, event: str, **words: Any) -> None:
        self.attachment.received(json.dumps({"event": event, **words}))

    def hello(self, **words: Any) -> None:
        greeting = {
            "console": "K", "viewer": "v1", "resume": "KEY", "resumed": False, "mode": "rw",
            "offset": 0, "live": 0, "input": 0, "resizable": False, "line": {"state": "live"},
        }  # fmt: skip
        self.hear("hello", **{**greeting, **words})

    def test_first_time(self) -> None:
        said = self.connect()

        self.assertEqual(said, {"do": "attach", "resume": None, "offset": None, "console": None})
        self.assertFalse(self.attachment.is_attached)

    def test_output(self) -> None:
        self.connect()
        self.hello(offset=10, live=10)
        self.attachment.received(b"hello")

        self.assertEqual(self.shown, b"hello")

    def test_it_goes_on_where_it_was(self) -> None:
        self.connect()
        self.hello(offset=10, live=10)
        self.attachment.received(b"12345")
        self.attachment.lost()
        said = self.connect()
        self.hello(offset=15, live=18, resumed=True)
        self.attachment.received(b"678910")

        self.assertEqual((said["resume"], said["offset"], said["console"]), ("KEY", 15, "K"))
        self.assertEqual(self.shown, b"12345678910")
        self.assertEqual(self.notices, [])

    def test_keys(self) -> None:
        self.connect()
        self.hello()
        self.attachment.typed(b"ls\r")

        self.assertEqual(self.sent, [b"ls\r"])
        self.assertFalse(self.attachment.is_counted)
        self.hear("counted", input=3)
        self.assertTrue(self.attachment.is_counted)

    def test_keys_that_were_not_counted_are_sent_again(self) -> None:
        """
        The console took two of them before the connection broke.
        """
        self.connect()
        self.hello()
        self.attachment.typed(b"abcd")
        self.attachment.lost()
        self.attachment.typed(b"ef")
        self.connect()
        self.hello(resumed=True, input=2)

        self.assertEqual(self.sent, [b"cdef"])

    def test_keys_that_were_counted_are_not(self) -> None:
        self.connect()
        self.hello()
        self.attachment.typed(b"abcd")
        self.hear("counted", input=4)
        self.attachment.lost()
        self.connect()
        self.hello(resumed=True, input=4)

        self.assertEqual(self.sent, [])

    def test_keys_before_the_first_hello(self) -> None:
        self.attachment.typed(b"early")
        self.connect()
        self.hello()

        self.assertEqual(self.sent, [b"early"])

    def test_another_viewer_types_nothing_twice(self) -> None:
        """
        Its key is not known any more, so what arrived is not either.
        """
        self.connect()
        self.hello()
        self.attachment.typed(b"rm -r x\r")
        self.attachment.lost()
        self.attachment.is_another_grant()
        said = self.connect()
        self.hello(resumed=False)

        self.assertIsNone(said["resume"])
        self.assertEqual(self.sent, [])
        self.assertEqual(self.notices, ["what you typed last may not have arrived"])

    def test_gaps_are_said(self) -> None:
        self.connect()
        self.hello(offset=5, live=5)
        self.hear("gap", missed=10, offset=15)
        self.attachment.received(b"x")
        self.attachment.lost()
        said = self.connect()
        self.hello(offset=20, resumed=True)

        self.assertEqual(said["offset"], 16)
        self.assertEqual(
            self.notices, ["10 bytes of output are gone", "4 bytes of output are gone"]
        )

    def test_another_console(self) -> None:
        self.connect()
        self.hello(offset=5000, live=5000)
        self.attachment.lost()
        self.connect()
        self.hello(console="L", offset=0, live=3)

        self.assertEqual(self.notices, ["this is another console than before"])

    def test_read_only(self) -> None:
        self.connect()
        self.hello(mode="ro")
        self.attachment.typed(b"x")

        self.assertEqual(self.sent, [])
        self.assertTrue(self.attachment.is_counted)

    def test_input_has_an_end(self) -> None:
        self.attachment.typed(b"x" * MOST_KEPT)
        self.attachment.typed(b"y")
        self.connect()
        self.hello()

        self.assertEqual(b"".join(m for m in self.sent if isinstance(m, bytes)), b"x" * MOST_KEPT)
        self.assertEqual(len(self.notices), 1)

    def test_old_questions_are_not_answered(self) -> None:
        """
        The replay asks nothing; what is live does, unless another answers.
        """
        self.connect()
        self.hello(live=8)
        self.attachment.received(b"a\x1b[")
        self.attachment.received(b"6nb\x1b[cc\x1b[6n")
        self.hear("viewers", answering="v2")
        self.attachment.received(b"d\x1b[6ne\x1b[1mf")

        self.assertEqual(self.shown, b"ab\x1b[cc\x1b[6nde\x1b[1mf")

    def test_end(self) -> None:
        self.connect()
        self.hello()
        self.hear("end", reason="drain", message="The server restarts.", retry=True)
        self.assertIsNone(self.attachment.ended)

        self.hear("end", reason="closed", message="The console was closed.", retry=False)
        self.assertEqual(self.attachment.ended, "The console was closed.")

    def test_size(self) -> None:
        self.attachment.resized(24, 80)
        self.connect()
        self.hello(resizable=True)
        self.attachment.resized(30, 100)

        told = [json.loads(m) for m in self.sent]
        self.assertEqual([(t["rows"], t["columns"]) for t in told], [(24, 80), (30, 100)])

    def test_state_of_the_line_is_said_once(self) -> None:
        self.connect()
        self.hello(line={"state": "waiting", "message": "The guest is off."})
        self.hear("line", state="waiting", message="The guest is off.")

        self.assertEqual(self.notices, ["The guest is off."])

    def test_nonsense_is_passed_over(self) -> None:
        self.connect()
        for message in ("{", "[]", '{"event": "new"}', '{"event": null}'):
            self.attachment.received(message)
