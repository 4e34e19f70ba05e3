"""
C{ajaxconsole attach}: a console in one's own terminal, until one leaves.

The terminal is raw meanwhile, so every key goes to the guest, but what
C{escape.py} takes.  A connection that breaks is made again; one whose grant is
gone is asked for anew.
"""

from __future__ import annotations

import contextlib
import os
import select
import signal
import sys
import termios
import time
import tty
from collections.abc import Callable, Iterator
from typing import Any

from ajaxconsole.attachment import MOST_KEPT, Attachment
from ajaxconsole.escape import HELP, LEAVE, REPAINT, Escape, help_text
from ajaxconsole.outcome import DONE, FAILED, UNREACHABLE, Problem
from ajaxconsole.socketlink import Lost, SocketLink

_AGAIN = (0.2, 0.5, 1.0, 2.0, 3.0)
"""Seconds between attempts; then always the last."""

_GIVE_UP = 600.0
_SILENT = 45.0
"""Seconds; the console sends a ping every 15."""

_LAST_KEYS = 5.0
"""Seconds that the console has to take what was typed last."""

_LAST_PIPED = 30.0
"""Seconds that it has, once a pipe has ended, to take more of what it said: at 9600 baud
8 KiB, which the kernel holds on the way, take 9."""

_PIECE = 4096
"""Bytes of input that are read at a time."""

_REVOKED = 4003


class Terminal:
    """
    One's own: file descriptors of input, output, and messages of ours.
    """

    def __init__(self, stdin: int, stdout: int, stderr: int) -> None:
        self.stdin = stdin
        self._stdout = stdout
        self._stderr = stderr
        self.is_tty = os.isatty(stdin)
        wake, self._waker = os.pipe()
        for end in (wake, self._waker):
            os.set_blocking(end, False)
        self.wake = wake

    def show(self, output: bytes) -> None:
        _write(self._stdout, output)

    def notice(self, words: str) -> None:
        plain = "".join(c for c in words if c.isprintable())
        _write(self._stderr, f"\r\n[{plain}]\r\n".encode("utf-8", "replace"))

    def help(self, character: bytes) -> None:
        _write(self._stderr, help_text(character).encode())

    def size(self) -> tuple[int, int] | None:
        try:
            columns, rows = os.get_terminal_size(self._stdout)
        except OSError:
            return None
        return (rows, columns) if 0 < rows <= 1000 and 0 < columns <= 1000 else None

    @contextlib.contextmanager
    def raw(self) -> Iterator[None]:
        """
        Whatever ends it, the terminal is as it was afterwards.
        """
        before = termios.tcgetattr(self.stdin) if self.is_tty else None
        handlers: dict[int, Any] = {}
        try:
            for each in (signal.SIGWINCH, signal.SIGTERM, signal.SIGHUP):
                handlers[each] = signal.signal(each, self._woken)
            if before is not None:
                tty.setraw(self.stdin)
            yield
        finally:
            for number, handler in handlers.items():
                signal.signal(number, handler)
            if before is not None:
                termios.tcsetattr(self.stdin, termios.TCSADRAIN, before)

    def signals(self) -> set[int]:
        try:
            return set(os.read(self.wake, 100))
        except BlockingIOError:
            return set()

    def _woken(self, number: int, frame: object) -> None:
        with contextlib.suppress(BlockingIOError):
            os.write(self._waker, bytes((number,)))


