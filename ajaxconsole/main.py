"""
The command C{ajaxconsole}.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from importlib.metadata import version

from twisted.python.usage import UsageError

from ajaxconsole.outcome import DONE, FAILED, USAGE, Problem

COMMANDS = (
    *("list", "open", "attach", "log", "sessions", "close", "token", "doctor"),
    "end-consoles",
)

HELP = """\
Usage: ajaxconsole COMMAND [options]

Commands:
  up        Agent, proxy and API in one process, for the guests of this host.
            The same as 'twistd -n ajaxconsole'; 'ajaxconsole up --help' lists its options.
  doctor    Look whether this host has what 'up' or an agent needs, and say what to do.
  token     Make an API token for a user.
  end-consoles
            End what a stopped agent has left running on this host.

Of an API, here or elsewhere ('ajaxconsole COMMAND --help' lists how it is told which):
  list      The guests that you may see.
  open      A URL of a guest's console; --browser opens it.
  attach    A guest's console in this terminal; ~. leaves, ~? helps.
  log       What a guest has said.
  sessions  Who is on which console.
  close     End the consoles of a guest.

They end with 0; 1 where it can't be done now; 2 where the command or a file of settings is
wrong; 3 where there is no such guest or console, or several; 4 where you are not logged in or
not allowed; 5 where nobody answers.

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
    if words[0] == "up":
        _up(words[1:])
        return
    if words[0] not in COMMANDS:
        sys.stderr.write(f"ajaxconsole: there is no command {words[0]!r}\n\n{HELP}")
        sys.exit(USAGE)
    sys.exit(_command(words))


def _command(words: Sequence[str]) -> int:
    from ajaxconsole import commands, doctor, ending

    try:
        if words[0] == "end-consoles":
            return ending.run(words[1:])
        return doctor.run(words[1:]) if words[0] == "doctor" else commands.run(words)
    except Problem as problem:
        sys.stderr.write(f"ajaxconsole: {problem}\n")
        return problem.status
    except KeyboardInterrupt:
        return FAILED
    except BrokenPipeError:
        # Who read our output has gone, as head does.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return DONE


def _up(words: Sequence[str]) -> None:
    from ajaxconsole.tap import Options

    options = Options()
    options.synopsis = "Usage: ajaxconsole up [options]"
    try:
        # twistd will do it again.  It would put all of its help before what is wrong.
        options.parseOptions(words)
    except UsageError as wrong:
        sys.exit(f"ajaxconsole: {wrong}\nTry 'ajaxconsole up --help'.")

    from twisted.internet.error import CannotListenError
    from twisted.scripts.twistd import run

    sys.argv = ["twistd", "-n", "--pidfile", "", "ajaxconsole", *words]
    try:
        run()
    except (CannotListenError, OverflowError) as error:
        sys.exit(f"ajaxconsole: {error}")
