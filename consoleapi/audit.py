"""
What happened, for who must answer for it: JSON, one object in each line.

    {"seq": 7, "time": "2026-11-22T17:45:33.120Z", "monotonic": 81.5, "event": "console",
     "outcome": "granted", "user": "bob", "way": "token", "address": "10.0.0.9",
     "guest": UUID, "name": "web1", "host": "h1", "mode": "rw", "grant": "g0...",
     "request_id": "req-..."}

C{event} is C{console}, C{output}, C{close}, C{login}, C{revoke}, or what an agent
tells: C{opened}, C{viewer_came}, C{viewer_left}, C{waiting}, C{live}, C{logout}, C{closed}.
C{outcome} is C{granted} or C{refused}, and then C{why} says why; of a C{logout} it is what came
of it.  Who leaves has C{typed} so many bytes, and has seen those from the C{offset} at which
they came to the one at which they leave.  C{time} is UTC, C{monotonic} never goes
back, and C{seq} counts from 1 since the start.  No token is ever in it.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any, TextIO

from twisted.logger import Logger

_MOST_TEXT = 1000
_TOLD = (
    *("event", "host", "console", "domain", "name", "device", "viewer", "user", "mode", "reason"),
    *("typed", "offset", "outcome", "address"),
)


class Audit:
    """
    One file, or none.
    """

    _log = Logger()

    def __init__(
        self, path: str | None, seconds: Callable[[], float], time: Callable[[], float]
    ) -> None:
        """
        @raise OSError: the file can't be opened.
        """
        self._path = path
        self._seconds = seconds
        self._time = time
        self._count = 0
        self._file: TextIO | None = None
        if path is not None:
            self._file = _opened(path)

    def write(self, event: str, **words: object) -> None:
        if self._file is None:
            return
        self._count += 1
        moment = datetime.fromtimestamp(self._time(), UTC).isoformat(timespec="milliseconds")
        line = {
            "seq": self._count,
            "time": moment.replace("+00:00", "Z"),
            "monotonic": round(self._seconds(), 6),
            "event": event,
            **{name: _bounded(value) for name, value in words.items() if value is not None},
        }
        try:
            self._file.write(json.dumps(line) + "\n")
        except (OSError, ValueError) as error:
            self._log.error("The audit log can't be written: {why}", why=str(error))

    def happened(self, words: Mapping[str, object]) -> None:
        """
        What an agent tells of a console.
        """
        known: dict[str, Any] = {name: words[name] for name in _TOLD if name in words}
        if "domain" in known:
            known["guest"] = known.pop("domain")
        self.write(str(known.pop("event", ""))[:100], **known)

    def reopen(self) -> None:
        """
        After the file was moved away.
        """
        if self._path is None:
            return
        try:
            fresh = _opened(self._path)
        except OSError as error:
            self._log.error("The audit log can't be reopened: {why}", why=str(error))
            return
        if self._file is not None:
            self._file.close()
        self._file = fresh

    def close(self) -> None:
        if self._file is not None:
            self._file.close()
            self._file = None


def _opened(path: str) -> TextIO:
    descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
    return os.fdopen(descriptor, "w", buffering=1, encoding="ascii")


def _bounded(value: object) -> object:
    if isinstance(value, (bool, int, float)):
        return value
    return str(value)[:_MOST_TEXT]