class Attach:
    """
    The way between a terminal and a console.
    """

    def __init__(
        self,
        terminal: Terminal,
        escape: Escape,
        connect: Callable[[str], SocketLink],
        grant: Callable[[], str],
        is_read_only: bool,
        last_piped: float = _LAST_PIPED,
    ) -> None:
        """
        @param connect: to a URL.
        @param grant: asks for a URL of the console.
        @param last_piped: seconds without progress, after which the console is
            said to take no more of what a pipe said.
        """
        self._terminal = terminal
        self._escape = escape
        self._connect = connect
        self._grant = grant
        self._is_read_only = is_read_only
        self._last_piped = last_piped
        self._attachment = Attachment(terminal.show, terminal.notice)
        self._link: SocketLink | None = None
        self._heard = 0.0
        self._is_leaving = False
        self._input_ended = False

    def run(self) -> int:
        """
        @return: what the program ends with.
        @raise Problem: it does not come about, or comes to an end.
        """
        url = self._grant()
        with self._terminal.raw():
            return self._run(url)

    def _run(self, url: str) -> int:
        attempts, since = 0, time.monotonic()
        while True:
            try:
                self._link = self._connect(url)
                self._attachment.connected(self._link.send)
                self._heard = time.monotonic()
                while not self._attachment.is_attached:
                    self._listen()
                attempts, since = 0, time.monotonic()
                self._go_on()
                return DONE
            except Lost as lost:
                self._hang_up()
                if self._attachment.ended is not None:
                    self._terminal.notice(self._attachment.ended)
                    return DONE
                if attempts == 0:
                    self._terminal.notice(f"the connection is gone ({lost}); connecting again")
                if time.monotonic() - since > _GIVE_UP:
                    raise Problem(
                        UNREACHABLE, f"the connection does not come back: {lost}"
                    ) from None
                if lost.code == _REVOKED or 400 <= lost.status < 500:
                    url = self._another_grant(url)
            if self._wait(_AGAIN[min(attempts, len(_AGAIN) - 1)]):
                return DONE
            attempts += 1

    def _another_grant(self, url: str) -> str:
        try:
            fresh = self._grant()
        except Problem as problem:
            if problem.status == UNREACHABLE:
                return url
            raise
        self._attachment.is_another_grant()
        return fresh

    # While there is a connection.

    def _go_on(self) -> None:
        self._tell_size()
        leave_by, taken_by, room = 0.0, 0.0, -1
        while True:
            now = time.monotonic()
            if (self._is_leaving or self._input_ended) and self._attachment.is_counted:
                return
            if self._is_leaving:
                leave_by = leave_by or now + _LAST_KEYS
                if now > leave_by:
                    return
            elif self._input_ended and self._attachment.room > room:
                taken_by, room = now + self._last_piped, self._attachment.room
            elif self._input_ended and now > taken_by:
                left = MOST_KEPT - room
                raise Problem(FAILED, f"the console takes no input; {left} bytes are left")
            if now - self._heard > _SILENT:
                raise Lost("the server is silent")
            self._turn(0.2 if leave_by or taken_by else 5.0)
            if self._attachment.ended is not None:
                raise Lost("ended")

    def _turn(self, most: float) -> None:
        """
        Wait for the next thing to happen, C{most} seconds at the most.
        """
        link = self._link
        assert link is not None
        waiting: list[Any] = [link, self._terminal.wake]
        if self._listens_to_keys():
            waiting.append(self._terminal.stdin)
        ready = [link] if link.has_more else select.select(waiting, [], [], most)[0]
        if self._terminal.wake in ready:
            self._hear_signals()
        if self._terminal.stdin in ready:
            self._read_keys()
        if link in ready:
            self._listen()

    def _listen(self) -> None:
        assert self._link is not None
        if not self._link.has_more:
            ready = select.select([self._link], [], [], _SILENT)[0]
            if not ready:
                raise Lost("the server is silent")
        for message in self._link.receive():
            self._attachment.received(message)
        self._heard = time.monotonic()

    def _listens_to_keys(self) -> bool:
        if self._input_ended or self._is_leaving:
            return False
        # Somebody at a terminal may want to leave at any time; what is in a pipe
        # waits there while too little room is left, for one key more than is
        # read, since the escape may have held one.
        return self._terminal.is_tty or (not self._is_read_only and self._attachment.room > _PIECE)

    def _read_keys(self) -> None:
        piece = os.read(self._terminal.stdin, _PIECE)
        if not piece:
            self._input_ended = True
            return
        typed = self._escape.typed(piece)
        if not self._is_read_only:
            self._attachment.typed(typed.keys)
        for order in typed.orders:
            if order == LEAVE:
                self._is_leaving = True
            elif order == HELP:
                self._terminal.help(self._escape.character)
            elif order == REPAINT:
                self._attachment.repaint()
                raise Lost("showing again")

    def _hear_signals(self) -> None:
        signals = self._terminal.signals()
        if signals - {signal.SIGWINCH}:
            self._is_leaving = True
        if signal.SIGWINCH in signals:
            self._tell_size()

    def _tell_size(self) -> None:
        size = self._terminal.size()
        if size is not None:
            self._attachment.resized(*size)

    # While there is none.

    def _wait(self, seconds: float) -> bool:
        """
        @return: whether there is nothing to come back for.
        """
        until = time.monotonic() + seconds
        while (left := until - time.monotonic()) > 0 and not self._is_done:
            waiting = [self._terminal.wake]
            if self._listens_to_keys():
                waiting.append(self._terminal.stdin)
            ready = select.select(waiting, [], [], left)[0]
            if self._terminal.wake in ready:
                self._hear_signals()
            if self._terminal.stdin in ready:
                with contextlib.suppress(Lost):
                    self._read_keys()
        return self._is_done

    @property
    def _is_done(self) -> bool:
        """
        Who leaves, leaves; input that ended by itself is still to be told.
        """
        return self._is_leaving or (self._input_ended and self._attachment.is_counted)

    def _hang_up(self) -> None:
        self._attachment.lost()
        if self._link is not None:
            self._link.close()
            self._link = None


def own_terminal() -> Terminal:
    return Terminal(sys.stdin.fileno(), sys.stdout.fileno(), sys.stderr.fileno())


def _write(descriptor: int, octets: bytes) -> None:
    view = memoryview(octets)
    while view:
        try:
            view = view[os.write(descriptor, view) :]
        except BlockingIOError:
            select.select([], [descriptor], [])
