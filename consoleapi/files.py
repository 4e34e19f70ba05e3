"""
Files of settings that are read again when they change.

A file that can't be used leaves the last good one in force, and the log says
so, once for each change.  They are looked at in a thread: they may lie on a
network's file system.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, Generic, TypeVar

from twisted.application.internet import TimerService
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger

from consolebus.ibus import BusFailure

T = TypeVar("T")

Run = Callable[..., "Deferred[Any]"]
"""Runs a function elsewhere than in the reactor."""

MOST_BYTES = 8 << 20


class BadFile(ValueError):
    """
    A file can't be used.

    @ivar why: repeats nothing of its content, which may be secret.
    """

    def __init__(self, path: str, why: str) -> None:
        super().__init__(path, why)
        self.path = path
        self.why = why

    def __str__(self) -> str:
        return f"{self.path} {self.why}"


def read_bounded(path: str) -> bytes:
    """
    @raise BadFile: it can't be read, or is too long.
    """
    try:
        with Path(path).open("rb") as file:
            content = file.read(MOST_BYTES + 1)
    except OSError as error:
        raise BadFile(path, f"can't be read: {error.strerror}") from None
    if len(content) > MOST_BYTES:
        raise BadFile(path, f"is longer than {MOST_BYTES >> 20} MiB")
    return content


class Reread(Generic[T]):
    """
    One file.

    @cvar EVERY: seconds between two looks at it.
    """

    EVERY = 2.0

    _log = Logger()

    def __init__(
        self,
        clock: IReactorTime,
        run: Run,
        path: str,
        read: Callable[[str], T],
        changed: Callable[[T], None],
    ) -> None:
        """
        @param read: what makes something of the file; it runs in a thread, and
            raises C{ValueError} with a sentence.
        @param changed: called in the reactor with what was read.
        """
        self._run = run
        self._path = path
        self._read = read
        self._changed = changed
        self._seen: object = None
        self.service = TimerService(self.EVERY, self.look)
        self.service.clock = clock

    def load(self) -> None:
        """
        Read it for the first time, now.

        @raise ValueError: it can't be used.
        """
        self._seen = _stamp(self._path)
        self._changed(self._read(self._path))

    async def _look(self) -> None:
        try:
            found = await self._run(self._news, self._seen)
        except BusFailure:
            return  # the threads are busy; next time
        if found is None:
            return
        self._seen, value, problem = found
        if problem is not None:
            self._log.error(
                "{problem}. What it said before stays in force.", problem=problem, path=self._path
            )
            return
        self._log.info("{path} has changed and was read again", path=self._path)
        self._changed(value)

    def look(self) -> Deferred[None]:
        """
        Read it again if it has changed.
        """
        looking = Deferred.fromCoroutine(self._look())
        looking.addErrback(
            lambda failure: self._log.failure("while reading {path}", failure, path=self._path)
        )
        return looking

    def _news(self, seen: object) -> tuple[object, T | None, str | None] | None:
        """
        In a thread.
        """
        stamp = _stamp(self._path)
        if stamp == seen:
            return None
        try:
            return stamp, self._read(self._path), None
        except ValueError as error:
            return stamp, None, str(error)


def _stamp(path: str) -> object:
    """
    What is different once a file was written or replaced.
    """
    try:
        status = os.stat(path)
    except OSError as error:
        return error.errno
    return status.st_mtime_ns, status.st_ctime_ns, status.st_size, status.st_ino
