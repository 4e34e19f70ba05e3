"""
Where a console's children are made: an ajaxterm, and a socat that joins it to
the guest.

  agent ── listens on the port, tty.sock, control.sock ──▶ ajaxterm (fd 3, 4, 5)
        ── opens the device, connects to tty.sock      ──▶ socat    (fd 3, 4)

Whatever a child uses, the agent opens and hands over, so the children run as
another user who can open nothing.  The sockets listen before the child
exists: what connects waits in the backlog, and there is no port to race for
and no readiness to poll for.
"""

from __future__ import annotations

import os
import pwd
import shutil
import socket
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from twisted.internet.defer import Deferred, TimeoutError, succeed
from twisted.internet.endpoints import UNIXClientEndpoint
from twisted.internet.error import ConnectError
from twisted.logger import Logger

from computeagent.children import Child, Process, Sayings, Watched, adopted
from computeagent.devices import has_open
from computeagent.foundry import Foundry, FoundryGone, factory_of
from computeagent.orders import Orders, TerminalGone
from computeagent.pids import Running
from computeagent.ports import PortRange
from computeagent.rooms import Room

SOCAT_BLOCK = 65536
"""Bytes that socat moves at a time.  A pty hands out 4 KiB a read at most, a
unix socket more."""

ENVIRONMENT = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LANG": "C.UTF-8"}


class Unfit(Exception):
    """This host lacks something that the agent needs; the sentence says what."""


@dataclass(slots=True)
class Terminal:
    """
    An ajaxterm that was started.

    @ivar host: the address it listens on.
    @ivar port: the port.
    """

    host: str
    port: int
    child: Any
    orders: Any


class IWorkshop(Protocol):
    """What a console asks for; in tests something else gives it."""

    def start_terminal(
        self,
        room: Room,
        title: str,
        told: Callable[[Mapping[str, Any]], None],
        port: int | None = None,
        lasts: bool = False,
    ) -> Deferred[Terminal]: ...

    def join(self, room: Room, title: str, device: int) -> Any: ...

    def adopt_terminal(
        self,
        room: Room,
        title: str,
        told: Callable[[Mapping[str, Any]], None],
        process: Running,
        host: str,
        port: int,
    ) -> Deferred[Terminal]: ...

    def adopt_socat(self, title: str, process: Running) -> Any | None: ...

    def has_open(self, socat: Any, device: int) -> bool: ...


