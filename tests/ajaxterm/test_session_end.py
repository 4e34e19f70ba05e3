"""
Tests for how L{ajaxterm.session} ends: for one viewer, for one grant, for all.
"""

from __future__ import annotations

from ajaxterm.idleness import Limits
from ajaxterm.leaving import Leaving
from ajaxterm.viewer import End
from tests.ajaxterm.test_session import SessionFixture


class RevokeTests(SessionFixture):
    def test_viewers_of_a_revoked_grant_are_cut(self) -> None:
        """
        Withdrawn leave ends what is open under it, and nothing else.
        """
        ann, eve = self.grant("ann"), self.grant("eve")
        kept, cut, absent = self.attached(ann), self.attached(eve), self.attached(eve)
        absent.leave()

        self.assertTrue(self.session.revoke("eve"))
        self.assertFalse(self.session.revoke("eve"))

        self.assertEqual([(end.code, end.retry) for end in cut.ends], [(4003, False)])
        self.assertEqual(cut.names()[-1], "end")
        self.assertEqual(kept.ends, [])
        self.assertEqual([viewer["name"] for viewer in kept.events[-1]["viewers"]], ["v1"])
        self.assertIsNone(self.grants.find("eve"))

    def test_seat_of_a_revoked_grant_is_gone(self) -> None:
        """
        Given leave again later, a viewer is a new one.
        """
        viewer = self.attached(self.grant())
        viewer.leave()
        self.session.revoke("g1")

        self.assertFalse(self.viewer().attach(self.grant(), viewer.seat.key))

    def test_input_that_was_waiting(self) -> None:
        """
        Whoever is sent away hears before that what of its input never got to the guest.
        """
        viewer = self.attached(self.grant())
        self.session.hold_input(True)
        self.session.typed(viewer.seat, b"ls\r")

        self.session.revoke("g1")
        self.session.hold_input(False)

        self.assertEqual((viewer.dropped, self.line.typed), (3, b""))


class FinishTests(SessionFixture):
    def test_everybody_is_told_once_and_sent_away(self) -> None:
        """
        The last thing each viewer hears is why the console ended, with no news in between of
        the others leaving.
        """
        grant = self.grant()
        viewers = [self.attached(grant) for _ in range(3)]
        before = len(viewers[2].events)
        end = End("closed", "Closed by the administrator.", 1000)

        self.session.finish(end)
        self.session.finish(End("idle", "", 1000))

        self.assertEqual(self.ends, [end])
        for viewer in viewers:
            self.assertEqual(viewer.ends, [end])
        self.assertEqual(
            viewers[2].events[before:],
            [
                {
                    "event": "end",
                    "reason": "closed",
                    "message": "Closed by the administrator.",
                    "retry": False,
                }
            ],
        )
        self.assertEqual(self.session.viewers(), [])

    def test_who_is_expected_back(self) -> None:
        """
        Who lost its connection a moment ago is to hear of the end; who left long ago is not
        waited for.
        """
        gone, broken = self.attached(self.grant()), self.attached(self.grant())
        gone.leave()
        self.clock.advance(self.session.EXPECTED)
        broken.leave()
        self.clock.advance(1)
        other = self.viewer()
        other.attach(broken.seat.grant, broken.seat.key)

        self.session.finish(End("closed", "", 1000))

        self.assertTrue(self.session.all_told)

    def test_who_has_just_gone(self) -> None:
        """
        One that lost its connection and is not back yet has been told nothing; unless it is
        for its absence that the console ends.
        """
        for reason, told in (("closed", False), ("idle", True)):
            self.setUp()
            self.attached(self.grant()).leave()
            self.clock.advance(1)

            self.session.finish(End(reason, "", 1000))

            self.assertEqual(self.session.all_told, told)

    def test_nothing_is_typed_after_the_end(self) -> None:
        """
        Keys on their way when a console ends do not reach the guest.
        """
        viewer = self.attached(self.grant())
        self.session.finish(End("closed", "", 1000))

        self.assertNotEqual(self.session.typed(viewer.seat, b"x"), "")

        self.assertEqual(self.line.typed, b"")

    def test_input_that_was_waiting(self) -> None:
        """
        When the console ends, viewers hear that what waited will not be typed, and nothing of
        the kind if nothing did.
        """
        grant = self.grant()
        typing, other = self.attached(grant), self.attached(grant)
        told: list[tuple[int, list[str]]] = []
        typing.counted = lambda dropped: told.append((dropped, typing.names()))  # type: ignore[method-assign]
        other.counted = lambda dropped: told.append((dropped, []))  # type: ignore[method-assign]
        self.session.hold_input(True)
        self.session.typed(typing.seat, b"ls\r")

        self.session.finish(End("closed", "", 1000))

        [(dropped, before)] = told
        self.assertEqual((dropped, typing.seat.counted), (3, 3))
        self.assertNotIn("end", before)

    def test_viewer_that_fails(self) -> None:
        """
        One who can't be told, for whatever reason, keeps nobody from hearing it, nor the
        console from ending.
        """
        grant = self.grant()
        failing, other = self.attached(grant), self.attached(grant)
        failing.ended = lambda end: 1 / 0  # type: ignore[method-assign,assignment,return-value]

        self.session.finish(End("closed", "", 1000))

        self.assertEqual((len(other.ends), len(self.ends)), (1, 1))
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)

    def test_no_timer_is_left(self) -> None:
        """
        An ended session does nothing any more.
        """
        self.attached(self.grant()).leave()

        self.session.finish(End("closed", "", 1000))
        self.session.touch()

        self.assertEqual(self.clock.getDelayedCalls(), [])


