"""
A process that has everything loaded, and forks an ajaxterm when told: a fresh
interpreter takes 300 ms and 44 MB, a fork a few milliseconds and what it writes to.

Descriptor 3 is a unix socket to the agent.  There come lines of JSON, with four
descriptors each (SCM_RIGHTS): the three of C{ajaxterm}'s C{--http-fd 3 --tty-fd 4
--control-fd 5}, and its stderr.

  -> {"argv": ["--http-fd", "3", ...]}
  <- {"pid": 1234}                     with the child's pidfd
  <- {"failed": "a sentence"}          instead
  <- {"ended": 1234, "how": "status 0"}

When the agent is gone, it stays until its last child has ended, since
somebody must reap them.

It has no reactor, and nothing that it loads may make one: a child makes its own.
"""

from __future__ import annotations

import array
import contextlib
import fcntl
import gc
import json
import os
import select
import signal
import socket
import sys
from collections.abc import Callable, Collection, Sequence
from types import CodeType, FunctionType
from typing import Any, NoReturn

from ajaxterm.nearby import code_at, fill_holes, lay_together
from groundwork.tls import spare_tls

AGENT = 3
"""The descriptor on which the agent speaks."""

HANDED = 4
"""How many descriptors come with an order."""

LONGEST = 1 << 16
"""Bytes of a line."""

Be = Callable[[Any], None]
"""Is an ajaxterm, with the options that were read."""

WORDS = ["--http-fd", "3", "--tty-fd", "4", "--control-fd", "5", "--title", "rehearsal"]
"""Arguments of a terminal that is tried."""

REHEARSALS = 12
"""Python specialises what has run eight times; more than these save nothing (measured)."""


class Foundry:
    """
    @ivar children: their pids, by pidfd.
    """

    def __init__(
        self,
        agent: socket.socket,
        read: Callable[[Sequence[str]], Any],
        begin: Callable[[Any], None],
    ) -> None:
        """
        @param read: takes the arguments of an ajaxterm; raises C{SystemExit} with
            what is wrong with them.
        @param begin: is an ajaxterm, in the child; with what C{read} returned.
        """
        self._agent: socket.socket | None = agent
        self._read = read
        self._begin = begin
        self._heard = b""
        self._handed: list[int] = []
        self.children: dict[int, int] = {}

    def run(self) -> None:
        """
        Until the agent and the last child are gone.
        """
        while self._agent is not None or self.children:
            poll = select.poll()
            for pidfd in self.children:
                poll.register(pidfd, select.POLLIN)
            if self._agent is not None:
                poll.register(self._agent, select.POLLIN)
            for descriptor, _ in poll.poll():
                if descriptor in self.children:
                    self._reap(descriptor)
                elif self._agent is not None:  # it may be found gone by what came before
                    self._listen()

    def _listen(self) -> None:
        assert self._agent is not None
        ints = array.array("i")
        room = socket.CMSG_SPACE(HANDED * ints.itemsize)
        try:
            heard, ancillary, flags, _ = self._agent.recvmsg(LONGEST, room, socket.MSG_CMSG_CLOEXEC)
        except OSError:
            heard, ancillary, flags = b"", [], 0
        for level, kind, content in ancillary:
            if (level, kind) == (socket.SOL_SOCKET, socket.SCM_RIGHTS):
                ints.frombytes(content[: len(content) - len(content) % ints.itemsize])
        self._handed += ints
        if not heard or flags & socket.MSG_CTRUNC:
            # One that got lost (we have too many open): whose the others are, who knows.
            self._leave()
            return
        *lines, self._heard = (self._heard + heard).split(b"\n")
        if len(self._heard) > LONGEST:
            self._leave()
            return
        for line in lines:
            handed, self._handed = self._handed[:HANDED], self._handed[HANDED:]
            self._obey(line, handed)
            for each in handed:
                os.close(each)

    def _obey(self, line: bytes, handed: list[int]) -> None:
        try:
            options = self._read([str(word) for word in json.loads(line)["argv"]])
            if len(handed) != HANDED:
                raise ValueError(f"{len(handed)} descriptors came, not {HANDED}")
            pid = os.fork()
        except (ValueError, TypeError, KeyError, OSError, SystemExit) as problem:
            self._say({"failed": str(problem)})
            return
        if pid == 0:
            self._be_child(options, handed)
        try:
            pidfd = os.pidfd_open(pid)
        except OSError as problem:
            # The agent will spawn one instead; two must not serve the same sockets.
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)
            self._say({"failed": str(problem)})
            return
        self.children[pidfd] = pid
        self._say({"pid": pid}, pidfd)
        if self._agent is None:
            # Nobody knows of it, and who asked has another one serve the same sockets.
            os.kill(pid, signal.SIGKILL)

    def _be_child(self, options: Any, handed: list[int]) -> NoReturn:
        status = 1
        try:
            keep_only(handed)
            self._begin(options)
            status = 0
        except SystemExit as leaving:
            if isinstance(leaving.code, str):
                sys.stderr.write(leaving.code + "\n")
            else:
                status = leaving.code or 0
        except BaseException:
            sys.excepthook(*sys.exc_info())
        finally:
            # Not by sys.exit(): what is behind us on the stack is the foundry's.
            with contextlib.suppress(OSError):  # it is full, as nobody reads it
                sys.stderr.flush()
            os._exit(status)

    def _reap(self, pidfd: int) -> None:
        pid = self.children.pop(pidfd)
        os.close(pidfd)
        _, status = os.waitpid(pid, 0)
        code = os.waitstatus_to_exitcode(status)
        how = f"status {code}" if code >= 0 else f"signal {-code}"
        self._say({"ended": pid, "how": how})

    def _say(self, words: dict[str, object], descriptor: int | None = None) -> None:
        if self._agent is None:
            return
        line = json.dumps(words).encode("ascii") + b"\n"
        try:
            if descriptor is None:
                self._agent.sendall(line)
            else:
                sent = socket.send_fds(self._agent, [line], [descriptor])
                self._agent.sendall(line[sent:])
        except OSError:
            self._leave()

    def _leave(self) -> None:
        if self._agent is not None:
            self._agent.close()
            self._agent = None
        for each in self._handed:
            os.close(each)
        self._handed = []


