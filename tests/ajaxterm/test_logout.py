"""
Tests for L{ajaxterm.logout} and L{ajaxterm.leaving}: nobody's shell is left behind.
"""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from ajaxterm.idleness import Limits
from ajaxterm.logout import Farewell, Logout, shows_login
from ajaxterm.scrollback import Scrollback
from ajaxterm.session import Session
from ajaxterm.viewer import CLOSING, End, Unwelcome
from ajaxterm.wishes import Wishes
from tests.ajaxterm.stage import FakeLine
from tests.ajaxterm.test_session import SessionFixture
from tests.ajaxterm.viewers import FakeViewer

LOGIN = b"\r\n\x1b[H\x1b[2Jguest login: \x1b[0m"


class Shells(FakeLine):
    """
    A guest with a shell within a shell; end-of-file leaves one.

    @ivar depth: how many are left; at 0 there is a login prompt.
    """

    def __init__(self, depth: int) -> None:
        super().__init__()
        self.depth = depth

    def write(self, keys: bytes) -> None:
        super().write(keys)
        if keys.endswith(b"\x04") and self.depth:
            self.depth -= 1
            self.session.output(b"\r\n# " if self.depth else LOGIN)


class PromptTests(SynchronousTestCase):
    def test_login_prompts(self) -> None:
        """
        With colours, with or without a blank, whatever comes before.
        """
        for tail in (
            b"login: ",
            b"web1 login:",
            b"\x1b[1mLogin: \x1b(B\x1b[m",
            LOGIN,
            b"login: \r",
        ):
            self.assertTrue(shows_login(tail), tail)

    def test_what_is_none(self) -> None:
        """
        A shell's prompt, a password's, a date of the last login, a title.
        """
        for tail in (b"", b"# ", b"Password: ", b"Last login: Mon\r\n$ ", b"\x1b]0;login: \x07# "):
            self.assertFalse(shows_login(tail), tail)


class LogoutFixture(SessionFixture):
    limits = Limits(idle=100.0)
    depth = 2

    def setUp(self) -> None:
        super().setUp()
        self.begin(Farewell(b"\x04", 10.0))

    def begin(self, farewell: Farewell) -> None:
        self.session.finish(End("replaced", "", 1000))
        self.ends.clear()
        self.line = self.shells = Shells(self.depth)
        self.session = Session(
            self.clock,
            self.shells,
            self.grants,
            Scrollback(1000),
            "web1",
            self.limits,
            self.ends.append,
            self.reports.append,
            farewell,
        )
        self.shells.session = self.session
        self.session.output(b"# ")

    def used(self, name: str = "ann") -> FakeViewer:
        """
        A viewer comes and types.
        """
        viewer = self.attached(self.grant(name, lifetime=1e6))
        self.session.typed(viewer.seat, b"ls\r")
        self.shells.typed = b""
        return viewer

    def verdicts(self) -> list[str]:
        return [event["state"] for event in self.reports if event["event"] == "logout"]

    def end(self, viewer: FakeViewer) -> None:
        Wishes(self.session).hear(viewer.seat, {"do": "end_session"})

    def pass_time(self, seconds: int) -> None:
        self.clock.pump([1.0] * seconds)


class TabTests(LogoutFixture):
    def test_last_tab_closed(self) -> None:
        """
        After the grace time end-of-file is typed, again if needed, until there is a login
        prompt; the console stays for who comes next.
        """
        watching = self.attached(self.grant("eve", "ro", lifetime=1e6))
        self.used().leave()
        self.pass_time(9)
        self.assertEqual(self.shells.typed, b"")

        self.pass_time(4)

        self.assertEqual(self.shells.typed, b"\x04\x15\x04")
        self.assertEqual(self.verdicts(), ["trying", "out"])
        told = [event["state"] for event in watching.events if event["event"] == "logout"]
        self.assertEqual(told, ["trying", "out"])
        self.pass_time(100)
        self.assertEqual(self.verdicts(), ["trying", "out"])
        self.assertEqual(self.ends, [])

    def test_coming_back_cancels(self) -> None:
        """
        A tab that reconnects within the grace time finds its shell.
        """
        viewer = self.used()
        viewer.leave()
        self.pass_time(9)

        self.viewer().attach(viewer.seat.grant, viewer.seat.key)
        self.pass_time(100)

        self.assertEqual((self.shells.typed, self.verdicts()), (b"", []))

    def test_coming_back_while_it_is_tried(self) -> None:
        """
        One that comes later stops what is under way, and whoever has read of that hears so.
        """
        watching = self.attached(self.grant("eve", "ro", lifetime=1e6))
        viewer = self.used()
        viewer.leave()
        self.pass_time(11)

        self.attached(viewer.seat.grant)
        self.pass_time(100)

        self.assertEqual((self.shells.depth, self.verdicts()), (1, ["trying"]))
        told = [event["state"] for event in watching.events if event["event"] == "logout"]
        self.assertEqual(told, ["trying", "off"])

    def test_one_of_two_tabs_closed(self) -> None:
        """
        As long as somebody who can type is there, nobody is logged out.
        """
        self.used("ann")
        self.used("bob").leave()

        self.pass_time(100)

        self.assertEqual(self.verdicts(), [])

    def test_watchers_log_nobody_out(self) -> None:
        """
        Who only watched, or typed nothing, changes nothing at the guest.
        """
        self.attached(self.grant("eve", "ro")).leave()
        self.attached(self.grant("ann", "rw")).leave()

        self.pass_time(99)

        self.assertEqual((self.shells.typed, self.verdicts()), (b"", []))
        self.pass_time(1)
        self.assertEqual([end.reason for end in self.ends], ["idle"])

    def test_prompt_is_there_already(self) -> None:
        """
        Who has logged out properly leaves nothing to do.
        """
        viewer = self.used()
        self.session.output(LOGIN)
        viewer.leave()

        self.pass_time(11)

        self.assertEqual((self.shells.typed, self.verdicts()), (b"", ["trying", "out"]))

    def test_text_of_ones_own(self) -> None:
        """
        With C{--logout exit}, that is typed, with a return.
        """
        self.begin(Farewell.named("exit", 10.0))
        self.used().leave()

        self.pass_time(11)

        self.assertEqual(self.shells.typed, b"exit\r")

    def test_none(self) -> None:
        """
        By default nothing is typed.
        """
        self.begin(Farewell.named("none", 10.0))
        self.used().leave()
        self.pass_time(50)

        self.assertEqual(self.shells.typed, b"")


