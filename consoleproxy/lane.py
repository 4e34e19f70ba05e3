"""
One direction of an open WebSocket: bytes from one socket to the other, unread.

            fill: more than the sink takes            flush: it has taken all
    open ───────────────────────────────▶ waiting ─────────────────────────▶ open
      │ fill: the source has ended           │ flush: the sink is gone
      ▼                                      ▼
    over                                   over

A lane that waits does not read, so at most one reading is kept.  When the source has
ended the sink has everything, and is told (a half-close).  What is polled when is not
known here: that is L{consoleproxy.carrier}'s.
"""

from __future__ import annotations

import socket

from consoleproxy.splicing import KernelPipe, KernelPipes

MOST_READ = 1 << 16
"""Bytes of one ordinary reading."""


class Lane:
    """
    @ivar moved: bytes that the sink has taken.
    @ivar waits: whether the sink has to take something before more is read.
    @ivar over: whether nothing is carried any more.
    @ivar broken: whether that is because the source is gone, both ways.
    @cvar MANY: readings in a row that fill the buffer, after which it is spliced.
    """

    MANY = 3

    __slots__ = (
        "moved",
        "waits",
        "over",
        "broken",
        "_source",
        "_sink",
        "_receive_into",
        "_send",
        "_buffer",
        "_kept",
        "_pipes",
        "_pipe",
        "_poured",
        "_full",
    )

    def __init__(
        self, source: socket.socket, sink: socket.socket, buffer: memoryview, pipes: KernelPipes
    ) -> None:
        """
        @param buffer: for one reading; shared by all the lanes of a thread.
        @param pipes: likewise.
        """
        self.moved = 0
        self.waits = self.over = self.broken = False
        self._source = source
        self._sink = sink
        self._receive_into = source.recv_into
        self._send = sink.send
        self._buffer = buffer
        self._kept: bytes | memoryview = b""
        self._pipes = pipes
        self._pipe: KernelPipe | None = None
        self._poured = 0
        self._full = 0

    @property
    def reads(self) -> bool:
        """Whether it takes more from the source."""
        return not (self.waits or self.over)

    def fill(self) -> bool:
        """
        The source has something, or has ended.

        @return: whether L{waits} and L{over} are as before.
        """
        if self._full >= self.MANY:
            return self._splice()
        try:
            length = self._receive_into(self._buffer)
        except BlockingIOError:
            return True
        except OSError:
            self.broken = True
            length = 0
        if not length:
            return self._end()
        self._full = self._full + 1 if length == len(self._buffer) else 0
        try:
            sent = self._send(self._buffer[:length])
        except BlockingIOError:
            sent = 0
        except OSError:
            self.give_up()
            return False
        self.moved += sent
        if sent == length:
            return True
        self._kept = bytes(self._buffer[sent:length])
        self.waits = True
        return False

    def flush(self) -> bool:
        """
        The sink has room, or is gone.

        @return: as L{fill}.
        """
        try:
            if self._pipe is not None:
                self.moved += self._pipe.empty(self._sink.fileno())
                if self._pipe.inside:
                    return True
                self._pipes.give_back(self._pipe)
                self._pipe = None
            while self._kept:
                sent = self._send(self._kept)
                self.moved += sent
                self._kept = memoryview(self._kept)[sent:]
        except BlockingIOError:
            return True
        except OSError:
            self.give_up()
            return False
        self._keep_nothing()
        self.waits = False
        return False

    def give_up(self) -> None:
        """The sink takes nothing any more; what is kept for it is lost."""
        self._keep_nothing()
        self.waits = False
        self.over = True
        if self._pipe is not None:
            self._pipes.give_back(self._pipe)
            self._pipe = None

    def _splice(self) -> bool:
        pipe = self._pipes.take()
        if pipe is None:
            self._full = 0
            return self.fill()
        try:
            length = pipe.fill(self._source.fileno())
        except OSError as error:
            self._pipes.give_back(pipe)
            if isinstance(error, BlockingIOError):
                return True
            if self._pipes.failed(error):
                self._full = 0
                return self.fill()
            self.broken = True
            return self._end()
        if not length:
            self._pipes.give_back(pipe)
            return self._end()
        # What comes in small pieces is cheaper to read and write.
        self._full = self._full if length >= MOST_READ // 4 else 0
        self._pipe = pipe
        try:
            self.moved += pipe.empty(self._sink.fileno())
        except OSError:
            self.give_up()
            return False
        if pipe.inside:
            self._pipes.keep(pipe, self._pour_out)
            self.waits = True
            return False
        self._pipe = None
        self._pipes.give_back(pipe)
        return True

    def _pour_out(self) -> None:
        assert self._pipe is not None
        self._kept = self._pipe.pour_out()
        self._poured = len(self._kept)
        self._pipes.poured += self._poured
        self._pipes.give_back(self._pipe)
        self._pipe = None

    def _keep_nothing(self) -> None:
        self._kept = b""
        self._pipes.poured -= self._poured
        self._poured = 0

    def _end(self) -> bool:
        self.over = True
        try:
            self._sink.shutdown(socket.SHUT_WR)
        except OSError:
            pass
        return False
