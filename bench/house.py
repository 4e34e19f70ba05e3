"""
A house (L{bench.household}) as a process.

    python -m bench.house PORT SOCKET

It ends when its standard input does.  The proxy listens on PORT.  SOCKET takes orders, a line of
JSON each, and answers each:

  {"do": "guest", "index": 3, "pty": "/dev/pts/7"}   there is such a guest -> {}
  {"do": "open", "index": 3, "mode": "rw"}           as the API does it    -> {"console", "grant",
                                                                               "token"}
  {"do": "revoke", "grant": "g..."}                                        -> {}
  {"do": "close", "console": "c..."}                                       -> {}
  {"do": "socat", "console": "c..."}                 that of the console   -> {"pid"}
  {"do": "state"}                                    what is held          -> {"readers", ...}
  whatever fails                                                           -> {"failed": "..."}
"""

from __future__ import annotations

import sys

from groundwork.tls import spare_tls


def main(port: str, door: str) -> None:
    # As daemons do, before they import their network.
    spare_tls(f"tcp:{port}")

    from bench.household import keep_house

    keep_house(int(port), door)


if __name__ == "__main__":
    main(*sys.argv[1:])
