"""
A process that has everything loaded, and forks an ajaxterm when told: a fresh
interpreter takes 300 ms and 44 MB, a fork a few milliseconds and what it writes to.

    python -m ajaxterm.foundry [UID:GID]

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
import socket
import sys
from collections.abc import Callable, Sequence
from typing import Any, NoReturn

AGENT = 3
"""The descriptor on which the agent speaks."""

HANDED = 4
"""How many descriptors come with an order."""

LONGEST = 1 << 16
"""Bytes of a line."""

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
                else:
                    self._listen()

    def _listen(self) -> None:
        assert self._agent is not None
        ints = array.array("i")
        room = socket.CMSG_SPACE(HANDED * ints.itemsize)
        try:
            heard, ancillary, _flags, _ = self._agent.recvmsg(
                LONGEST, room, socket.MSG_CMSG_CLOEXEC
            )
        except OSError:
            heard, ancillary = b"", []
        for level, kind, content in ancillary:
            if (level, kind) == (socket.SOL_SOCKET, socket.SCM_RIGHTS):
                ints.frombytes(content[: len(content) - len(content) % ints.itemsize])
        self._handed += ints
        if not heard:
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
        pidfd = os.pidfd_open(pid)
        self.children[pidfd] = pid
        self._say({"pid": pid}, pidfd)

    def _be_child(self, options: Any, handed: list[int]) -> NoReturn:
        status = 1
        try:
            _keep_only(handed)
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


def _keep_only(handed: list[int]) -> None:
    """
    Nothing of the foundry's stays open; what was handed gets its places: 3, 4, 5,
    and 2 for the last.
    """
    for name in os.listdir("/proc/self/fd"):
        if int(name) > 2 and int(name) not in handed:
            with contextlib.suppress(OSError):  # the folder itself
                os.close(int(name))
    # First out of each other's way.
    moved = [fcntl.fcntl(each, fcntl.F_DUPFD, 10) for each in handed]
    for each in handed:
        os.close(each)
    for place, each in zip((3, 4, 5, 2), moved, strict=True):
        os.dup2(each, place)
        os.close(each)


def main(argv: Sequence[str]) -> None:
    """
    Load everything, become the user, and fork when told.
    """
    # Whatever a child would load for itself, each would have of its own; and the
    # user that it has become by then may not be able to read it.
    sys.modules["OpenSSL"] = None  # type: ignore[assignment]  # 6 MB; Twisted does without
    from twisted.internet import epollreactor

    from ajaxterm.main import begin_log, read, run
    from ajaxterm.web import Page

    page = Page.load()
    os.chdir("/")
    if os.getpgid(0) != os.getpid():
        os.setsid()  # a Ctrl-C for the agent is none for us
    if argv:
        uid, gid = map(int, argv[0].split(":"))
        os.setgroups([])
        os.setgid(gid)
        os.setuid(uid)
    agent = socket.socket(fileno=AGENT)
    agent.setblocking(True)
    begin_log()
    kept = _prepare(page)
    assert "twisted.internet.reactor" not in sys.modules
    gc.collect()
    gc.freeze()

    def be(options: Any) -> None:
        epollreactor.install()
        run(options, page)

    Foundry(agent, read, be).run()
    del kept


def _prepare(page: Any) -> list[object]:
    """@return: what must be kept as long as children are forked."""
    from ajaxterm.main import read, terms_of
    from ajaxterm.nearby import fill_holes, lay_together
    from ajaxterm.rehearsal import rehearse, watch
    from ajaxterm.serve import serve_guest
    from ajaxterm.web import ProxyDoor

    words = ["--http-fd", "3", "--tty-fd", "4", "--control-fd", "5", "--title", "rehearsal"]

    def serve(reactor: Any, http: socket.socket, tty: socket.socket, control: socket.socket) -> Any:
        terms = terms_of(read(words))
        return serve_guest(reactor, terms, page, ProxyDoor, http, tty, control, lambda: None)

    try:
        kept = lay_together(watch(serve))
        # What is cached of the attributes of everything that was ever looked up is
        # replaced bit by bit by what children look up, which changes both.
        sys._clear_type_cache()
        for _ in range(REHEARSALS):
            rehearse(serve)
        gc.collect()
        kept.append(fill_holes())
    except OSError as error:
        sys.stderr.write(f"Without a rehearsal each terminal takes more memory: {error}\n")
        kept = []
    return kept


if __name__ == "__main__":
    main(sys.argv[1:])
