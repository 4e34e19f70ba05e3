"""
Tests for L{ajaxterm.serve}: what a terminal is put together from, and how it stops.
"""

from __future__ import annotations

import json
import socket

from twisted.internet.testing import StringTransport
from twisted.trial.unittest import SynchronousTestCase

from ajaxterm.control import Control
from ajaxterm.grants import Grant, digest_of
from ajaxterm.idleness import Limits
from ajaxterm.serve import LAST_QUESTIONS, LAST_WORDS, Terminal, Terms, release, serve_guest
from ajaxterm.viewer import End
from ajaxterm.web import OwnDoor, ProxyDoor
from tests.ajaxterm.fakereactor import FakeReactor
from tests.ajaxterm.stage import PAGE, FakeLine
from tests.ajaxterm.viewers import FakeViewer

TERMS = Terms("web1", Limits(10.0), 4096)


class TerminalTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.reactor = FakeReactor()
        self.stops: list[bool] = []
        self.terminal = Terminal(
            self.reactor,
            TERMS,
            FakeLine(),
            PAGE,
            lambda grants: OwnDoor(grants, 80),
            lambda: self.stops.append(True),
        )

    def test_terms(self) -> None:
        """
        A terminal is what it was told to be.
        """
        self.assertEqual(self.terminal.session.title, "web1")
        self.assertEqual(self.terminal.session.scrollback.size, 4096)
        self.assertRegex(release(), r"^[0-9]")

    def test_process_ends_after_the_last_words(self) -> None:
        """
        When the session has ended, its viewers have a moment to hear of it.
        """
        self.terminal.session.finish(End("closed", "", 1000))

        self.assertEqual(self.stops, [])
        self.reactor.advance(LAST_WORDS)
        self.assertEqual(self.stops, [True])

    def served(self) -> FakeViewer:
        """
        @return: one who is there, and could come again.
        """
        listening = socket.create_server(("127.0.0.1", 0))
        self.addCleanup(listening.close)
        self.terminal.adopt(listening, self.terminal.site)
        grant = Grant("g1", "rw", "ann", 60.0)
        self.terminal.grants.add(digest_of("s"), grant)
        viewer = FakeViewer(self.terminal.session)
        viewer.attach(grant)
        return viewer

    def assert_waits(self) -> None:
        """
        It ends, but who is not told yet can still come.
        """
        self.terminal.session.finish(End("closed", "", 1000))

        self.reactor.advance(LAST_WORDS)
        self.assertEqual((self.stops, len(self.reactor.getReaders())), ([], 1))
        self.reactor.advance(LAST_QUESTIONS)
        self.assertEqual(self.stops, [True])

    def test_who_is_yet_to_ask(self) -> None:
        """
        A viewer that asks again and again is just between two questions: it may ask once more.
        """
        self.served().reachable = False

        self.assert_waits()

    def test_who_is_about_to_come_back(self) -> None:
        """
        A viewer whose connection has just broken may come back, and hear of it.
        """
        self.served().leave()

        self.assert_waits()

    def test_who_has_come_back(self) -> None:
        """
        Nobody is waited for who is there again.
        """
        viewer = self.served()
        viewer.leave()
        viewer.attach(viewer.seat.grant, viewer.seat.key)

        self.terminal.session.finish(End("closed", "", 1000))

        self.assertEqual(self.reactor.getReaders(), [])
        self.reactor.advance(LAST_WORDS)
        self.assertEqual(self.stops, [True])

    def test_stopped_by_a_signal(self) -> None:
        """
        Viewers are told that it may come back; what has stopped already is not stopped again.
        """
        [waited] = self.reactor.shut_down()

        assert self.terminal.session.end is not None
        self.assertEqual(self.terminal.session.end.code, 1001)
        self.assertTrue(self.terminal.session.end.retry)
        self.assertNoResult(waited)
        self.reactor.advance(LAST_WORDS)
        self.successResultOf(waited)
        self.assertEqual(self.stops, [])

    def test_stopped_by_a_signal_while_ending(self) -> None:
        """
        The same when it was ending anyway.
        """
        self.terminal.session.finish(End("closed", "", 1000))

        self.assertEqual(self.reactor.shut_down(), [])

        self.reactor.advance(LAST_WORDS)
        self.assertEqual(self.stops, [])


class GuestTests(SynchronousTestCase):
    def test_guest(self) -> None:
        """
        Viewers come by TCP, the guest's bytes and the agent's orders by sockets that are
        nobody else's; all of them close when the console ends.
        """
        reactor = FakeReactor()
        http = socket.socket()
        tty, control = socket.socket(socket.AF_UNIX), socket.socket(socket.AF_UNIX)
        terminal = serve_guest(reactor, TERMS, PAGE, ProxyDoor, http, tty, control, lambda: None)
        factories = [port.factory for port in reactor.getReaders()]
        [agents] = [each for each in factories if isinstance(each, Control)]
        agent = agents.buildProtocol(None)
        agent.makeConnection(StringTransport())

        agent.dataReceived(
            json.dumps(
                {
                    "id": 1,
                    "do": "grant",
                    "grant": "g1",
                    "digest": digest_of("secret"),
                    "mode": "ro",
                    "user": "ann",
                    "lifetime": 60,
                }
            ).encode()
            + b"\n"
        )
        self.assertIsNotNone(terminal.grants.find("secret"))
        terminal.session.finish(End("closed", "", 1000))

        said = [json.loads(line) for line in agent.transport.value().splitlines()]
        self.assertEqual(said[-1], {"event": "ended", "reason": "closed"})
        self.assertEqual(reactor.getReaders(), [])
        self.assertEqual([each.fileno() for each in (http, tty, control)], [-1, -1, -1])
