"""
Tests for L{ajaxterm.session}: who is there, who may type, who has seen what.
"""

from __future__ import annotations

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from ajaxterm.grants import Grant, Grants, Mode, digest_of
from ajaxterm.idleness import Limits
from ajaxterm.scrollback import Scrollback
from ajaxterm.session import Session
from ajaxterm.viewer import End, Event, Unwelcome
from ajaxterm.wishes import greeting
from tests.ajaxterm.stage import FakeLine
from tests.ajaxterm.viewers import FakeViewer


class SessionFixture(SynchronousTestCase):
    limits = Limits(idle=300.0)

    def setUp(self) -> None:
        self.clock = Clock()
        self.line = FakeLine(resizable=True)
        self.grants = Grants(self.clock)
        self.ends: list[End] = []
        self.reports: list[Event] = []
        self.session = Session(
            self.clock,
            self.line,
            self.grants,
            Scrollback(1000),
            "web1",
            self.limits,
            self.ends.append,
            self.reports.append,
        )

    def grant(self, name: str = "g1", mode: Mode = "rw", lifetime: float = 600.0) -> Grant:
        grant = Grant(name, mode, f"user of {name}", lifetime)
        self.grants.add(digest_of(name), grant)
        return grant

    def viewer(self, eager: bool = True) -> FakeViewer:
        return FakeViewer(self.session, eager)

    def attached(self, grant: Grant) -> FakeViewer:
        viewer = self.viewer()
        viewer.attach(grant)
        return viewer


class OutputTests(SessionFixture):
    def test_viewers_see_the_same(self) -> None:
        """
        Two browsers see the same bytes, whenever they came.
        """
        grant = self.grant()
        first = self.attached(grant)

        self.session.output(b"login: ")
        second = self.attached(grant)
        self.session.output(b"ann\r\n")

        self.assertEqual(first.output, b"login: ann\r\n")
        self.assertEqual(second.output, b"login: ann\r\n")

    def test_late_viewer_gets_what_is_left(self) -> None:
        """
        Who comes late gets the scrollback, and is told where it begins.
        """
        grant = self.grant()
        self.session.output(b"x" * 1500)

        viewer = self.attached(grant)

        self.assertEqual(len(viewer.output), 1000)
        self.assertEqual(viewer.missed, 0)
        self.assertEqual(viewer.seat.position, 1500)

    def test_greeting_tells_where_output_begins(self) -> None:
        """
        The C{hello} has the offset of the first byte that follows, and where replay ends.
        """
        grant = self.grant()
        self.session.output(b"x" * 1500)
        viewer = self.viewer(eager=False)

        viewer.seat, resumed = self.session.attach(viewer, grant)
        hello = greeting(self.session, viewer.seat, resumed, "1.0")

        self.assertEqual((hello["offset"], hello["live"], hello["input"]), (500, 1500, 0))

    def test_offset_that_is_there_is_honoured(self) -> None:
        """
        Asked for byte 1200 on, a viewer gets byte 1200 on; asked for what is gone or was
        never there, all that there is.
        """
        grant = self.grant()
        self.session.output(bytes(1500))

        for asked, begins in [(1200, 1200), (500, 500), (1500, 1500), (499, 500), (1501, 500)]:
            viewer = self.viewer(eager=False)
            viewer.seat, _ = self.session.attach(viewer, grant, None, asked)
            self.assertEqual(viewer.seat.position, begins)

    def test_overtaken_viewer_is_told_how_much_it_missed(self) -> None:
        """
        A viewer slower than the scrollback is long goes on at its oldest byte.
        """
        viewer = self.viewer(eager=False)
        viewer.attach(self.grant())

        self.session.output(bytes(700))
        self.session.output(bytes(700))
        viewer.pull()

        self.assertEqual((viewer.missed, len(viewer.output)), (400, 1000))


