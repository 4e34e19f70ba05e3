"""
Tests for L{ajaxterm.polling} and L{ajaxterm.viewer_poll}: a viewer without a WebSocket.
"""

from __future__ import annotations

import json

from twisted.trial.unittest import SynchronousTestCase

from ajaxterm.polling import MOST_WORDS
from ajaxterm.session import Session
from ajaxterm.viewer import End
from ajaxterm.viewer_poll import ViewerPoll
from tests.ajaxterm.poller import Poller
from tests.ajaxterm.stage import Stage


class PollFixture(SynchronousTestCase):
    def setUp(self) -> None:
        self.stage = Stage(size=100_000)
        self.stage.grant("rw", lifetime=1e6)
        self.stage.grant("ro", "ro", "bob", lifetime=1e6)
        self.clock = self.stage.clock

    def attached(self, secret: str = "rw") -> Poller:
        poller = Poller(self.stage, secret)
        poller.poll()
        return poller


class PollTests(PollFixture):
    def test_first_answer(self) -> None:
        """
        It comes at once: C{hello}, and who is there; what the guest has said comes next.
        """
        self.stage.output(b"login: ")

        poller = Poller(self.stage, "rw")
        answer = poller.poll(25)

        self.assertEqual(answer.headers["content-type"], "application/octet-stream")
        self.assertEqual(poller.names(), ["hello", "viewers"])
        self.assertEqual(poller.events[0]["mode"], "rw")
        self.assertEqual((poller.output, poller.offset), (b"", 0))
        poller.poll()
        self.assertEqual((poller.output, poller.offset), (b"login: ", 7))

    def test_held_until_there_is_something(self) -> None:
        """
        A poll waits for output, and for news.
        """
        poller = self.attached()
        asking = poller.begin()
        self.assertIsNone(asking.answer)

        self.stage.output(b"ann")
        poller.take(asking)
        self.assertEqual(poller.output, b"ann")

        asking = poller.begin()
        self.stage.session.line_is("waiting", "The guest is off.")
        self.clock.flush()
        poller.take(asking)
        self.assertEqual(poller.events[-1]["message"], "The guest is off.")

    def test_one_turn_is_one_answer(self) -> None:
        """
        What comes together is answered together.
        """
        poller = self.attached()
        asking = poller.begin()

        for _ in range(10):
            self.stage.session.output(b"x")
        self.clock.flush()
        poller.take(asking)

        self.assertEqual(poller.output, b"x" * 10)

    def test_nothing_new(self) -> None:
        """
        After the time that was asked for, and 25 s at the most, there is an empty answer.
        """
        poller = self.attached()
        for wait, seconds in ((3, 3), (1000, 25)):
            asking = poller.begin(wait)
            self.clock.pass_time(seconds - 1)
            self.assertIsNone(asking.answer)
            self.clock.pass_time(1)

            self.assertEqual(poller.take(asking).body, b"")

    def test_lost_answer(self) -> None:
        """
        An answer that never arrived is answered again, the same and what has come since.
        """
        poller = self.attached()
        self.stage.output(b"one ")
        self.stage.session.line_is("waiting", "?")
        poller.begin()  # and the answer is lost
        self.stage.output(b"two")

        poller.poll()

        self.assertEqual(poller.output, b"one two")
        self.assertEqual(poller.names(), ["hello", "viewers", "line"])

    def test_seen_events_are_not_told_again(self) -> None:
        """
        What was acknowledged is gone.
        """
        poller = self.attached()

        self.assertEqual(poller.poll().body, b"")

    def test_newer_poll_ends_the_older(self) -> None:
        """
        One that reconnects does not wait for its lost connection.
        """
        poller = self.attached()
        older = poller.begin()

        newer = poller.begin()

        assert older.answer is not None
        self.assertEqual((older.answer.status, older.answer.body), (200, b""))
        self.assertIsNone(newer.answer)

    def test_gap(self) -> None:
        """
        What the ring has lost is told to the byte, also if that answer is lost.
        """
        poller = self.attached()
        self.stage.output(b"x" * 150_000)
        poller.begin()
        self.stage.output(b"y" * 50_000)

        for _ in range(3):
            poller.poll()

        self.assertEqual(poller.missed, 100_000)
        self.assertEqual(poller.output, b"x" * 50_000 + b"y" * 50_000)

    def test_long_output(self) -> None:
        """
        An answer is bounded; the rest comes with the next, and longer ones if they arrive.
        """
        self.stage = Stage()
        self.stage.grant("rw")
        poller = self.attached()
        self.stage.output(bytes(1 << 20))

        lengths = [len(poller.poll().body) >> 10 for _ in range(6)]

        self.assertEqual(lengths, [64, 128, 256, 256, 256, 64])
        self.assertEqual(poller.output, bytes(1 << 20))

    def test_bad_network(self) -> None:
        """
        Where long answers never arrive, they get shorter.
        """
        poller = self.attached()
        self.stage.output(bytes(90_000))
        for _ in range(6):
            poller.begin().transport.abortConnection()
            self.clock.flush()

        poller.poll()

        self.assertEqual(poller.offset, ViewerPoll.LEAST)

    def test_left(self) -> None:
        """
        Without a poll for a minute the viewer has left, and can come back to its seat.
        """
        watching = self.stage.attached("ro")
        poller = self.attached()
        poller.begin(25)
        self.clock.pass_time(25 + ViewerPoll.AWAY - 1)
        self.assertEqual(len(watching.event("viewers")["viewers"]), 2)
        self.clock.pass_time(1)
        self.assertEqual(len(watching.event("viewers")["viewers"]), 1)
        self.stage.output(b"x")

        answer = poller.poll()
        self.assertEqual((answer.status, json.loads(answer.body)["reason"]), (409, "gone"))
        poller.seen = 0
        poller.poll()
        poller.poll()

        self.assertTrue(poller.events[-2]["resumed"])
        self.assertEqual(poller.output, b"x")

    def test_never_confirmed(self) -> None:
        """
        A first answer that was lost does not fill the console with ghosts for long.
        """
        self.attached()

        self.clock.pass_time(ViewerPoll.UNCONFIRMED)

        self.assertEqual(self.stage.session.viewers(), [])

    def test_client_that_goes_away(self) -> None:
        """
        A poll whose connection is lost is as one that was answered.
        """
        poller = self.attached()
        poller.poll()
        poller.begin().transport.abortConnection()
        self.clock.flush()
        self.stage.output(b"x")
        self.assertEqual(len(self.stage.session.viewers()), 1)

        self.clock.pass_time(ViewerPoll.AWAY)

        self.assertEqual(self.stage.session.viewers(), [])

    def test_from_websocket_to_polls_and_back(self) -> None:
        """
        A page that can't keep its WebSocket goes on by polls, and may try again.
        """
        client = self.stage.attached("rw")
        self.stage.output(b"one ")
        hello = client.event("hello")
        poller = Poller(self.stage, "rw")
        poller.resume, poller.offset = hello["resume"], 4
        poller.poll()
        self.stage.output(b"two ")
        poller.poll()
        self.assertEqual(client.event("end")["reason"], "replaced")

        again = self.stage.attached("rw", hello["resume"], 8)
        self.stage.output(b"three")

        self.assertEqual((poller.output, again.output), (b"two ", b"three"))
        self.assertTrue(again.event("hello")["resumed"])
        self.assertEqual(poller.poll().status, 409)

    def test_end(self) -> None:
        """
        The end is told, to one that waits and to one that asks afterwards.
        """
        waiting, asking_later = self.attached(), self.attached()
        waiting.poll()
        asking = waiting.begin()

        self.stage.session.finish(End("closed", "Ann closed it.", 1000))
        self.clock.flush()
        waiting.take(asking)
        answer = asking_later.poll()

        self.assertEqual(waiting.events[-1]["message"], "Ann closed it.")
        self.assertEqual(answer.status, 409)
        self.assertEqual(json.loads(answer.body)["message"], "Ann closed it.")
        self.assertEqual(Poller(self.stage, "rw").poll().status, 409)
        self.assertNotIn("ViewerPoll", str(self.clock.getDelayedCalls()))

    def test_full(self) -> None:
        """
        A console that is full says so.
        """
        for _ in range(Session.MOST_VIEWERS):
            self.stage.attached("ro")

        answer = Poller(self.stage, "rw").poll()

        self.assertEqual((answer.status, json.loads(answer.body)["reason"]), (409, "full"))

    def test_too_much_news(self) -> None:
        """
        A viewer that never asks is not kept more news for than 256; it has to attach anew.
        """
        poller = self.attached()

        for number in range(ViewerPoll.MOST_EVENTS):
            self.stage.session.line_is("waiting", str(number))

        self.assertEqual(self.stage.session.viewers(), [])
        self.assertEqual(poller.poll().status, 409)

    def test_what_is_no_question(self) -> None:
        """
        400 for what can't be understood, 409 for who is not known; GET is 405.
        """
        poller = self.attached()
        for said, status in [
            ({"resume": poller.resume, "offset": 0, "seen": -1}, 400),
            ({"resume": poller.resume, "offset": 0, "seen": True}, 400),
            ({"resume": poller.resume, "offset": 0, "seen": "1"}, 400),
            ({"resume": poller.resume, "offset": 1, "seen": 1}, 400),
            ({"resume": poller.resume, "seen": 1}, 400),
            ({"resume": poller.resume, "offset": 0, "seen": 1, "wait": "1"}, 400),
            ({"resume": "nobody", "offset": 0, "seen": 1}, 409),
            ({"resume": poller.resume, "console": "x", "offset": 0, "seen": 1}, 409),
            ([], 400),
        ]:
            answer = poller.post("poll", json.dumps(said).encode()).answer
            assert answer is not None
            self.assertEqual(answer.status, status, said)
        for path in ("poll", "input", "say"):
            self.assertEqual(self.stage.ask("GET", f"/{path}", "rw").status, 405)
            self.assertEqual(self.stage.ask("POST", f"/{path}", "wrong").status, 403)
        long = poller.post("say", b" " * MOST_WORDS + b"{}").answer
        assert long is not None
        self.assertEqual(long.status, 413)
