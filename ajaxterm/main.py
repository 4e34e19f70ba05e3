"""
The command C{ajaxterm}: a terminal in the browser for any command; and, with
sockets handed over by a compute agent, for a guest.
"""

from __future__ import annotations

import os
import re
import shutil
import socket
import stat
import sys
from collections.abc import Callable, Mapping, Sequence
from secrets import token_urlsafe
from typing import Any, NoReturn

from twisted.python import usage

from ajaxterm.command import CommandLine
from ajaxterm.grants import Grant, digest_of
from ajaxterm.idleness import Limits
from ajaxterm.logging import LEVELS, begin_log, log_from
from ajaxterm.logout import Farewell
from ajaxterm.recording import CanNotRecord
from ajaxterm.serve import Record, Terminal, Terms, release, serve_guest
from ajaxterm.viewer import End
from ajaxterm.web import NoPage, OwnDoor, Page, ProxyDoor

FOREVER = 1e9
AN_OPEN_SOCKET = "the number of an open socket"
HANDED = ("http-fd", "tty-fd", "control-fd")


def _checked(name: str, words: str, parse: Callable[[str], Any]) -> Callable[[str], Any]:
    """
    @param parse: raises C{ValueError} for what is not C{words}.
    @return: a coercion for L{usage.Options} whose complaint names the option.
    """

    def coerce(text: str) -> Any:
        try:
            return parse(text)
        except ValueError:
            raise ValueError(f"--{name} is {words}, not {text!r}") from None

    return coerce


def _between(number: float, least: float, most: float) -> float:
    if not least <= number <= most:
        raise ValueError()
    return number


def _is_socket(descriptor: int) -> bool:
    try:
        return stat.S_ISSOCK(os.fstat(descriptor).st_mode)
    except (OSError, OverflowError):
        return False


def _user(text: str) -> tuple[int, int]:
    match = re.fullmatch(r"([0-9]{1,10}):([0-9]{1,10})", text)
    if match is None:
        raise ValueError()
    return int(match[1]), int(match[2])


def _log_level(text: str) -> str:
    if text not in LEVELS:
        raise ValueError()
    return text


def _socket_row(name: str, words: str) -> list[Any]:
    return [name, None, None, words, _checked(name, AN_OPEN_SOCKET, int)]


_PORT = _checked(
    "port", "a number from 0 to 65535", lambda text: int(_between(int(text), 0, 65535))
)


def _seconds_row(name: str, words: str, default: float = 0) -> list[Any]:
    parse = _checked(name, "a number of seconds", lambda text: _between(float(text), 0, FOREVER))
    zero = "" if default else "; 0 for never"
    return [name, None, default, f"Seconds {words}{zero}.", parse]


_SCROLLBACK = _checked(
    "scrollback", "a number from 4096", lambda text: int(_between(int(text), 4096, FOREVER))
)
_RECORD_MOST = _checked(
    "record-most", "a number from 4096", lambda text: int(_between(int(text), 4096, 1e15))
)
_USER = _checked("user", "UID:GID, two numbers", _user)
_LOG_LEVEL = _checked("log-level", "debug, info, warn, error or critical", _log_level)


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
        ["port", "p", 0, "Port to listen on; 0 for any.", _PORT],
        ["title", "t", "", "What the page calls this terminal."],
        _seconds_row("idle-timeout", "without a viewer until it ends"),
        _seconds_row("input-timeout", "without a key typed until it ends"),
        _seconds_row("watch-timeout", "with nobody there who can type until it ends"),
        ["logout", None, "none", "How to log out at the guest: none, eof, or a text to type."],
        _seconds_row("logout-grace", "after the last tab has closed until it is tried", 10),
        ["scrollback", None, 1 << 20, "Bytes of output kept.", _SCROLLBACK],
        ["record", None, None, "Directory to write recordings to (asciicast v2)."],
        ["record-most", None, 64 << 20, "Bytes of one of its two files.", _RECORD_MOST],
        ["user", None, None, "UID:GID to become, once everything is loaded.", _USER],
        ["log-level", None, "info", "debug, info, warn, error or critical.", _LOG_LEVEL],
        _socket_row("http-fd", "A listening socket for viewers."),
        _socket_row("tty-fd", "A listening unix socket for the line."),
        _socket_row("control-fd", "A listening unix socket for the agent."),
    ]

    optFlags = [["record-input", None, "Record what is typed too, passwords included."]]

    command: Sequence[str] = ()

    def parseArgs(self, *command: str) -> None:
        self.command = command

    def opt_version(self) -> None:
        """Say which version this is."""
        sys.stdout.write(f"ajaxterm {release()}\n")
        sys.exit(0)

    def postOptions(self) -> None:
        given = [self[name] is not None for name in HANDED]
        if any(given) and (not all(given) or self.command):
            raise usage.UsageError(
                "--http-fd, --tty-fd and --control-fd go together, and without a COMMAND"
            )
        if not any(given) and not self.command:
            raise usage.UsageError("say what to run: ajaxterm -- COMMAND")