class ResumeTests(SessionFixture):
    def test_resumed_viewer_misses_and_repeats_nothing(self) -> None:
        """
        A tab whose network failed goes on where it was, under its name, its input counted on.
        """
        grant = self.grant()
        viewer = self.attached(grant)
        self.session.output(b"before ")
        self.session.typed(viewer.seat, b"abc")
        viewer.leave()
        self.session.output(b"meanwhile ")

        again = self.viewer()
        resumed = again.attach(grant, viewer.seat.key, len(viewer.output))
        self.session.output(b"after")

        self.assertTrue(resumed)
        self.assertEqual(viewer.output + again.output, b"before meanwhile after")
        self.assertEqual((again.seat.name, again.seat.counted), ("v1", 3))

    def test_resuming_replaces_a_connection_that_seems_alive(self) -> None:
        """
        The server has not noticed that a connection is dead when its viewer is back: the old
        one is closed, and its end, noticed later, changes nothing.
        """
        grant = self.grant()
        stale = self.attached(grant)

        again = self.viewer()
        again.attach(grant, stale.seat.key, 0)
        stale.leave()
        self.session.output(b"x")

        self.assertEqual([end.reason for end in stale.ends], ["replaced"])
        self.assertEqual(stale.names()[-1], "end")
        self.assertEqual(again.output, b"x")
        self.assertEqual(len(self.session.viewers()), 1)

    def test_key_of_another_grant_is_unknown(self) -> None:
        """
        A key is of no use to anybody else.
        """
        viewer = self.attached(self.grant("ann", "rw"))
        self.session.typed(viewer.seat, b"abc")
        thief = self.viewer()

        resumed = thief.attach(self.grant("eve", "ro"), viewer.seat.key)

        self.assertFalse(resumed)
        self.assertEqual(thief.seat.grant.mode, "ro")
        self.assertEqual(viewer.ends, [])

    def test_unknown_key_is_a_new_viewer(self) -> None:
        """
        A key that is not known any more is no error, whatever is in it.
        """
        grant = self.grant()

        for key in ("", "nonsense", "\ud800", "x" * 100_000):
            self.assertFalse(self.viewer().attach(grant, key))

    def test_resumed_viewer_has_the_mode_of_today(self) -> None:
        """
        A grant that was given anew as C{ro} lets an earlier C{rw} viewer only watch.
        """
        viewer = self.attached(self.grant("g1", "rw"))
        viewer.leave()
        watching = self.grant("g1", "ro")

        again = self.viewer()
        self.assertTrue(again.attach(watching, viewer.seat.key))

        self.assertNotEqual(self.session.typed(again.seat, b"x"), "")

    def test_absent_seats_are_bounded(self) -> None:
        """
        Viewers who never come back are forgotten, the longest gone first.
        """
        grant = self.grant()
        gone = [self.attached(grant) for _ in range(2)]
        for viewer in gone:
            viewer.leave()
        for _ in range(Session.MOST_ABSENT - 1):
            self.attached(grant).leave()

        self.assertFalse(self.viewer().attach(grant, gone[0].seat.key))
        self.assertTrue(self.viewer().attach(grant, gone[1].seat.key))

    def test_key_of_another_session_is_unknown(self) -> None:
        """
        A tab that comes from an earlier console at this place begins anew, offset and all.
        """
        grant = self.grant()
        self.session.output(b"x" * 100)
        viewer = self.attached(grant)
        viewer.leave()

        key = viewer.seat.key
        new, resumed = self.session.attach(self.viewer(), grant, key, 50, "another")
        self.assertEqual((resumed, new.position), (False, 0))
        old, resumed = self.session.attach(self.viewer(), grant, key, 50, self.session.id)
        self.assertEqual((resumed, old.position), (True, 50))