class Workshop:
    """
    Makes real children.
    """

    _log = Logger()

    def __init__(
        self,
        reactor: Any,
        address: str,
        ports: PortRange,
        idle_timeout: float,
        child_user: str = "",
        log_level: str = "info",
        forks: bool = True,
        handed_down: Sequence[str] = (),
    ) -> None:
        """
        @param address: where ajaxterms listen; one that the proxies reach.
        @param child_user: who the children run as; empty for our own user.
        @param forks: whether ajaxterms are forked by a foundry; if not, or if it
            fails, each is an interpreter of its own.
        @param handed_down: further options of every ajaxterm.
        @raise Unfit: no socat, or no such user, or no right to become him.
        """
        self._reactor = reactor
        self._address = address
        self._ports = ports
        self._idle_timeout = idle_timeout
        self._log_level = log_level
        self._handed_down = handed_down
        self._uid, self._gid = _find_user(child_user)
        self._socat = _find_program("socat")
        self._setsid = _find_program("setsid")
        self._nothing = os.open("/dev/null", os.O_RDWR | os.O_CLOEXEC)
        self._foundry: Foundry | None = None
        if forks:
            user = "" if self._uid is None else f"{self._uid}:{self._gid}"
            self._foundry = Foundry(reactor, self._spawn, user)

    def open(self) -> None:
        """Get ready, so that the first console need not wait for it."""
        if self._foundry is not None:
            self._foundry.warm_up()

    def close(self, leave: bool = False) -> Deferred[object]:
        """
        Give back what the workshop holds.

        @param leave: whether there are children that go on.
        @return: fires when that is done.
        """
        os.close(self._nothing)
        return succeed(None) if self._foundry is None else self._foundry.close(leave)

    def start_terminal(
        self,
        room: Room,
        title: str,
        told: Callable[[Mapping[str, Any]], None],
        port: int | None = None,
        lasts: bool = False,
    ) -> Deferred[Terminal]:
        """
        @param told: called with what the terminal tells of itself.
        @param port: the one to have, if it is free.
        @param lasts: whether it stays when nobody is there.
        @return: fires when its control socket is joined; the first order it
            obeys shows that it is up.
        @raise PortsExhausted: no port is free.
        @raise TerminalGone: it ended at once.
        @raise OSError: no process, no descriptor, no such address.
        """
        return Deferred.fromCoroutine(self._start_terminal(room, title, told, port, lasts))

    async def _start_terminal(
        self,
        room: Room,
        title: str,
        told: Callable[[Mapping[str, Any]], None],
        port: int | None,
        lasts: bool,
    ) -> Terminal:
        listening: list[socket.socket] = []
        try:
            listening.append(self._ports.bind(self._address, port))
            listening.append(room.listen(room.tty))
            listening.append(room.listen(room.control))
            host, bound = listening[0].getsockname()[:2]
            reading, log = room.make_log()
            try:
                handed = [*(one.fileno() for one in listening), log]
                child = await self._ajaxterm(title, handed, lasts)
            except BaseException:
                os.close(reading)
                raise
            finally:
                os.close(log)
            Sayings(self._reactor, reading, child)
        finally:
            for one in listening:
                one.close()
        try:
            orders = await self._orders(room, told)
        except BaseException:
            child.end()
            raise
        return Terminal(str(host), int(bound), child, orders)

    async def _orders(self, room: Room, told: Callable[[Mapping[str, Any]], None]) -> Orders:
        try:
            orders: Orders = await UNIXClientEndpoint(
                self._reactor, str(room.control), timeout=5
            ).connect(factory_of(Orders(self._reactor, told)))
        except ConnectError:
            raise TerminalGone() from None
        return orders

    def adopt_terminal(
        self,
        room: Room,
        title: str,
        told: Callable[[Mapping[str, Any]], None],
        process: Running,
        host: str,
        port: int,
    ) -> Deferred[Terminal]:
        """
        Go on with an ajaxterm of an earlier agent.

        @param process: it.
        @param host: where it listens.
        @param port: there.
        @return: as L{start_terminal}.
        @raise TerminalGone: it has ended, or is just ending.
        @raise OSError: no descriptor.
        """
        return Deferred.fromCoroutine(self._adopt_terminal(room, title, told, process, host, port))

    async def _adopt_terminal(
        self,
        room: Room,
        title: str,
        told: Callable[[Mapping[str, Any]], None],
        process: Running,
        host: str,
        port: int,
    ) -> Terminal:
        child = adopted(self._reactor, f"ajaxterm of {title}", process)
        if child is None:
            raise TerminalGone()
        try:
            orders = await self._orders(room, told)
            Sayings(self._reactor, room.open_log(), child)
        except BaseException:
            child.let_be()
            raise
        return Terminal(host, port, child, orders)

    def adopt_socat(self, title: str, process: Running) -> Watched | None:
        """
        @return: a socat of an earlier agent; C{None} if it has ended.
        @raise OSError: no descriptor.
        """
        return adopted(self._reactor, f"socat of {title}", process)

    def has_open(self, socat: Watched, device: int) -> bool:
        """
        @return: whether a socat reads the same device that we have open there.
        """
        return has_open(socat.pid, device)

    async def _ajaxterm(self, title: str, handed: Sequence[int], lasts: bool) -> Process:
        """
        @param handed: its three sockets, and where it writes what is for our log.
        """
        arguments = ["--http-fd", "3", "--tty-fd", "4", "--control-fd", "5"]
        idle_timeout = 0.0 if lasts else self._idle_timeout
        arguments += ["--title", title, "--idle-timeout", str(idle_timeout)]
        arguments += ["--log-level", self._log_level, *self._handed_down]
        name = f"ajaxterm of {title}"
        if self._foundry is not None:
            try:
                return await self._foundry.fork(arguments, handed, name)
            except (FoundryGone, TimeoutError) as problem:
                self._log.warn(
                    "The foundry makes no {child}, so it is spawned: {why!r}",
                    child=name,
                    why=problem,
                )
        child = Child(self._reactor, name)
        if self._uid is not None:
            # It becomes that user by itself once it has read its own files,
            # which may lie where that user can't read (a clone under /root).
            arguments += ["--user", f"{self._uid}:{self._gid}"]
        *handed, log = handed
        self._spawn(child, [sys.executable, "-m", "ajaxterm", *arguments], handed, log)
        return child

    def join(self, room: Room, title: str, device: int) -> Child:
        """
        Join a device to a terminal.

        @param device: an open descriptor, which stays the caller's.
        @raise OSError: the terminal is gone, or there is no process.
        """
        # An FD, not the path: neither side is opened by a child.  A bare FD:3
        # would leave a pty cooked, were it not raw already.
        options = ",raw,echo=0" if os.isatty(device) else ""
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as joint:
            # An ajaxterm that is stuck accepts nothing; we must not wait for it.
            joint.setblocking(False)
            joint.connect(str(room.tty))
            joint.setblocking(True)
            child = Child(self._reactor, f"socat of {title}")
            # setsid: a Ctrl-C that is meant for the agent must not reach it.
            command = [
                self._setsid,
                self._socat,
                "-t0",
                f"-b{SOCAT_BLOCK}",
                f"FD:3{options}",
                "FD:4",
            ]
            as_user = {} if self._uid is None else {"uid": self._uid, "gid": self._gid}
            self._spawn(child, command, [device, joint], **as_user)
        return child

    def _spawn(
        self,
        child: Child,
        command: Sequence[str],
        handed: Sequence[Any],
        log: int | None = None,
        **as_user: int | None,
    ) -> None:
        said = "r" if log is None else log
        descriptors: dict[int, Any] = {0: self._nothing, 1: self._nothing, 2: said}
        for number, one in enumerate(handed, 3):
            descriptors[number] = one if isinstance(one, int) else one.fileno()
        self._reactor.spawnProcess(
            child,
            command[0],
            list(command),
            env=ENVIRONMENT,
            path="/",
            childFDs=descriptors,
            **as_user,
        )


def _find_program(name: str) -> str:
    found = shutil.which(name, path=ENVIRONMENT["PATH"])
    if found is None:
        raise Unfit(f"there is no {name} on this host; install it")
    return found


def _find_user(name: str) -> tuple[int | None, int | None]:
    if not name:
        return None, None
    try:
        entry = pwd.getpwnam(name)
    except KeyError:
        raise Unfit(f"there is no user {name!r} on this host to run the children as") from None
    if entry.pw_uid == os.geteuid():
        return None, None
    if os.geteuid() != 0:
        raise Unfit(f"only root can run children as {name!r}; leave --child-user empty")
    return entry.pw_uid, entry.pw_gid
