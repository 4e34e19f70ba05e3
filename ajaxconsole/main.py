"""
The command C{ajaxconsole}.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence

HELP = """\
Usage: ajaxconsole COMMAND [options]

Commands:
  up      Agent, proxy and API in one process, for the guests of this host.
          The same as 'twistd -n ajaxconsole'; 'ajaxconsole up --help' lists its options.

The daemons one by one, for many hosts, are plugins of twistd: computeagent, consoleproxy
and consoleapi; 'twistd --help' lists them.
"""


def main(argv: Sequence[str] | None = None) -> None:
    """Run one of the commands."""
    words = list(sys.argv[1:] if argv is None else argv)
    if not words or words[0] in ("-h", "--help", "help"):
        sys.stdout.write(HELP)
        sys.exit(0 if words else 2)
    if words[0] != "up":
        sys.exit(f"ajaxconsole: there is no command {words[0]!r}\n\n{HELP}")

    from twisted.scripts.twistd import run

    sys.argv = ["twistd", "-n", "--pidfile", "", "ajaxconsole", *words[1:]]
    run()