def main(argv: Sequence[str] | None = None) -> None:
    """
    Run, until the terminal ends.
    """
    run(read(sys.argv[1:] if argv is None else argv))


def read(argv: Sequence[str]) -> Options:
    """
    @raise SystemExit: with what is wrong with C{argv}.
    """
    options = Options()
    try:
        options.parseOptions(list(argv))
    except usage.UsageError as error:
        _complain(str(error).removeprefix("Parameter type enforcement failed: "))
    return options


def run(options: Options, page: Page | None = None) -> None:
    """
    Run, until the terminal ends.

    @param page: if it is loaded already.
    @raise SystemExit: with why it can't; or with the command's status.
    """
    folder = None
    if options["record"] is not None:
        # At once: who we become later may not get there.
        try:
            folder = os.open(options["record"], os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        except OSError:
            _complain(f"--record is a directory, not {options['record']!r}")
    for name in HANDED:
        if options[name] is not None and not _is_socket(options[name]):
            _complain(f"--{name} is {AN_OPEN_SOCKET}, not {options[name]}")
    try:
        page = page or Page.load()
    except NoPage as error:
        sys.exit(f"ajaxterm: {error}")
    begin_log()
    log_from(options["log-level"])

    from twisted.internet import reactor

    try:
        if options["http-fd"] is None:
            sys.exit(_serve_command(reactor, options, page, os.environ, folder))
        _serve_guest(reactor, options, page, folder)
    except CanNotRecord as error:
        sys.exit(f"ajaxterm: {error}")
    reactor.run()


def _complain(words: str) -> NoReturn:
    sys.exit(f"ajaxterm: {words}\nTry 'ajaxterm --help'.")


def _serve_guest(reactor: Any, options: Options, page: Page, folder: int | None) -> None:
    http, tty, control = (socket.socket(fileno=options[name]) for name in HANDED)
    os.chdir("/")
    if os.getpgid(0) != os.getpid():
        os.setsid()  # a Ctrl-C for the agent is none for us
    if options["user"] is not None:
        uid, gid = options["user"]
        try:
            os.setgroups([])
            os.setgid(gid)
            os.setuid(uid)
        except OSError as error:
            sys.exit(f"ajaxterm: can't become user {uid}, group {gid}: {error}")
    terms = terms_of(options, folder)
    serve_guest(reactor, terms, page, ProxyDoor, http, tty, control, reactor.stop)


def _serve_command(
    reactor: Any,
    options: Options,
    page: Page,
    environ: Mapping[str, str],
    folder: int | None = None,
) -> int:
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
    except OSError as error:
        sys.exit(
            f"ajaxterm: can't listen on {options['interface']}, port {options['port']}: {error}"
        )
    port = listening.getsockname()[1]
    status: list[int] = []

    def ended(code: int | None) -> None:
        if terminal.session.end is not None:
            return  # and so it was hung up; how it took that is not our status
        status.append(1 if code is None else code)
        words = "by a signal" if code is None else f"with status {code}"
        terminal.session.leaving.finish_when_seen(
            End("line-ended", f"The command has ended {words}.", 1000)
        )

    line = CommandLine(ended)
    terminal = Terminal(
        reactor,
        terms_of(options, folder),
        line,
        page,
        lambda grants: OwnDoor(grants, port, [options["interface"]]),
        reactor.stop,
    )
    line.session = terminal.session
    token = token_urlsafe(32)
    terminal.grants.add(digest_of(token), Grant("own", "rw", "you", FOREVER))
    terminal.adopt(listening, terminal.site)
    try:
        line.start(reactor, options.command, {"TERM": "xterm-256color", **environ})
    except OSError as error:
        sys.exit(f"ajaxterm: can't start {options.command[0]!r}: {error}")
    reactor.addSystemEventTrigger("before", "shutdown", line.hang_up)
    host = f"[{options['interface']}]" if ":" in options["interface"] else options["interface"]
    sys.stdout.write(f"http://{host}:{port}/?token={token}\n")
    sys.stdout.flush()
    reactor.run()
    return status[0] if status else 0


def terms_of(options: Options, folder: int | None = None) -> Terms:
    """
    @param folder: a descriptor of where to record, if anywhere.
    """
    title = options["title"] or " ".join(options.command)
    timeouts = (options[f"{name}-timeout"] for name in ("idle", "input", "watch"))
    farewell = Farewell.named(options["logout"], options["logout-grace"])
    record = None
    if folder is not None:
        record = Record(folder, bool(options["record-input"]), options["record-most"])
    return Terms(title[:200], Limits(*timeouts), options["scrollback"], farewell, record)
