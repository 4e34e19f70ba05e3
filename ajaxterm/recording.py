"""
Writing a session down without delaying a byte of it.

What is seen is kept in memory for a moment, and handed on to a thread which
alone touches the disk.  When the disk is so slow that too much waits, what
comes then is left out; how much, the recording says itself, and the log.
"""

from __future__ import annotations

from collections.abc import Callable
from queue import SimpleQueue
from threading import Thread

from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.logger import Logger

from ajaxterm.asciicast import Cast, Part


class CanNotRecord(Exception):
    """Nothing can be written there; the sentence says why."""


class Recorder:
    """
    @ivar on: whether it is under way.
    @cvar EVERY: seconds that are written at once.
    @cvar MOST: bytes that wait to be written, with what keeping them takes.
    @cvar EACH: bytes that a part takes besides its own, about (131 for two, measured).
    @cvar PATIENCE: seconds that the disk has at the end.
    """

    EVERY = 0.25
    MOST = 1 << 22
    EACH = 128
    PATIENCE = 2.0

    _log = Logger()

    def __init__(self, clock: IReactorTime, cast: Cast, told: Callable[[bool], None]) -> None:
        """
        @param told: hears when the recording begins and ends.
        """
        self._clock = clock
        self._cast = cast
        self._told = told
        self._parts: list[Part] = []
        self._given = self._written = self._left_out = 0
        self._failed: OSError | None = None
        self._flushing: IDelayedCall | None = None
        self._queue: SimpleQueue[list[Part] | None] = SimpleQueue()
        self._thread = Thread(target=self._write, name="recording", daemon=True)
        self.on = False

    def start(self) -> None:
        """
        @raise CanNotRecord: nothing can be written there.
        """
        try:
            self._cast.open(self._clock.seconds())
        except OSError as error:
            raise CanNotRecord(f"a recording can't be written: {error}") from error
        self._thread.start()
        self.on = True
        self._told(True)

    def output(self, output: bytes) -> None:
        """The line has sent this."""
        self._keep("o", output)

    def beside(self, write: Callable[[bytes], None]) -> Callable[[bytes], None]:
        """@return: C{write}, recorded as input."""

        def both(keys: bytes) -> None:
            write(keys)
            self._keep("i", keys)

        return both

    def stop(self) -> None:
        """There will be no more."""
        if not self.on:
            return
        if self._left_out:
            self._say_what_is_missing()
        self._flush()
        if self.on:
            self._finish()

    def wait(self) -> None:
        """Wait until all is on the disk, or until L{PATIENCE} is at its end; this blocks."""
        self.stop()
        if self._thread.is_alive():
            self._thread.join(self.PATIENCE)

    def _keep(self, kind: str, said: bytes) -> None:
        if not self.on:
            return
        if self._given - self._written > self.MOST:
            self._left_out += len(said)
            return
        if self._left_out:
            self._say_what_is_missing()
        self._parts.append((self._clock.seconds(), kind, said))
        self._given += len(said) + self.EACH
        if self._flushing is None:
            self._flushing = self._clock.callLater(self.EVERY, self._flush)

    def _say_what_is_missing(self) -> None:
        words = f"{self._left_out} bytes are missing here: the disk was too slow"
        self._parts.append((self._clock.seconds(), "m", words.encode("ascii")))
        self._log.warn("Recording: {words}", words=words)
        self._left_out = 0

    def _flush(self) -> None:
        if self._flushing is not None and self._flushing.active():
            self._flushing.cancel()
        self._flushing = None
        if self._failed is not None:
            self._log.error("The recording has ended: {why}", why=self._failed)
            self._finish()
            return
        if self._left_out and self._given == self._written:
            self._say_what_is_missing()
        parts, self._parts = self._parts, []
        if parts:
            self._queue.put(parts)

    def _finish(self) -> None:
        self.on = False
        self._queue.put(None)
        self._told(False)

    def _write(self) -> None:
        # In the thread; what is shared are numbers that only one side sets.
        try:
            while (parts := self._queue.get()) is not None:
                if self._failed is None:
                    try:
                        self._cast.write(parts)
                    except OSError as error:
                        self._failed = error
                self._written += sum(
                    len(said) + self.EACH for _, kind, said in parts if kind != "m"
                )
        finally:
            self._cast.close()
