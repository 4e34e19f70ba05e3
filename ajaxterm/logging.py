"""
The log: a line for each event, on stderr.

Twisted's own observers do the same, by some sixty functions more; and each that runs is
some kilobytes more for each terminal (L{ajaxterm.nearby}).
"""

from __future__ import annotations

import sys
import time
from functools import cache

from twisted.logger import (
    FilteringLogObserver,
    ILogObserver,
    LogEvent,
    LogLevel,
    LogLevelFilterPredicate,
    eventAsText,
    globalLogBeginner,
)
from zope.interface import implementer

_levels = LogLevelFilterPredicate()


@cache
def begin_log() -> None:
    """
    Log to stderr from now on.
    """
    globalLogBeginner.beginLoggingTo(
        [FilteringLogObserver(_write, [_levels])], redirectStandardIO=False
    )


def log_from(level: str) -> None:
    """
    @param level: the name of the least that is written.
    """
    _levels.setLogLevelForNamespace("", LogLevel.levelWithName(level))


@implementer(ILogObserver)
def _write(event: LogEvent) -> None:
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
    sys.stderr.write(f"{moment} [{namespace}#{event['log_level'].name}] {lines}\n")
    sys.stderr.flush()
