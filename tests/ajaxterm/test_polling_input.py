"""
Tests for L{ajaxterm.polling} and L{ajaxterm.viewer_poll}: what is typed without a WebSocket.
"""

from __future__ import annotations

import json

from ajaxterm.polling import MOST_INPUT
from ajaxterm.viewer_poll import ViewerPoll
from tests.ajaxterm.test_polling import PollFixture


class InputTests(PollFixture):
    def test_typed_once(self) -> None:
        """
        Repeated, what was typed is not typed again; what has holes is refused with the count.
        """
        poller = self.attached()
        for keys, at, status, counted in [
            (b"ls", 0, 200, 2),
            (b"ls", 0, 200, 2),
            (b"ls -l", 0, 200, 5),
            (b"\r", 6, 409, 5),
            (b"\r", 5, 200, 6),
            (b"", 6, 200, 6),
        ]:
            answer = poller.type(keys, at).answer
            assert answer is not None
            self.assertEqual((answer.status, json.loads(answer.body)["input"]), (status, counted))

        self.assertEqual(self.stage.line.typed, b"ls -l\r")

    def test_line_that_is_full(self) -> None:
        """
        The answer waits until all is taken, or says after a while how much was.
        """
        poller = self.attached()
        poller.poll()
        self.stage.session.hold_input(True)
        first = poller.type(b"one ")
        self.assertIsNone(first.answer)
        self.clock.pass_time(ViewerPoll.TAKING)
        assert first.answer is not None
        self.assertEqual(first.answer.body, b'{"input":0}')

        second = poller.type(b"one two")
        self.stage.session.hold_input(False)
        self.clock.flush()

        assert second.answer is not None
        self.assertEqual(second.answer.body, b'{"input":7}')
        self.assertEqual(self.stage.line.typed, b"one two")

    def test_lost_question(self) -> None:
        """
        Input whose request is lost while it waits, or is asked again meanwhile, is typed once.
        """
        poller = self.attached()
        self.stage.session.hold_input(True)
        poller.type(b"one ").transport.abortConnection()
        self.clock.flush()
        poller.type(b"one ")

        last = poller.type(b"one two")
        self.stage.session.hold_input(False)
        self.clock.flush()

        assert last.answer is not None
        self.assertEqual(self.stage.line.typed, b"one two")

    def test_cancelled(self) -> None:
        """
        What waits can be dropped: it is counted, and the viewer is told how much.
        """
        poller = self.attached()
        self.stage.session.hold_input(True)
        asking = poller.type(b"rm -rf /")

        self.assertEqual(poller.say({"do": "cancel_input"}), 204)
        self.stage.session.hold_input(False)
        poller.poll()

        assert asking.answer is not None
        self.assertEqual(asking.answer.body, b'{"input":8}')
        self.assertIn({"event": "counted", "input": 8, "dropped": 8}, poller.events)
        self.assertEqual(self.stage.line.typed, b"")

    def test_cancelled_before_it_came(self) -> None:
        """
        The wish overtakes what it cancels: that is not typed when it comes, and what is typed
        after it is.
        """
        poller = self.attached()
        poller.type(b"echo ", 0)

        self.assertEqual(poller.say({"do": "cancel_input", "below": 13}), 204)
        late = poller.type(b"rm -rf /", 5)
        poller.type(b"ls\r", 13)
        poller.poll()

        assert late.answer is not None
        self.assertEqual((late.answer.status, late.answer.body), (200, b'{"input":13}'))
        self.assertIn({"event": "counted", "input": 13, "dropped": 8}, poller.events)
        self.assertEqual(self.stage.line.typed, b"echo ls\r")

    def test_watcher_is_refused(self) -> None:
        """
        403, with the reason and the count.
        """
        poller = self.attached("ro")

        answer = poller.type(b"x").answer

        assert answer is not None
        said = json.loads(answer.body)
        self.assertEqual((answer.status, said["event"], said["input"]), (403, "refused", 1))

    def test_repeated_when_it_would_be_refused(self) -> None:
        """
        What was typed is answered with the count, though somebody has taken the keyboard since.
        """
        poller, other = self.attached(), self.attached()
        poller.type(b"ls")
        other.say({"do": "take_keyboard"})

        again = poller.type(b"ls").answer
        more = poller.type(b"ls -l").answer

        assert again is not None and more is not None
        self.assertEqual((again.status, again.body), (200, b'{"input":2}'))
        self.assertEqual((more.status, json.loads(more.body)["input"]), (403, 5))
        self.assertEqual(self.stage.line.typed, b"ls")

    def test_bad_questions(self) -> None:
        """
        Input is bounded, and names its key and its place.
        """
        poller = self.attached()
        key = str(poller.resume)
        for headers, body, status in [
            ({"X-Ajaxterm-At": "0"}, b"x" * (MOST_INPUT + 1), 413),
            ({}, b"x", 400),
            ({"X-Ajaxterm-At": "-1"}, b"x", 400),
            ({"X-Ajaxterm-At": "1" * 30}, b"x", 400),
            ({"X-Ajaxterm-At": "0", "X-Ajaxterm-Resume": "nobody"}, b"x", 409),
        ]:
            said = {"X-Ajaxterm-Resume": key, **headers}
            answer = self.stage.ask("POST", "/input", "rw", said, body)
            self.assertEqual(answer.status, status, headers)
        answer = self.stage.ask("POST", "/input", "rw", {"X-Ajaxterm-At": "0"}, b"x")
        self.assertEqual(answer.status, 400)
        self.assertEqual(self.stage.line.typed, b"")

    def test_wishes(self) -> None:
        """
        The other words are the same as on a WebSocket; their answers come with a poll.
        """
        poller = self.attached()

        self.assertEqual(poller.say({"do": "ping", "sent": 7}), 204)
        self.assertEqual(poller.say({"do": "dance"}), 204)
        self.assertEqual(poller.say({"do": "take_keyboard"}), 204)
        poller.poll()

        self.assertEqual(poller.names()[2:], ["pong", "refused", "keyboard"])
        answer = poller.post("say", b"dance").answer
        assert answer is not None
        self.assertEqual(answer.status, 400)
