"""
Tests for L{ajaxterm.wishes} and L{ajaxterm.keyboard}: what viewers may ask for.
"""

from __future__ import annotations

from typing import Any

from ajaxterm.idleness import Limits
from ajaxterm.keyboard import Keyboard
from ajaxterm.wishes import Wishes, greeting
from tests.ajaxterm.test_session import SessionFixture
from tests.ajaxterm.viewers import FakeViewer


class WishesFixture(SessionFixture):
    limits = Limits(idle=0.0)

    def setUp(self) -> None:
        super().setUp()
        self.wishes = Wishes(self.session)
        self.ann = self.attached(self.grant("ann", lifetime=1e6))
        self.bob = self.attached(self.grant("bob", lifetime=1e6))
        self.eve = self.attached(self.grant("eve", "ro", lifetime=1e6))

    def asks(self, viewer: FakeViewer, do: str, **words: Any) -> str:
        """
        @return: the refusal; nothing if it was done.
        """
        answer = self.wishes.hear(viewer.seat, {"do": do, **words})
        if answer is None:
            return ""
        self.assertEqual((answer["event"], answer["what"]), ("refused", do))
        return str(answer["message"])

    def holders(self, viewer: FakeViewer) -> list[tuple[object, object]]:
        """
        @return: who has had the keyboard by whose doing, as C{viewer} was told.
        """
        return [(e["holder"], e["by"]) for e in viewer.events if e["event"] == "keyboard"]

    def types(self, viewer: FakeViewer) -> str:
        return self.session.typed(viewer.seat, b"x")


class KeyboardTests(WishesFixture):
    def test_taken(self) -> None:
        """
        Who takes the keyboard types alone; everybody is told, at which byte, and who comes
        later finds it in C{hello}.
        """
        self.session.output(b"login: ")

        self.assertEqual(self.asks(self.ann, "take_keyboard"), "")

        expected = {"event": "keyboard", "holder": "v1", "by": "v1", "offset": 7}
        self.assertEqual(self.eve.events[-1], expected)
        self.assertEqual(self.types(self.ann), "")
        self.assertEqual(self.types(self.bob), "user of ann (v1) has the keyboard.")
        self.assertEqual(self.line.typed, b"x")
        hello = greeting(self.session, self.eve.seat, False, "1.0")
        self.assertEqual(hello["keyboard"], "v1")

    def test_last_taker_wins(self) -> None:
        """
        What the other has typed, and the guest has not taken, is dropped.
        """
        self.asks(self.ann, "take_keyboard")
        self.session.hold_input(True)
        self.session.typed(self.ann.seat, b"rm -rf /")

        self.asks(self.bob, "take_keyboard")
        self.session.typed(self.bob.seat, b"ls")
        self.session.hold_input(False)

        self.assertEqual(self.line.typed, b"ls")
        self.assertEqual((self.ann.dropped, self.ann.seat.counted), (8, 8))
        self.assertNotEqual(self.types(self.ann), "")

    def test_given(self) -> None:
        """
        The holder can give it to another one, or to all.
        """
        self.asks(self.ann, "take_keyboard")

        self.assertEqual(self.asks(self.ann, "give_keyboard", to="v2"), "")
        self.assertNotEqual(self.types(self.ann), "")
        self.assertEqual(self.asks(self.bob, "give_keyboard", to=None), "")
        self.assertEqual(self.types(self.ann), "")

        self.assertEqual(self.holders(self.eve), [("v1", "v1"), ("v2", "v1"), (None, "v2")])

    def test_who_can_not_give(self) -> None:
        """
        Not one who does not have it, nor to somebody who may not type or is not there.
        """
        self.assertIn("Nobody has", self.asks(self.ann, "give_keyboard", to=None))
        self.asks(self.ann, "take_keyboard")

        self.assertIn("(v1) has the", self.asks(self.bob, "give_keyboard", to="v2"))
        for name in ("v3", "v9", "", 7, []):
            self.assertIn("Nobody of that", self.asks(self.ann, "give_keyboard", to=name))

        self.assertEqual(self.holders(self.eve), [("v1", "v1")])

    def test_watcher_has_no_part_in_it(self) -> None:
        """
        Who may only watch can neither take the keyboard nor give it.
        """
        self.assertIn("only watch", self.asks(self.eve, "take_keyboard"))
        self.assertIn("only watch", self.asks(self.eve, "give_keyboard", to=None))

    def test_holder_that_comes_back(self) -> None:
        """
        A holder whose network fails for a moment has the keyboard still.
        """
        self.asks(self.ann, "take_keyboard")
        self.ann.leave()
        self.clock.advance(Keyboard.KEPT - 1)
        again = self.viewer()
        again.attach(self.ann.seat.grant, self.ann.seat.key)

        self.clock.advance(Keyboard.KEPT)

        self.assertEqual(self.holders(self.eve), [("v1", "v1")])
        self.assertEqual(self.types(again), "")

    def test_holder_that_does_not(self) -> None:
        """
        Some seconds later all can type again.
        """
        self.asks(self.ann, "take_keyboard")
        self.ann.leave()
        self.assertNotEqual(self.types(self.bob), "")

        self.clock.advance(Keyboard.KEPT)

        self.assertEqual(self.holders(self.eve), [("v1", "v1"), (None, "v1")])
        self.assertEqual(self.types(self.bob), "")

    def test_absent_holder_can_be_overruled(self) -> None:
        """
        Until then whoever may type can give its keyboard on.
        """
        self.asks(self.ann, "take_keyboard")
        self.ann.leave()

        self.assertEqual(self.asks(self.bob, "give_keyboard", to=None), "")

        self.assertEqual(self.types(self.bob), "")
        self.clock.advance(Keyboard.KEPT)
        self.assertEqual(len(self.holders(self.eve)), 2)

    def test_revoked_holder(self) -> None:
        """
        Leave withdrawn is a keyboard that is free, present or absent.
        """
        self.asks(self.ann, "take_keyboard")
        self.session.revoke("ann")
        self.assertEqual(self.types(self.bob), "")

        self.asks(self.bob, "take_keyboard")
        self.bob.leave()
        self.session.revoke("bob")

        self.assertEqual(self.holders(self.eve)[1:], [(None, "v1"), ("v2", "v2"), (None, "v2")])

    def test_holder_that_may_only_watch_now(self) -> None:
        """
        One that comes back under a grant which was given anew as C{ro} holds nothing.
        """
        self.asks(self.ann, "take_keyboard")
        self.ann.leave()

        self.viewer().attach(self.grant("ann", "ro"), self.ann.seat.key)

        self.assertEqual(self.types(self.bob), "")


