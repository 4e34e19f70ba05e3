"""
Tests for L{ajaxterm.viewer_v1}: docs/protocol.md, line by line.
"""

from __future__ import annotations

from ajaxterm.frames import V1
from ajaxterm.viewer_v1 import ViewerV1
from tests.ajaxterm.stage import Stage
from tests.ajaxterm.v1 import V1Fixture


class HelloTests(V1Fixture):
    def test_hello(self) -> None:
        """
        The first event has all the fields, and the first viewer starts at the beginning.
        """
        self.stage.output(b"login: ")

        client = self.stage.attached("rw")

        hello = client.events[0]
        self.assertEqual(len(hello.pop("resume")), 24)
        self.assertEqual(
            hello,
            {
                "event": "hello",
                "version": 1,
                "console": self.stage.session.id,
                "viewer": "v1",
                "resumed": False,
                "mode": "rw",
                "offset": 0,
                "live": 7,
                "input": 0,
                "title": "web1 serial0",
                "resizable": False,
                "abilities": ["end_session"],
                "keyboard": None,
                "recording": False,
                "ending": None,
                "notices": [],
                "release": "1.2.3",
                "line": {"state": "live", "message": ""},
            },
        )
        self.assertEqual(client.output, b"login: ")

    def test_hello_comes_before_output(self) -> None:
        """
        Nothing is sent until the viewer has said where it wants to begin; then C{hello} first.
        """
        self.stage.output(b"login: ")
        client = self.stage.dial("rw", V1)
        self.stage.output(b"ann")
        self.assertEqual((client.events, client.frames), ([], []))

        client.attach(None, 7)
        self.settle()

        self.assertEqual(client.names(), ["hello", "viewers"])
        self.assertEqual(client.event("hello")["offset"], 7)
        self.assertEqual(client.output, b"ann")

    def test_replay_and_what_is_new(self) -> None:
        """
        C{live} tells replay from what is new, also in a long replay.
        """
        self.stage.output(b"x" * 300_000)
        client = self.stage.attached("rw")

        self.stage.output(b"y")

        self.assertEqual(client.event("hello")["live"], 300_000)
        self.assertEqual(client.output, b"x" * 300_000 + b"y")

    def test_attach_within_ten_seconds(self) -> None:
        """
        A client that says nothing is sent away.
        """
        client = self.stage.dial("rw", V1)

        self.settle(ViewerV1.PATIENCE - 0.1)
        self.assertIsNone(client.closed)
        self.settle(0.2)

        self.assertEqual(client.closed, 1002)

    def test_attached_client_may_be_silent(self) -> None:
        """
        The ten seconds are over with C{attach}.
        """
        client = self.stage.attached("rw")

        self.settle(ViewerV1.PATIENCE + 1)

        self.assertIsNone(client.closed)

    def test_attach_is_first(self) -> None:
        """
        Keys or another word before C{attach} are a mistake.
        """
        for message in (b"ls\r", {"do": "ping", "sent": 1}, {}):
            client = self.stage.dial("rw", V1)
            self.stage.send(client, message)
            self.assertEqual(client.closed, 1002)
        self.assertEqual(self.stage.line.typed, b"")

    def test_strange_fields_are_as_null(self) -> None:
        """
        What can't be an offset or a key is none; unknown fields are ignored.
        """
        self.stage.output(b"abc")
        for strange in (True, 1.5, "1", [], {}, -1, 10**30):
            client = self.stage.dial("rw", V1)
            attach = {"do": "attach", "resume": strange, "offset": strange, "more": 1}
            self.stage.send(client, attach)
            self.assertEqual(client.event("hello")["offset"], 0)
            self.assertFalse(client.event("hello")["resumed"])


class ResumeTests(V1Fixture):
    def test_nothing_lost_and_nothing_twice(self) -> None:
        """
        The network fails with keys and output on their way: with key and offset both go on.
        """
        first = self.stage.attached("rw")
        self.stage.output(b"one ")
        self.stage.send(first, b"abc")
        first.transport.abortConnection()
        self.stage.output(b"two ")

        again = self.stage.attached("rw", first.event("hello")["resume"], len(first.output))
        self.stage.output(b"three")

        hello = again.event("hello")
        self.assertEqual((hello["resumed"], hello["viewer"], hello["input"]), (True, "v1", 3))
        self.assertEqual(first.output + again.output, b"one two three")

    def test_offsets_that_are_gone_or_never_were(self) -> None:
        """
        Too low an offset is answered by the oldest there is, one that does not exist too.
        """
        stage = self.stage = Stage(size=4096)
        stage.grant("rw")
        stage.output(bytes(5000))

        for asked in (10, 6000):
            client = stage.attached("rw", None, asked)
            self.assertEqual(client.event("hello")["offset"], 904)

    def test_half_open_connection_is_replaced(self) -> None:
        """
        A laptop wakes up and is back before the server noticed that it was gone.
        """
        first = self.stage.attached("rw")

        again = self.stage.attached("rw", first.event("hello")["resume"], 0)

        self.assertEqual(first.event("end")["reason"], "replaced")
        self.assertEqual(first.closed, 1000)
        self.assertEqual(len(again.event("viewers")["viewers"]), 1)


