"""
Tests for L{ajaxterm.viewer_v1}: how a viewer's connection ends, by docs/protocol.md.
"""

from __future__ import annotations

from ajaxterm.frames import V1, WebSocket
from ajaxterm.session import Session
from ajaxterm.viewer import End
from tests.ajaxterm.v1 import V1Fixture


class CloseTests(V1Fixture):
    def test_end_then_close_code(self) -> None:
        """
        The last event says why; the close code follows.
        """
        for end in (
            End("idle", "Nobody was here.", 1000),
            End("leaving", "Stopping.", 1001, retry=True),
        ):
            self.setUp()
            client = self.stage.attached("rw")

            self.stage.session.finish(end)
            self.settle()

            self.assertEqual(
                client.events[-1],
                {
                    "event": "end",
                    "reason": end.reason,
                    "message": end.message,
                    "retry": end.retry,
                },
            )
            self.assertEqual(client.closed, end.code)
            self.assertTrue(client.lost)

    def test_too_late(self) -> None:
        """
        Who comes, or comes back, when it is over is told how it ended.
        """
        self.stage.session.finish(End("closed", "Ann closed it.", 1000))

        client = self.stage.attached("rw")
        plain = self.stage.plain("rw")
        self.settle()

        self.assertEqual(client.names(), ["end"])
        self.assertEqual(client.event("end")["message"], "Ann closed it.")
        self.assertEqual((client.closed, plain.closed), (1000, 1000))

    def test_revoked(self) -> None:
        """
        4003, and no use in coming back.
        """
        client = self.stage.attached("rw")

        self.stage.session.revoke("g-rw")
        self.settle()

        self.assertEqual((client.closed, client.event("end")["retry"]), (4003, False))

    def test_revoked_before_attach(self) -> None:
        """
        The same for one whose grant goes between its handshake and C{attach}.
        """
        client = self.stage.dial("rw", V1)
        self.stage.session.revoke("g-rw")

        client.attach()
        self.settle()

        self.assertEqual(client.names(), ["end"])
        self.assertEqual((client.closed, client.output), (4003, b""))

    def test_full(self) -> None:
        """
        4029, and coming back later can help.
        """
        for _ in range(Session.MOST_VIEWERS):
            self.stage.attached("rw")

        client = self.stage.attached("rw")

        self.assertEqual((client.closed, client.event("end")["retry"]), (4029, True))

    def test_what_is_not_json(self) -> None:
        """
        A text message that is not one JSON object is 1007.
        """
        for text in ("", "hello", "[]", "1", '"x"', "{", '{"do": NaN}', "[" * 100_000):
            client = self.stage.attached("rw")
            self.stage.send(client, text)
            self.assertEqual(client.closed, 1007, text[:20])

    def test_too_long(self) -> None:
        """
        A message of more than 1 MiB is 1009, and typed not even in part.
        """
        client = self.stage.attached("rw")

        self.stage.send(client, b"x" * (WebSocket.LONGEST + 1))

        self.assertEqual(client.closed, 1009)
        self.assertEqual(self.stage.line.typed, b"")

    def test_dead_viewer_is_noticed(self) -> None:
        """
        A laptop that was closed is gone within 45 s, and its place is kept.
        """
        client = self.stage.attached("rw")
        client.answer_pings = False

        self.stage.clock.pass_time(3 * WebSocket.PING_EVERY)

        self.assertEqual(self.stage.session.viewers(), [])
        again = self.stage.attached("rw", client.event("hello")["resume"], 0)
        self.assertTrue(again.event("hello")["resumed"])

    def test_silent_viewer_stays(self) -> None:
        """
        One that answers pings may just look, for hours.
        """
        client = self.stage.attached("rw")

        self.stage.clock.pass_time(3600, step=15)

        self.assertFalse(client.lost)
        self.assertEqual(client.pings, 240)

    def test_sent_elsewhere(self) -> None:
        """
        A proxy that is being stopped sends away who came through it under a grant, and
        nobody else: they go on where they were, through another one.
        """
        through = {"X-Ajaxterm-Through": "proxy1"}
        client = self.stage.attached("rw", **through)
        plain = self.stage.plain("rw", **through)
        others = [
            self.stage.attached("rw"),
            self.stage.attached("rw", **{"X-Ajaxterm-Through": "proxy2"}),
            self.stage.attached("ro", **through),
        ]
        self.stage.send(client, b"typed")
        hello = client.event("hello")

        answer = self.stage.ask("POST", "/elsewhere", "rw", through)
        self.settle()

        self.assertEqual(answer.status, 204)
        end = client.event("end")
        self.assertEqual((end["reason"], end["retry"], client.closed), ("leaving", True, 1001))
        self.assertEqual(plain.closed, 1001)
        self.assertEqual([other.closed for other in others], [None, None, None])
        again = self.stage.attached("rw", hello["resume"], hello["offset"]).event("hello")
        self.assertEqual((again["resumed"], again["input"]), (True, 5))

    def test_sent_elsewhere_by_nobody(self) -> None:
        """
        Who names no proxy sends nobody away; nor can it be done without leave, or by a GET.
        """
        client = self.stage.attached("rw")
        through = {"X-Ajaxterm-Through": "proxy1"}

        self.assertEqual(self.stage.ask("POST", "/elsewhere", "rw").status, 400)
        self.assertEqual(self.stage.ask("POST", "/elsewhere", "none", through).status, 403)
        self.assertEqual(self.stage.ask("GET", "/elsewhere", "rw", through).status, 405)
        self.assertIsNone(client.closed)
