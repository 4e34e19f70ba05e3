"""
C{ajaxconsole attach} fed by a pipe or a file, with a console that is false.
"""

from __future__ import annotations

import json
import os
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

from twisted.trial.unittest import SynchronousTestCase

from ajaxconsole.attach import Attach, Terminal
from ajaxconsole.attachment import MOST_KEPT
from ajaxconsole.escape import Escape
from ajaxconsole.outcome import DONE, FAILED, Problem
from ajaxconsole.socketlink import Lost, SocketLink


class FakeLink:
    """
    A console at the other end.

    @ivar taken: the input it has counted.
    @ivar most: bytes that it was sent and had not counted.
    """

    has_more = False

    def __init__(self, case: SynchronousTestCase, slice: int = 1024, delay: float = 0.0) -> None:
        """
        @param slice: bytes of input that are counted at a time.
        @param delay: seconds that this takes.
        """
        self._slice = slice
        self._delay = delay
        self._events: list[str] = []
        self._waiting = b""
        self.taken = b""
        self.most = 0
        self._readable, self._writable = os.pipe()
        case.addCleanup(os.close, self._readable)
        case.addCleanup(os.close, self._writable)

    def fileno(self) -> int:
        return self._readable

    def send(self, message: bytes | str) -> None:
        if isinstance(message, bytes):
            self._waiting += message
            self.most = max(self.most, len(self._waiting))
            if len(self._waiting) == len(message):
                self._count()
        else:
            self._say("hello", viewer="v1", mode="rw", resume="KEY", console="K", offset=0, input=0)

    def receive(self) -> list[bytes | str]:
        os.read(self._readable, 1)
        time.sleep(self._delay)
        event = self._events.pop(0)
        if self._waiting:
            self._count()
        return [event]

    def close(self) -> None:
        pass

    def _count(self) -> None:
        self.taken += self._waiting[: self._slice]
        self._waiting = self._waiting[self._slice :]
        self._say("counted", input=len(self.taken))

    def _say(self, event: str, **words: Any) -> None:
        self._events.append(json.dumps({"event": event, **words}))
        os.write(self._writable, b".")


def refused() -> FakeLink:
    raise Lost("refused", status=404)


class PipedTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.attempts: list[float] = []
        self.grants = 0

    def grant(self) -> str:
        self.grants += 1
        return "http://proxy.example/?token=T"

    def attach(self, text: bytes, *links: Callable[[], FakeLink]) -> int:
        """
        @param text: all of the input.
        @param links: what each attempt to connect comes to.
        """

        def connect(url: str) -> SocketLink:
            self.attempts.append(time.monotonic())
            return cast(SocketLink, links[len(self.attempts) - 1]())

        terminal = self.terminal(text)
        return Attach(terminal, Escape(b"~"), connect, self.grant, False, last_piped=0.2).run()

    def terminal(self, text: bytes) -> Terminal:
        typed, self.said = Path(self.mktemp()), Path(self.mktemp())
        typed.write_bytes(text)
        stdin = os.open(typed, os.O_RDONLY)
        output = os.open(self.said, os.O_WRONLY | os.O_CREAT)
        terminal = Terminal(stdin, output, output)
        for each in (stdin, output, terminal.wake):
            self.addCleanup(os.close, each)
        return terminal

    def test_input_is_told_and_one_leaves(self) -> None:
        link = FakeLink(self)

        self.assertEqual(self.attach(b"poweroff\n", lambda: link), DONE)
        self.assertEqual(link.taken, b"poweroff\n")

    def test_all_of_a_long_input_is_told(self) -> None:
        """
        The console takes it more slowly than it can be read.
        """
        text = b"".join(b"%06d\n" % number for number in range(30_000))
        link = FakeLink(self)

        self.assertEqual(self.attach(text, lambda: link), DONE)
        self.assertEqual(link.taken, text)
        self.assertLessEqual(link.most, MOST_KEPT)
        self.assertEqual(self.said.read_bytes(), b"")

    def test_the_last_of_it_takes_as_long_as_it_takes(self) -> None:
        """
        A serial line at 9600 baud has 64 KiB to say for a minute.
        """
        text = b"x" * (MOST_KEPT - 4096)
        link = FakeLink(self, delay=0.005)

        self.assertEqual(self.attach(text, lambda: link), DONE)
        self.assertEqual(len(link.taken), len(text))

    def test_what_is_not_taken_is_said(self) -> None:
        """
        The guest has stopped its line, say.
        """
        link = FakeLink(self, slice=0)

        with self.assertRaises(Problem) as caught:
            self.attach(b"poweroff\n", lambda: link)
        self.assertEqual(caught.exception.status, FAILED)
        self.assertIn("9 bytes are left", str(caught.exception))

    def test_input_waits_for_the_console(self) -> None:
        """
        Where it is not there at the first attempt.
        """
        text = b"x" * (2 * MOST_KEPT)
        link = FakeLink(self)

        self.assertEqual(self.attach(text, refused, lambda: link), DONE)
        self.assertEqual(link.taken, text)
        self.assertLessEqual(link.most, MOST_KEPT)

    def test_attempts_to_tell_what_is_left_are_apart(self) -> None:
        """
        The input is at its end, and the console not there yet.
        """
        link = FakeLink(self)

        self.assertEqual(self.attach(b"poweroff\n", refused, lambda: link), DONE)
        self.assertEqual(link.taken, b"poweroff\n")
        self.assertGreaterEqual(self.attempts[1] - self.attempts[0], 0.2)
        self.assertEqual(self.grants, 2)

    def test_a_signal_ends_the_attempts(self) -> None:
        """
        Also where there is something left to tell.
        """

        def killed() -> FakeLink:
            os.kill(os.getpid(), signal.SIGTERM)
            return refused()

        self.assertEqual(self.attach(b"poweroff\n", refused, killed), DONE)
        self.assertEqual(len(self.attempts), 2)
