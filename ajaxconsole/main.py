"""
The command C{ajaxconsole}.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from importlib.metadata import version

from twisted.internet.error import CannotListenError
from twisted.python.usage import UsageError

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
    if words[0] == "--version":
        sys.stdout.write(f"ajaxconsole {version('ajaxconsole')}\n")
        sys.exit(0)
    if words[0] != "up":
        sys.exit(f"ajaxconsole: there is no command {words[0]!r}\n\n{HELP}")
    _up(words[1:])


def _up(words: Sequence[str]) -> None:
    try:
        from ajaxconsole.tap import Options
    except ModuleNotFoundError as missing:
        if missing.name != "libvirt":
            raise
        sys.exit(
            "ajaxconsole: libvirt's Python binding is missing; it comes with the extra "
            "'agent': pip install '.[agent]' in place of pip install ."
        )
    options = Options()
    options.synopsis = "Usage: ajaxconsole up [options]"
    try:
        # twistd will do it again.  It would put all of its help before what is wrong.
        options.parseOptions(words)
    except UsageError as wrong:
        sys.exit(f"ajaxconsole: {wrong}\nTry 'ajaxconsole up --help'.")

    from twisted.scripts.twistd import run

    sys.argv = ["twistd", "-n", "--pidfile", "", "ajaxconsole", *words]
    try:
        run()
    except (CannotListenError, OverflowError) as error:
        sys.exit(f"ajaxconsole: {error}")
