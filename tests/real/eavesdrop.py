"""
Writes what is fanned out to the proxies, a line of JSON each: the secrets that
only the bus ever carries.  The broker's URL comes in by stdin.

    python -m tests.real.eavesdrop
"""

from __future__ import annotations

import json
import sys
from typing import Any

from consolebus.connect import bus_from_url
from consolebus.ibus import Context


def main() -> None:
    from twisted.internet import reactor

    def authorize_console(context: Context, **words: Any) -> None:
        sys.stdout.write(json.dumps(words) + "\n")
        sys.stdout.flush()

    bus = bus_from_url(sys.stdin.readline().strip(), reactor)
    bus.listen("consoleproxy", {"authorize_console": authorize_console})
    bus.when_connected(lambda: (sys.stdout.write("{}\n"), sys.stdout.flush()))
    bus.start()
    reactor.run()  # type: ignore[attr-defined]


if __name__ == "__main__":
    main()