class EndTests(LogoutFixture):
    depth = 3

    def test_ended_by_hand(self) -> None:
        """
        The console ends after the verdict; until then nobody types, and nobody comes.
        """
        viewer = self.used()
        other = self.used("bob")

        self.end(viewer)
        self.assertEqual(self.session.typed(other.seat, b"x"), "This console is being closed.")
        unwelcome = self.assertRaises(Unwelcome, self.attached, self.grant("eve", "ro"))
        self.assertIs(unwelcome.end, CLOSING)
        self.end(other)
        self.pass_time(6)

        self.assertEqual(self.verdicts(), ["trying", "out"])
        self.assertEqual([end.reason for end in self.ends], ["closed"])
        self.assertEqual(other.names()[-2:], ["logout", "end"])
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_end_does_not_wait_for_ever(self) -> None:
        """
        A program that ignores end-of-file: still logged in, it is said, and the console ends.
        """
        self.shells.depth = 1000

        self.end(self.used())
        self.pass_time(int(Logout.MOST * Logout.EVERY) + 1)

        self.assertEqual(self.verdicts(), ["trying", "in"])
        self.assertEqual(len(self.ends), 1)

    def test_unused_but_ended_by_hand(self) -> None:
        """
        Who finds another one's shell, and ends the console, leaves none.
        """
        self.end(self.attached(self.grant()))
        self.pass_time(6)

        self.assertEqual(self.verdicts(), ["trying", "out"])

    def test_idle(self) -> None:
        """
        Before an unused console ends, too; what the closing of the tab has not reached is
        tried again.
        """
        self.shells.depth = 8
        self.used().leave()
        self.pass_time(50)
        self.assertEqual(self.verdicts(), ["trying", "in"])

        self.pass_time(60)

        self.assertEqual(self.verdicts(), ["trying", "in", "trying", "out"])
        self.assertEqual([end.reason for end in self.ends], ["idle"])

    def test_coming_back_while_an_unused_console_ends(self) -> None:
        """
        Who comes in the last moment finds the console, and it stays.
        """
        self.shells.depth = 1000
        viewer = self.used()
        viewer.leave()
        self.pass_time(103)

        again = self.attached(viewer.seat.grant)
        self.pass_time(200)

        self.assertEqual(self.ends, [])
        self.assertEqual(self.session.typed(again.seat, b"x"), "")

    def test_line_that_takes_nothing(self) -> None:
        """
        Where nothing can be typed, nothing is known.
        """
        viewer = self.used()
        self.session.hold_input(True)

        self.end(viewer)
        self.pass_time(11)

        self.assertEqual((self.shells.typed, self.verdicts()), (b"", ["trying", "unknown"]))

    def test_guest_that_is_down(self) -> None:
        """
        Nobody is logged in at a guest that is off, or goes off meanwhile.
        """
        self.shells.depth = 1000
        self.end(self.used())
        self.pass_time(1)

        self.session.line_is("waiting", "The guest is off.", down=True)
        self.pass_time(1)

        self.assertEqual(self.verdicts(), ["trying", "out"])
        self.assertEqual(len(self.ends), 1)

    def test_ended_at_once(self) -> None:
        """
        The agent, who knows that the guest is gone, does not wait for a logout.
        """
        viewer = self.used()
        self.end(viewer)
        self.pass_time(1)

        self.session.finish(End("closed", "The guest is gone.", 1000))

        self.assertEqual(len(self.ends), 1)
        self.assertEqual(viewer.names()[-2:], ["logout", "end"])
        self.pass_time(20)
        self.assertEqual(len(self.ends), 1)
        self.assertEqual(self.clock.getDelayedCalls(), [])