def keep_only(handed: list[int]) -> None:
    """
    Nothing of the foundry's stays open; what was handed gets its places: 3, 4, 5,
    and 2 for the last.
    """
    for name in os.listdir("/proc/self/fd"):
        if int(name) > 2 and int(name) not in handed:
            try:
                os.close(int(name))
            except OSError:
                pass  # the folder itself
    # First out of each other's way.
    moved = [fcntl.fcntl(each, fcntl.F_DUPFD, 10) for each in handed]
    for each in handed:
        os.close(each)
    for place, each in zip((3, 4, 5, 2), moved, strict=True):
        os.dup2(each, place)
        os.close(each)


def run(user: str | None, kept: list[Any], places: Collection[str]) -> None:
    """
    Load everything, become the user, and fork when told.

    @param user: C{UID:GID}.
    @param kept: is not to be forgotten.
    @param places: where the code is that a terminal runs.
    """
    serve, be = load()
    become(user)
    agent = socket.socket(fileno=AGENT)
    agent.setblocking(True)
    kept = [kept, _prepare(serve, places)]
    assert "twisted.internet.reactor" not in sys.modules
    assert len(os.listdir("/proc/self/task")) == 1, "children take no heed of others' locks"
    gc.collect()
    gc.freeze()

    Foundry(agent, Reading(), be).run()


class Reading:
    """
    Reads arguments once, as long as nothing but the title differs: what the foundry writes to
    between two forks, each child has for itself.
    """

    def __init__(self) -> None:
        self._words: list[str] = []
        self._options: Any = None

    def __call__(self, argv: Sequence[str]) -> Any:
        """@raise SystemExit: with what is wrong with C{argv}."""
        from ajaxterm.main import read

        words, title = list(argv), None
        if "--title" in words[:-1]:
            at = words.index("--title") + 1
            title, words[at] = words[at], ""
        if self._options is None or words != self._words:
            self._options, self._words = read(argv), words
        elif title is not None:
            self._options["title"] = title
        return self._options


def become(user: str | None) -> None:
    if user is not None:
        uid, gid = map(int, user.split(":"))
        os.setgroups([])
        os.setgid(gid)
        os.setuid(uid)


def load() -> tuple[Any, Be]:
    """
    @return: what serves a rehearsal, and what is an ajaxterm.
    """
    # Whatever a child would load for itself, each would have of its own; and the
    # user that it has become by then may not be able to read it.
    spare_tls()
    from twisted.internet import epollreactor

    import ajaxterm.rehearsal  # noqa: F401 (for L{_prepare}, when it can't be read any more)
    from ajaxterm.logging import begin_log
    from ajaxterm.main import read, run, terms_of
    from ajaxterm.serve import Terminal, serve_guest
    from ajaxterm.web import Page, ProxyDoor

    begin_log()
    page = Page.load()

    def serve(
        reactor: Any, http: socket.socket, tty: socket.socket, control: socket.socket
    ) -> Terminal:
        terms = terms_of(read(WORDS))
        return serve_guest(reactor, terms, page, ProxyDoor, http, tty, control, lambda: None)

    def be(options: Any) -> None:
        epollreactor.install()
        run(options, page)

    return serve, be


def _own_code() -> set[CodeType]:
    from ajaxterm.main import run

    own = [run, keep_only, *vars(Foundry).values(), *vars(Reading).values()]
    return {each.__code__ for each in own if isinstance(each, FunctionType)}


def _prepare(serve: Any, places: Collection[str] = ()) -> list[object]:
    """
    @param places: where code is that a terminal runs; what a rehearsal does is added.
    @return: what must be kept as long as children are forked.
    """
    from ajaxterm.rehearsal import rehearse, watch

    try:
        rehearse(serve)
        kept = lay_together(watch(serve) | _own_code() | code_at(places))
        # What is cached of the attributes of everything that was ever looked up is
        # replaced bit by bit by what children look up, which changes both.
        for name in ("_clear_internal_caches", "_clear_type_cache"):  # 3.13; before
            if hasattr(sys, name):
                getattr(sys, name)()
                break
        for _ in range(REHEARSALS):
            rehearse(serve)
    except Exception as error:
        # There may be no loopback; or a Python, or a Twisted, that does not let us.
        sys.stderr.write(f"Without a rehearsal each terminal takes more memory: {error!r}\n")
        return []
    gc.collect()
    kept.append(fill_holes())
    return kept