class OtherWishesTests(WishesFixture):
    def test_input_is_cancelled(self) -> None:
        """
        Of a paste the rest is dropped, and counted, so that it is not sent again.
        """
        self.session.hold_input(True)
        self.session.typed(self.ann.seat, b"12345")
        self.session.typed(self.bob.seat, b"67")

        self.assertEqual(self.asks(self.ann, "cancel_input"), "")
        self.session.hold_input(False)

        self.assertEqual(self.line.typed, b"67")
        self.assertEqual((self.ann.dropped, self.ann.seat.counted), (5, 5))

    def test_input_is_cancelled_below_a_number(self) -> None:
        """
        What was typed after the cancel stays, though the wish comes late; what was typed
        before it and comes later is counted already.
        """
        self.session.hold_input(True)
        self.session.typed(self.ann.seat, b"12345after")

        self.assertEqual(self.asks(self.ann, "cancel_input", below=5), "")
        self.assertEqual((self.ann.dropped, self.ann.seat.counted), (5, 5))
        self.assertEqual(self.asks(self.ann, "cancel_input", below=5), "")
        self.assertEqual(self.ann.events[-1], {"event": "counted", "input": 5})
        self.asks(self.bob, "cancel_input", below=1000)
        self.session.hold_input(False)

        self.assertEqual(self.line.typed, b"after")
        self.assertEqual((self.ann.seat.counted, self.bob.seat.counted), (10, 1000))
        for below in (-1, 1.5, True, "5", 1 << 53):
            self.assertNotEqual(self.asks(self.ann, "cancel_input", below=below), "")

    def test_session_is_ended(self) -> None:
        """
        Who may type can end the console for all, who hear who did.
        """
        self.assertIn("only watch", self.asks(self.eve, "end_session"))

        self.assertEqual(self.asks(self.ann, "end_session"), "")

        [end] = self.ends
        self.assertEqual((end.reason, end.retry), ("closed", False))
        self.assertIn("user of ann (v1)", end.message)
        self.assertEqual(self.eve.ends, [end])

    def test_break_and_sysrq(self) -> None:
        """
        Where the agent can do it, it is asked for it; else the wish is refused.
        """
        self.assertIn("can't take that", self.asks(self.ann, "break"))
        self.session.additions.able(["break", "sysrq"])
        told = {"event": "abilities", "abilities": ["size", "end_session", "break", "sysrq"]}
        self.assertEqual(self.eve.events[-1], told)
        self.reports.clear()

        self.assertEqual(self.asks(self.ann, "break"), "")
        self.assertEqual(self.asks(self.bob, "sysrq", key="b"), "")
        for key in (None, "", "bb", "é", "\n", 7):
            self.assertIn("letter or a digit", self.asks(self.ann, "sysrq", key=key))
        self.assertIn("only watch", self.asks(self.eve, "break"))

        ann = {"event": "wish", "what": "break", "viewer": "v1", "user": "user of ann"}
        bob = {"event": "wish", "what": "sysrq", "viewer": "v2", "user": "user of bob", "key": "b"}
        self.assertEqual(self.reports, [ann, bob])

    def test_notices(self) -> None:
        """
        A notice lasts until it is taken back, for those who come later too.
        """
        additions = self.session.additions
        for message in ("It is silent.", "It is silent.", "It is very silent."):
            additions.notice("silent", message)
        hello = greeting(self.session, self.eve.seat, False, "1.0")
        self.assertEqual(hello["notices"], [{"name": "silent", "message": "It is very silent."}])

        additions.notice("silent", "")
        additions.notice("unknown", "")

        told = [e["message"] for e in self.eve.events if e["event"] == "notice"]
        self.assertEqual(told, ["It is silent.", "It is very silent.", ""])
        self.assertEqual(additions.notices(), [])

    def test_prefill(self) -> None:
        """
        What the guest said earlier comes first, in parts, with a mark behind it; once the
        guest itself has spoken it is too late.
        """
        additions = self.session.additions

        self.assertTrue(additions.prefill(b"booting"))
        additions.mark("a\x1bb")
        self.assertTrue(additions.prefill(b"..."))
        self.session.output(b"login: ")
        self.assertFalse(additions.prefill(b"more"))

        shown = b"booting\r\n\x1b[0;7m a b \x1b[0m\r\n...login: "
        self.assertEqual(self.ann.output, shown)


