"""
The log: a line for each event, on stderr.

Twisted's own observers do the same, by some sixty functions more; and each that runs is
some kilobytes more for each terminal (L{ajaxterm.nearby}).
"""

from __future__ import annotations

import sys
import time
from functools import cache

from twisted.logger import ILogObserver, LogEvent, LogLevel, eventAsText, globalLogBeginner
from zope.interface import implementer

LEVELS = {level.name: rank for rank, level in enumerate(LogLevel.iterconstants())}
"""Names of levels, and their ranks."""

_written = set(LEVELS)


@cache
def begin_log() -> None:
    """
    Log to stderr from now on.
    """
    globalLogBeginner.beginLoggingTo([_write], redirectStandardIO=False)


def log_from(level: str) -> None:
    """
    @param level: the name of the least that is written.
    """
    least = LEVELS[level]
    for name, rank in LEVELS.items():
        (_written.add if rank >= least else _written.discard)(name)


@implementer(ILogObserver)
def _write(event: LogEvent) -> None:
    level = event["log_level"].name
    if level not in _written:
        return
    try:
        words = event["log_format"].format_map(event)
        if "log_failure" in event:
            words = eventAsText(event, includeTimestamp=False, includeSystem=False)
    except Exception:
        # Of a form that is Twisted's only: "{name()}", or the old one.
        words = eventAsText(event, includeTimestamp=False, includeSystem=False)
    moment = time.strftime("%Y-%m-%dT%H:%M:%S%z", time.localtime(event["log_time"]))
    namespace = event.get("log_namespace", "-")
    lines = words.replace("\n", "\n\t")
    sys.stderr.write(f"{moment} [{namespace}#{level}] {lines}\n")
    sys.stderr.flush()