class WelcomeTests(SessionFixture):
    def test_full_console_takes_no_more(self) -> None:
        """
        The 65th viewer is told to come back later.
        """
        grant = self.grant()
        for _ in range(Session.MOST_VIEWERS):
            self.attached(grant)

        unwelcome = self.assertRaises(Unwelcome, self.viewer().attach, grant)

        self.assertEqual((unwelcome.end.code, unwelcome.end.retry), (4029, True))

    def test_full_console_takes_no_resumed_viewer(self) -> None:
        """
        Who comes back finds the console full, and can try again; if its place was not
        taken, since its own old connection has it, it gets in.
        """
        grant = self.grant()
        absent = self.attached(grant)
        absent.leave()
        present = [self.attached(grant) for _ in range(Session.MOST_VIEWERS)]

        self.assertRaises(Unwelcome, self.viewer().attach, grant, absent.seat.key)
        self.assertTrue(self.viewer().attach(grant, present[0].seat.key))
        present[1].leave()
        self.assertTrue(self.viewer().attach(grant, absent.seat.key))

    def test_grant_revoked_on_the_way_in(self) -> None:
        """
        A grant that was good for the handshake, and is revoked before C{attach}, lets nobody
        in.
        """
        grant = self.grant()
        self.session.revoke("g1")

        unwelcome = self.assertRaises(Unwelcome, self.viewer().attach, grant)

        self.assertEqual((unwelcome.end.code, unwelcome.end.retry), (4003, False))
        self.assertEqual(self.session.viewers(), [])

    def test_grant_expired_on_the_way_in(self) -> None:
        """
        The same for one that expires in that time.
        """
        grant = self.grant(lifetime=5)
        self.clock.advance(5)

        unwelcome = self.assertRaises(Unwelcome, self.viewer().attach, grant)

        self.assertEqual(unwelcome.end.code, 4003)

    def test_session_ended_on_the_way_in(self) -> None:
        """
        Who attaches to a console that has just ended is told why it did.
        """
        grant = self.grant()
        self.session.finish(End("closed", "Ann closed it.", 1000))

        unwelcome = self.assertRaises(Unwelcome, self.viewer().attach, grant)

        self.assertEqual(unwelcome.end.message, "Ann closed it.")


class TellingTests(SessionFixture):
    def test_everybody_is_told_who_is_there(self) -> None:
        """
        At every change each viewer has the whole list, without anything private.
        """
        first = self.attached(self.grant("g1", "ro"))
        second = self.attached(self.grant("g2", "rw"))

        expected = {
            "event": "viewers",
            "viewers": [
                {"name": "v1", "user": "user of g1", "mode": "ro"},
                {"name": "v2", "user": "user of g2", "mode": "rw"},
            ],
            "answering": "v2",
        }
        self.assertEqual(first.events[-1], expected)
        self.assertEqual(second.events[-1], expected)
        second.leave()
        self.assertEqual(first.events[-1]["answering"], None)

    def test_one_writing_terminal_answers(self) -> None:
        """
        The first that may type answers the guest's queries; when it leaves, the next does.
        """
        grant = self.grant()
        first, second = self.attached(grant), self.attached(grant)
        self.assertEqual(second.events[-1]["answering"], "v1")

        first.leave()

        self.assertEqual(second.events[-1]["answering"], "v2")

    def test_line_is_told_once(self) -> None:
        """
        The line's state is sent at every change, not at every mention.
        """
        viewer = self.attached(self.grant())

        self.session.line_is("waiting", "The guest is off.")
        self.session.line_is("waiting", "The guest is off.")
        self.session.line_is("live")

        told = [event for event in viewer.events if event["event"] == "line"]
        self.assertEqual([event["state"] for event in told], ["waiting", "live"])

    def test_agent_is_told_of_viewers(self) -> None:
        """
        The agent hears who comes and leaves.
        """
        self.attached(self.grant()).leave()

        self.assertEqual(
            self.reports,
            [
                {"event": event, "viewer": "v1", "user": "user of g1", "typed": 0, "offset": 0}
                for event in ("viewer_came", "viewer_left")
            ],
        )