class LimitsTests(SessionFixture):
    limits = Limits(idle=0.0, input=100.0, watching=100.0)

    def test_guest_that_is_down_is_watched_only(self) -> None:
        """
        While the guest is down nobody can type, so the limit for watchers runs; in the page
        there is a countdown, in C{hello} too, which can be called off.
        """
        viewer = self.attached(self.grant(lifetime=1e6))
        self.clock.advance(10)
        self.session.typed(viewer.seat, b"x")
        self.session.line_is("waiting", "The guest is off.", down=True)
        self.clock.advance(60)
        hello = greeting(self.session, viewer.seat, False, "1.0")
        self.assertEqual(hello["ending"]["in"], 40.0)

        self.assertIsNone(Wishes(self.session).hear(viewer.seat, {"do": "stay"}))
        self.assertEqual(viewer.events[-1], {"event": "ending", "reason": None})
        self.clock.pump([99, 1])

        self.assertEqual(len(self.ends), 1)

    def test_coming_back_is_no_use(self) -> None:
        """
        A tab that reconnects all by itself does not keep a console for ever; a new viewer that
        may type starts the time anew.
        """
        grant = self.grant(lifetime=1e6)
        viewer = self.attached(grant)
        self.clock.advance(80)
        self.attached(grant)
        self.clock.advance(80)
        viewer.attach(grant, viewer.seat.key)
        self.assertEqual(self.ends, [])

        self.clock.advance(20)

        self.assertEqual([end.reason for end in self.ends], ["input"])
