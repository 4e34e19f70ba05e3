"""
Has an agent revoke a grant, as the API does; prints C{time.monotonic()} just before.  The
broker's URL comes in by stdin.

    python -m tests.real.revoke HOST GRANT
"""

from __future__ import annotations

import contextlib
import subprocess
import sys
import time
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.task import react

from consolebus.connect import bus_from_url
from consolebus.ibus import DeadlineExceeded
from tests.real.parts import PATIENCE, ROOT


def revoke(url: str, host: str, grant: str) -> float:
    """
    Run it.

    @return: when it was asked.
    """
    done = subprocess.run(
        [sys.executable, "-m", "tests.real.revoke", host, grant],
        input=url.encode(),
        stdout=subprocess.PIPE,
        cwd=ROOT,
        timeout=PATIENCE,
        check=True,
    )
    return float(done.stdout)


async def _run(reactor: Any, host: str, grant: str) -> None:
    bus = bus_from_url(sys.stdin.readline().strip(), reactor)
    connected: Deferred[None] = Deferred()
    bus.when_connected(lambda: connected.called or connected.callback(None))
    bus.start()
    await connected
    sys.stdout.write(f"{time.monotonic()}\n")
    sys.stdout.flush()
    with contextlib.suppress(DeadlineExceeded):  # of a console that is stuck
        await bus.call(f"compute.{host}", "revoke_grant", {"grant": grant}, timeout=2.0)
    await bus.stop()


if __name__ == "__main__":
    react(lambda reactor: Deferred.fromCoroutine(_run(reactor, *sys.argv[1:])))