class LastOutputTests(SessionFixture):
    END = End("line-ended", "The command has ended with status 0.", 1000)

    def test_last_output_is_seen_before_the_end(self) -> None:
        """
        A command prints much and ends: its viewers see all of it before they hear so.
        """
        slow, quick = self.viewer(eager=False), self.viewer()
        slow.attach(self.grant())
        quick.attach(self.grant())
        self.session.output(b"x" * 1000)

        self.session.leaving.finish_when_seen(self.END)
        self.assertEqual((slow.ends, quick.ends), ([], []))
        slow.pull(600)
        slow.pull(600)
        slow.pull(600)

        self.assertEqual(len(slow.output), 1000)
        self.clock.advance(0)
        self.assertEqual((slow.ends, quick.ends), ([self.END], [self.END]))

    def test_without_viewers_it_ends_at_once(self) -> None:
        """
        Nobody is there to wait for.
        """
        self.session.leaving.finish_when_seen(self.END)
        self.clock.advance(0)

        self.assertEqual(self.ends, [self.END])

    def test_stuck_viewer_does_not_hold_it_up_for_long(self) -> None:
        """
        A viewer that reads nothing is waited for a few seconds.
        """
        viewer = self.viewer(eager=False)
        viewer.attach(self.grant())
        self.session.output(b"x")

        self.session.leaving.finish_when_seen(self.END)
        self.clock.advance(Leaving.PATIENCE)

        self.assertEqual(viewer.ends, [self.END])


class IdleTests(SessionFixture):
    limits = Limits(idle=10.0)

    def reasons(self) -> list[str]:
        return [end.reason for end in self.ends]

    def test_unused_session_ends(self) -> None:
        """
        A console that nobody attaches to closes itself.
        """
        self.clock.advance(9.9)
        self.assertEqual(self.reasons(), [])

        self.clock.advance(0.1)

        self.assertEqual(self.reasons(), ["idle"])

    def test_session_with_a_viewer_stays(self) -> None:
        """
        However long a viewer just looks, the console stays; the time counts from when the
        last one leaves.
        """
        viewer = self.attached(self.grant(lifetime=1e6))
        self.clock.pump([5] * 20)

        viewer.leave()
        self.clock.advance(9.9)
        self.assertEqual(self.reasons(), [])
        self.clock.advance(0.1)

        self.assertEqual(self.reasons(), ["idle"])

    def test_viewer_in_between_starts_the_time_anew(self) -> None:
        """
        Who came back within the idle time has the whole of it again.
        """
        grant = self.grant()
        self.clock.advance(8)
        viewer = self.attached(grant)
        self.clock.advance(1)
        viewer.leave()

        self.clock.advance(9)
        self.assertEqual(self.reasons(), [])
        self.clock.advance(1)

        self.assertEqual(self.reasons(), ["idle"])

    def test_touch_starts_the_time_anew(self) -> None:
        """
        A user who was just given a URL has the whole time to open it.
        """
        self.clock.advance(8)
        self.session.touch()

        self.clock.advance(8)
        self.assertEqual(self.reasons(), [])
        self.clock.advance(2)

        self.assertEqual(self.reasons(), ["idle"])


class LateAlarmTests(SessionFixture):
    limits = Limits(idle=0.0, watching=10.0)

    def test_viewer_who_comes_at_the_end(self) -> None:
        """
        Whoever comes at the very moment is let in, and then hears of the end like all others.
        """
        watching = self.grant(mode="ro")
        first = self.attached(watching)
        self.clock.rightNow += 11

        last = self.attached(watching)
        self.assertEqual(last.ends, [])
        self.clock.advance(0)

        self.assertEqual([viewer.ends for viewer in (first, last)], [self.ends, self.ends])
        self.assertEqual([end.reason for end in self.ends], ["watching"])


class NeverIdleTests(SessionFixture):
    limits = Limits(idle=0.0)

    def test_zero_is_never(self) -> None:
        """
        With C{--idle-timeout 0} a session waits for ever.
        """
        self.attached(self.grant()).leave()

        self.clock.advance(1e8)

        self.assertEqual(self.ends, [])
