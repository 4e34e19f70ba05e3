"""
Tests for L{ajaxterm.command}: a command's terminal as a line.
"""

from __future__ import annotations

from twisted.internet.interfaces import IPushProducer
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from ajaxterm.command import CommandLine
from ajaxterm.grants import Grant, Grants, digest_of
from ajaxterm.scrollback import Scrollback
from ajaxterm.session import Session
from tests.ajaxterm.fakereactor import FakeReactor
from tests.ajaxterm.viewers import FakeViewer


class CommandTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.reactor = FakeReactor()
        self.statuses: list[int | None] = []
        self.line = CommandLine(self.statuses.append)
        grants = Grants(self.reactor)
        self.line.session = self.session = Session(
            self.reactor, self.line, grants, Scrollback(1000)
        )
        grant = Grant("g", "rw", "you", 600)
        grants.add(digest_of("s"), grant)
        self.viewer = FakeViewer(self.session)
        self.viewer.attach(grant)
        self.line.start(self.reactor, ["ls", "-l"], {"TERM": "xterm"})
        [self.process] = self.reactor.processes
        self.addCleanup(self.process.close_terminal)

    def test_command_is_run_as_it_was_given(self) -> None:
        """
        No shell is between, the terminal is a usual one.
        """
        self.assertEqual(self.process.command, ["ls", "-l"])
        self.assertEqual(
            self.process.options, {"executable": "ls", "env": {"TERM": "xterm"}, "usePTY": True}
        )
        self.assertEqual(self.process.size(), (24, 80))

    def test_bytes_pass_both_ways(self) -> None:
        """
        What it prints is seen, what is typed gets there.
        """
        self.line.outReceived(b"total 0\r\n")
        self.session.typed(self.viewer.seat, b"q")

        self.assertEqual(self.viewer.output, b"total 0\r\n")
        self.assertEqual(self.process.value(), b"q")

    def test_size_is_set(self) -> None:
        """
        The terminal is as large as the window.
        """
        self.line.resize(50, 132)

        self.assertEqual(self.process.size(), (50, 132))

    def test_command_that_reads_nothing_holds_input(self) -> None:
        """
        A paste into a command that does not read waits in the browser.
        """
        self.assertTrue(verifyObject(IPushProducer, self.line))
        self.assertIs(self.process.producer, self.line)

        held = []
        for tell in ("pauseProducing", "resumeProducing", "pauseProducing", "stopProducing"):
            getattr(self.line, tell)()
            held.append(self.session.keys.held)

        self.assertEqual(held, [True, False, True, False])

    def test_command_that_closed_its_terminal(self) -> None:
        """
        What lives on without a terminal has no size.
        """
        self.process.close_terminal()

        self.line.resize(50, 132)

    def test_end_is_told(self) -> None:
        """
        With its status, or that it was a signal.
        """
        self.process.end(0)
        self.process.end(3)
        self.process.end(None)

        self.assertEqual(self.statuses, [0, 3, None])

    def test_hang_up(self) -> None:
        """
        It ends as if its terminal was closed; not when it has ended already.
        """
        self.line.hang_up()
        self.process.end()
        self.line.hang_up()

        self.assertEqual(self.process.signals, ["HUP"])

    def test_nothing_before_the_start(self) -> None:
        """
        Before there is a command, there is nobody to type at.
        """
        line = CommandLine(self.statuses.append)

        line.write(b"x")
        line.resize(1, 1)
        line.hang_up()

        self.assertEqual(self.process.value(), b"")
