"""
The command C{ajaxterm}: a terminal in the browser for any command; and, with
sockets handed over by a compute agent, for a guest.
"""

from __future__ import annotations

import os
import re
import shutil
import socket
import sys
from collections.abc import Mapping, Sequence
from secrets import token_urlsafe
from typing import Any

from twisted.internet.error import CannotListenError
from twisted.logger import (
    FilteringLogObserver,
    LogLevel,
    LogLevelFilterPredicate,
    globalLogBeginner,
    textFileLogObserver,
)
from twisted.python import usage

from ajaxterm.command import CommandLine
from ajaxterm.grants import Grant, digest_of
from ajaxterm.serve import Terminal, Terms, serve_guest
from ajaxterm.viewer import End
from ajaxterm.web import NoPage, OwnDoor, Page, ProxyDoor

FOREVER = 1e9


def _at_least(least: float) -> Any:
    def number(text: str) -> float:
        value = float(text)
        if not least <= value < FOREVER:
            raise ValueError(f"a number from {least:g}")
        return value

    number.coerceDoc = f"a number from {least:g}"  # type: ignore[attr-defined]
    return number


def _user(text: str) -> tuple[int, int]:
    match = re.fullmatch(r"([0-9]+):([0-9]+)", text)
    if match is None:
        raise ValueError("UID:GID, two numbers")
    return int(match[1]), int(match[2])


_user.coerceDoc = "UID:GID, two numbers"  # type: ignore[attr-defined]


class Options(usage.Options):
    """
    The command line.
    """

    synopsis = "Usage: ajaxterm [options] -- COMMAND [ARGUMENT ...]"
    longdesc = (
        "Serves COMMAND as a terminal in the browser and prints its URL. Whoever has the URL can "
        "type. The compute agent starts it with --http-fd, --tty-fd and --control-fd instead."
    )
    optParameters = [
        ["interface", "i", "127.0.0.1", "Address to listen on."],
        ["port", "p", 0, "Port to listen on; 0 for any.", int],
        ["title", "t", "", "What the page calls this terminal."],
        [
            "idle-timeout",
            None,
            0.0,
            "Seconds without a viewer until it ends; 0 for never.",
            _at_least(0),
        ],
        ["scrollback", None, float(1 << 20), "Bytes of output kept.", _at_least(4096)],
        ["user", None, None, "UID:GID to become, once everything is loaded.", _user],
        ["log-level", None, "info", "debug, info, warn, error or critical."],
        ["http-fd", None, None, "A listening socket for viewers.", int],
        ["tty-fd", None, None, "A listening unix socket for the line.", int],
        ["control-fd", None, None, "A listening unix socket for the agent.", int],
    ]

    command: Sequence[str] = ()

    def parseArgs(self, *command: str) -> None:
        self.command = command

    def postOptions(self) -> None:
        given = [self[name] is not None for name in ("http-fd", "tty-fd", "control-fd")]
        if any(given) and (not all(given) or self.command):
            raise usage.UsageError(
                "--http-fd, --tty-fd and --control-fd go together, and without a COMMAND"
            )
        if not any(given) and not self.command:
            raise usage.UsageError("say what to run: ajaxterm -- COMMAND")
        try:
            LogLevel.levelWithName(self["log-level"])
        except ValueError:
            raise usage.UsageError(f"--log-level: there is no level {self['log-level']}") from None


def main(argv: Sequence[str] | None = None) -> None:
    """Run, until the terminal ends."""
    options = Options()
    try:
        options.parseOptions(sys.argv[1:] if argv is None else list(argv))
        page = Page.load()
    except (usage.UsageError, NoPage) as error:
        sys.exit(f"ajaxterm: {error}\nTry 'ajaxterm --help'.")
    _log_to_stderr(options["log-level"])

    from twisted.internet import reactor

    if options["http-fd"] is not None:
        _serve_guest(reactor, options, page)
        reactor.run()
        return
    sys.exit(_serve_command(reactor, options, page, os.environ))


def _serve_guest(reactor: Any, options: Options, page: Page) -> None:
    http, tty, control = (
        socket.socket(fileno=options[name]) for name in ("http-fd", "tty-fd", "control-fd")
    )
    os.chdir("/")
    if os.getsid(0) != os.getpid():
        os.setsid()  # a Ctrl-C for the agent is none for us
    if options["user"] is not None:
        uid, gid = options["user"]
        os.setgroups([])
        os.setgid(gid)
        os.setuid(uid)
    serve_guest(reactor, _terms(options), page, ProxyDoor, http, tty, control, reactor.stop)


def _serve_command(reactor: Any, options: Options, page: Page, environ: Mapping[str, str]) -> int:
    if shutil.which(options.command[0]) is None:
        sys.exit(f"ajaxterm: there is no command {options.command[0]!r}")
    listening = socket.socket(
        socket.AF_INET6 if ":" in options["interface"] else socket.AF_INET, socket.SOCK_STREAM
    )
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listening.setblocking(False)
    try:
        listening.bind((options["interface"], options["port"]))
        listening.listen(128)
    except (OSError, CannotListenError) as error:
        sys.exit(
            f"ajaxterm: can't listen on {options['interface']}, port {options['port']}: {error}"
        )
    port = listening.getsockname()[1]
    status: list[int] = []

    def ended(code: int | None) -> None:
        status.append(1 if code is None else code)
        words = "by a signal" if code is None else f"with status {code}"
        terminal.session.finish_when_seen(
            End("line-ended", f"The command has ended {words}.", 1000)
        )

    def stop() -> None:
        if reactor.running:
            reactor.stop()

    line = CommandLine(ended)
    terminal = Terminal(
        reactor,
        _terms(options),
        line,
        page,
        lambda grants: OwnDoor(grants, port, [options["interface"]]),
        stop,
    )
    line.session = terminal.session
    token = token_urlsafe(32)
    terminal.grants.add(digest_of(token), Grant("own", "rw", "you", FOREVER))
    terminal.adopt(listening, terminal.site)
    line.start(reactor, options.command, {"TERM": "xterm-256color", **environ})
    reactor.addSystemEventTrigger("before", "shutdown", line.hang_up)
    host = f"[{options['interface']}]" if ":" in options["interface"] else options["interface"]
    sys.stdout.write(f"http://{host}:{port}/?token={token}\n")
    sys.stdout.flush()
    reactor.run()
    return status[0] if status else 0


def _terms(options: Options) -> Terms:
    title = options["title"] or " ".join(options.command)
    return Terms(title[:200], options["idle-timeout"], int(options["scrollback"]))


def _log_to_stderr(level: str) -> None:
    observer = FilteringLogObserver(
        textFileLogObserver(sys.stderr),
        [LogLevelFilterPredicate(LogLevel.levelWithName(level))],
    )
    globalLogBeginner.beginLoggingTo([observer], redirectStandardIO=False)
