"""
What a daemon has when it has begun, it has until it ends: so the garbage collector need not look
at it again and again.  A look at all of it takes 20 ms (measured), in which nobody's key is
carried on.
"""

from __future__ import annotations

import gc
from typing import Any


def settle_when_running(reactor: Any) -> None:
    """Have it so as soon as C{reactor} runs."""
    reactor.callWhenRunning(settle)


def settle() -> None:
    """Have the collector look at nothing any more that there is now."""
    gc.collect()
    gc.freeze()
