"""
Tests for how L{ajaxterm.session} takes what is typed.
"""

from __future__ import annotations

from tests.ajaxterm.test_session import SessionFixture


class InputTests(SessionFixture):
    def test_keys_reach_the_line_counted(self) -> None:
        """
        What is typed arrives, and is counted.
        """
        viewer = self.attached(self.grant())

        self.assertEqual(self.session.typed(viewer.seat, b"ls\r"), "")

        self.assertEqual(self.line.typed, b"ls\r")
        self.assertEqual(viewer.seat.counted, 3)

    def test_watcher_types_nothing(self) -> None:
        """
        What a C{ro} viewer types is counted and dropped, so that it does not send it again.
        """
        viewer = self.attached(self.grant(mode="ro"))

        self.assertIn("only watch", self.session.typed(viewer.seat, b"reboot\r"))

        self.assertEqual(self.line.typed, b"")
        self.assertEqual((viewer.seat.counted, viewer.dropped), (7, 7))

    def test_stuck_line_is_told(self) -> None:
        """
        While the guest takes no input everybody knows, latecomers too; one that takes it in
        pieces is not worth mentioning.
        """
        grant = self.grant()
        early = self.attached(grant)
        for _ in range(10):
            self.session.hold_input(True)
            self.clock.advance(0.4)
            self.session.hold_input(False)
        self.assertNotIn("held", early.names())

        self.session.hold_input(True)
        self.clock.advance(0.5)
        late = self.attached(grant)
        self.session.hold_input(False)

        for viewer in (early, late):
            told = [event["held"] for event in viewer.events if event["event"] == "held"]
            self.assertEqual(told, [True, False])

    def test_guest_that_is_down_takes_nothing(self) -> None:
        """
        While the guest is down, what is typed is refused with the reason, and what it had not
        taken is dropped; both are counted. When it is back, it starts with nothing.
        """
        viewer = self.attached(self.grant())
        self.session.hold_input(True)
        self.session.typed(viewer.seat, b"half of a comm")

        self.session.line_is("waiting", "The guest is off.", down=True)
        self.session.line_is("waiting", "The line to the guest is interrupted.")
        refusal = self.session.typed(viewer.seat, b"and")
        self.session.hold_input(False)
        self.session.line_is("live")
        self.session.typed(viewer.seat, b"\r")

        self.assertEqual(refusal, "The guest is off.")
        self.assertEqual(self.line.typed, b"\r")
        self.assertEqual((viewer.dropped, viewer.seat.counted), (17, 18))

    def test_what_was_not_counted_comes_again(self) -> None:
        """
        A tab whose network fails while its keys wait sends them again, so those are forgotten.
        """
        grant = self.grant()
        viewer = self.attached(grant)
        self.session.hold_input(True)
        self.session.typed(viewer.seat, b"ls\r")
        viewer.leave()

        self.session.hold_input(False)
        again = self.viewer()
        again.attach(grant, viewer.seat.key)

        self.assertEqual((self.line.typed, again.seat.counted), (b"", 0))

    def test_what_was_meant_for_another_boot(self) -> None:
        """
        A tab whose network failed before the guest went down is not asked for the rest, whether
        that failure was seen here or not; what it types then is its business as before.
        """
        grant = self.grant()
        absent, silent = self.attached(grant), self.attached(grant)
        absent.leave()
        self.session.line_is("waiting", "The guest is off.", down=True)
        self.session.line_is("live")

        for viewer in (absent, silent):
            again = self.viewer()
            self.assertFalse(again.attach(grant, viewer.seat.key))
            self.assertIs(again.seat, viewer.seat)
            again.leave()
            self.assertTrue(self.viewer().attach(grant, viewer.seat.key))

    def test_who_goes_on_typing_after_a_boot(self) -> None:
        """
        One that was there all the time sends again what it has typed at the new boot.
        """
        viewer = self.attached(self.grant())
        self.session.line_is("waiting", "The guest is off.", down=True)
        self.session.line_is("waiting", "The guest is still off.", down=True)
        self.session.line_is("live")
        self.session.typed(viewer.seat, b"root\r")
        viewer.leave()

        self.assertTrue(self.viewer().attach(viewer.seat.grant, viewer.seat.key))