class InputTests(V1Fixture):
    def test_input_is_typed_and_counted(self) -> None:
        """
        Keys arrive at once; soon the page hears how many, together.
        """
        client = self.stage.attached("rw")

        self.stage.send(client, b"ls")
        self.stage.send(client, b"\r")
        self.assertEqual(self.stage.line.typed, b"ls\r")
        self.assertNotIn("counted", client.names())
        self.settle(ViewerV1.COUNT_DELAY + 0.05)
        self.stage.send(client, b"x")
        self.settle(ViewerV1.COUNT_DELAY + 0.05)

        counted = [event["input"] for event in client.events if event["event"] == "counted"]
        self.assertEqual(counted, [3, 4])

    def test_watcher_is_refused(self) -> None:
        """
        A C{ro} viewer that types is told that it may only watch.
        """
        client = self.stage.attached("ro")
        self.assertEqual(client.event("hello")["mode"], "ro")

        self.stage.send(client, b"reboot\r")

        self.assertEqual(client.names()[-2:], ["counted", "refused"])
        self.assertEqual(client.event("refused")["what"], "input")
        self.assertEqual(client.event("counted"), {"event": "counted", "input": 7, "dropped": 7})
        self.assertEqual(self.stage.line.typed, b"")

    def test_held_input_goes_on(self) -> None:
        """
        Keys that the guest can't take wait, uncounted, and go on in their order; meanwhile
        the page is answered, so that it does not take the connection for dead.
        """
        client = self.stage.attached("rw")
        self.stage.session.hold_input(True)
        self.stage.send(client, b"a" * 1000)
        self.stage.send(client, b"b" * 1000)

        self.assertEqual(self.said(client, {"do": "ping", "sent": 1})["event"], "pong")
        self.assertEqual(self.stage.line.typed, b"")
        self.stage.session.hold_input(False)
        self.settle(0.2)

        self.assertEqual(self.stage.line.typed, b"a" * 1000 + b"b" * 1000)
        self.assertEqual(client.event("counted")["input"], 2000)

    def test_held_input_is_bounded(self) -> None:
        """
        Of a long paste the rest waits in the browser's connection.
        """
        client = self.stage.attached("rw")
        self.stage.session.hold_input(True)
        for _ in range(100):
            self.stage.send(client, b"x" * 10_000)

        self.assertEqual(self.stage.line.typed, b"")
        [stuck] = self.stage.clock.getWriters()
        self.assertGreater(stuck.queued, 500_000)
        self.stage.session.hold_input(False)
        self.settle()

        self.assertEqual(len(self.stage.line.typed), 1_000_000)


class EventTests(V1Fixture):
    def test_viewers(self) -> None:
        """
        Everybody hears who is there, and whose terminal answers.
        """
        watcher, writer = self.stage.attached("ro"), self.stage.attached("rw")

        self.assertEqual(watcher.event("viewers"), writer.event("viewers"))
        self.assertEqual(
            watcher.event("viewers"),
            {
                "event": "viewers",
                "viewers": [
                    {"name": "v1", "user": "bob", "mode": "ro"},
                    {"name": "v2", "user": "ann", "mode": "rw"},
                ],
                "answering": "v2",
            },
        )

    def test_line(self) -> None:
        """
        The guest's side is told in C{hello}, and at every change.
        """
        self.stage.session.line_is("waiting", "The guest is off.")
        client = self.stage.attached("rw")
        line = {"state": "waiting", "message": "The guest is off."}
        self.assertEqual(client.event("hello")["line"], line)

        self.stage.output(b"ok\n")
        self.stage.session.line_is("live")
        self.settle()

        self.assertEqual(
            client.event("line"), {"event": "line", "state": "live", "message": "", "offset": 3}
        )

    def test_pong(self) -> None:
        """
        A ping is answered with its own number.
        """
        client = self.stage.attached("rw")

        for sent in (0, 12345.678, -1):
            answer = self.said(client, {"do": "ping", "sent": sent})
            self.assertEqual(answer, {"event": "pong", "sent": sent})

    def test_pong_to_what_is_no_number(self) -> None:
        """
        Only a number comes back, and only as JSON knows them.
        """
        client = self.stage.attached("rw")

        for sent in ('"x"', "[]", "true", "null", "1e999", "-1e999"):
            answer = self.said(client, f'{{"do": "ping", "sent": {sent}}}')
            self.assertEqual(answer, {"event": "pong", "sent": None})

    def test_unknown_wish_is_refused(self) -> None:
        """
        What the server does not know it says; also a second C{attach}.
        """
        client = self.stage.attached("rw")

        for said, what in [
            ({"do": "dance"}, "dance"),
            ({"do": "attach"}, "attach"),
            ({"do": "x" * 100}, "x" * 40),
            ({"do": None}, "None"),
            ({}, "None"),
        ]:
            answer = self.said(client, said)
            self.assertEqual((answer["event"], answer["what"]), ("refused", what))
        self.assertIsNone(client.closed)

    def test_size(self) -> None:
        """
        Where a terminal has a size, rows and columns from 1 to 1000 set it.
        """
        self.stage = Stage(resizable=True)
        self.stage.grant("rw")
        client = self.stage.attached("rw")
        self.assertTrue(client.event("hello")["resizable"])

        self.stage.send(client, {"do": "size", "rows": 1, "columns": 1000})
        self.assertEqual(self.stage.line.sizes, [(1, 1000)])

        for rows, columns in [(0, 80), (24, 1001), (True, 80), (24.0, 80), ("24", 80), (None, 1)]:
            answer = self.said(client, {"do": "size", "rows": rows, "columns": columns})
            self.assertEqual((answer["event"], answer["what"]), ("refused", "size"))
        self.assertEqual(self.stage.line.sizes, [(1, 1000)])

    def test_size_of_a_serial_line(self) -> None:
        """
        Where it has none, the wish is refused.
        """
        client = self.stage.attached("rw")

        answer = self.said(client, {"do": "size", "rows": 24, "columns": 80})

        self.assertEqual((answer["event"], answer["what"]), ("refused", "size"))
