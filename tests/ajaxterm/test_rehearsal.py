"""
Tests for L{ajaxterm.rehearsal}: it plays a whole terminal, and leaves nothing.
"""

from __future__ import annotations

import gc
import os
import signal
import socket
import sys
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from ajaxterm.idleness import Limits
from ajaxterm.rehearsal import rehearse, watch
from ajaxterm.scrollback import Scrollback
from ajaxterm.serve import Terminal, Terms, serve_guest
from ajaxterm.viewer_plain import ViewerPlain
from ajaxterm.viewer_v1 import ViewerV1
from ajaxterm.web import ProxyDoor
from tests.ajaxterm.stage import PAGE


class RehearsalTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.served: list[Terminal] = []

    def serve(
        self, reactor: Any, http: socket.socket, tty: socket.socket, control: socket.socket
    ) -> Terminal:
        terms = Terms("rehearsal", Limits(300.0), 4096)
        terminal = serve_guest(reactor, terms, PAGE, ProxyDoor, http, tty, control, lambda: None)
        self.served.append(terminal)
        return terminal

    def test_played(self) -> None:
        """
        A session was had, by viewers of both kinds, and has ended.
        """
        ran = watch(self.serve)

        for part in (ViewerPlain.received, ViewerV1.received, Scrollback.append):
            self.assertIn(part.__code__, ran)
        [terminal] = self.served
        assert terminal.session.end is not None
        self.assertEqual(terminal.session.end.reason, "leaving")
        self.assertEqual(terminal.session.viewers(), [])

    def test_nothing_is_left(self) -> None:
        """
        No descriptor, no handler of signals, no profiler, and not the reactor that everybody
        imports.
        """
        numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGCHLD)
        handlers = [signal.getsignal(number) for number in numbers]
        reactor = sys.modules.get("twisted.internet.reactor")
        wakeup = signal.set_wakeup_fd(-1)
        self.addCleanup(signal.set_wakeup_fd, wakeup)
        gc.collect()
        open_before = set(os.listdir("/proc/self/fd"))

        watch(self.serve)
        rehearse(self.serve)
        self.served.clear()
        gc.collect()

        self.assertEqual(set(os.listdir("/proc/self/fd")), open_before)
        self.assertEqual([signal.getsignal(number) for number in numbers], handlers)
        self.assertIsNone(sys.getprofile())
        self.assertIs(sys.modules.get("twisted.internet.reactor"), reactor)

    def test_cut_short(self) -> None:
        """
        A terminal that serves nobody is told of, and stderr is where it was.
        """

        def serve(*_: Any) -> Any:
            raise OSError("no loopback")

        before = os.fstat(2)

        self.assertRaises(OSError, rehearse, serve)

        self.assertEqual(os.fstat(2).st_ino, before.st_ino)
