"""
Children of the agent: what they say goes to our log, and their end is told
once it is known.

There are three kinds: those that the agent spawned itself, under
C{twisted.internet.process}; those that a L{computeagent.foundry} forked for it; and
those of an earlier agent, which were L{adopted}.  The latter two are watched by pidfd.
"""

from __future__ import annotations

import os
import signal
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.error import ProcessExitedAlready
from twisted.internet.interfaces import IReadDescriptor
from twisted.internet.protocol import ProcessProtocol
from twisted.logger import Logger
from twisted.python.failure import Failure
from zope.interface import implementer

from computeagent.pids import Running, hold, start_time


class Process:
    """
    What all kinds have in common.

    @ivar pid: of the process.
    @ivar started: its start time; see L{computeagent.pids.start_time}.
    @cvar KILL_AFTER: seconds from C{TERM} to C{KILL}.
    @cvar GIVE_UP_AFTER: seconds from C{KILL} until it is waited for no more.
    @cvar LONGEST: characters of a line of its stderr that are logged.
    """

    KILL_AFTER = 3.0
    GIVE_UP_AFTER = 5.0
    LONGEST = 1000

    _log = Logger()

    def __init__(self, reactor: Any, name: str) -> None:
        self._reactor = reactor
        self._name = name
        self._killing: Any = None
        self._said = b""
        self.pid = 0
        self.started = 0
        self._how: str | None = None
        self._waiting: list[Deferred[str]] = []

    def when_ended(self) -> Deferred[str]:
        """
        @return: fires when the process has ended, with a few words on how.
        """
        done: Deferred[str] = Deferred()
        if self._how is not None:
            done.callback(self._how)
        else:
            self._waiting.append(done)
        return done

    def end(self) -> None:
        """
        Ask it to end; and if it does not, make it.
        """
        if self._how is None and self._killing is None:
            self.signal(signal.SIGTERM)
            self._killing = self._reactor.callLater(self.KILL_AFTER, self._kill)

    def _kill(self) -> None:
        self.signal(signal.SIGKILL)
        self._killing = self._reactor.callLater(self.GIVE_UP_AFTER, self._give_up)

    def _give_up(self) -> None:
        # It hangs in the kernel (a dead disk, a frozen cgroup); nothing waits for that.
        self._log.error("{child} does not end, though it was killed", child=self._name)
        self._ended("killed, and still there")

    def signal(self, number: signal.Signals) -> None:
        """
        Send it a signal; none if it has ended.
        """
        raise NotImplementedError

    def errReceived(self, data: bytes) -> None:
        *lines, rest = (self._said + data).split(b"\n")
        self._said = rest[: self.LONGEST]
        for line in lines:
            text = line[: self.LONGEST].decode("utf-8", "backslashreplace")
            self._log.info("{child}: {text}", child=self._name, text=text)

    def _ended(self, how: str) -> None:
        if self._how is not None:
            return
        self._how = how
        if self._killing is not None and self._killing.active():
            self._killing.cancel()
        waiting, self._waiting = self._waiting, []
        for one in waiting:
            one.callback(how)


class Child(Process, ProcessProtocol):
    """
    A child that the agent spawned.
    """

    transport: Any

    def connectionMade(self) -> None:
        self.pid = self.transport.pid
        self.started = start_time(self.pid) or 0

    def processEnded(self, reason: Failure) -> None:
        value: Any = reason.value
        self._ended(f"signal {value.signal}" if value.signal else f"status {value.exitCode}")

    def signal(self, number: signal.Signals) -> None:
        try:
            self.transport.signalProcess(number.name.removeprefix("SIG"))
        except ProcessExitedAlready:
            pass


@implementer(IReadDescriptor)
class Sayings:
    """
    The pipe by which a terminal says what is for our log.

    @cvar MOST: bytes read in one turn of the reactor.
    """

    MOST = 1 << 16

    def __init__(self, reactor: Any, pipe: int, process: Process) -> None:
        """
        @param pipe: ours from now on.
        """
        self._reactor = reactor
        self._pipe = pipe
        self._process = process
        reactor.addReader(self)

    def fileno(self) -> int:
        return self._pipe

    def logPrefix(self) -> str:
        return "Sayings"

    def doRead(self) -> None:
        try:
            said = os.read(self._pipe, self.MOST)
        except BlockingIOError:
            return
        if said:
            self._process.errReceived(said)
        else:
            self.close()  # who could write has ended

    def connectionLost(self, reason: Failure) -> None:
        self.close()

    def close(self) -> None:
        if self._pipe >= 0:
            self._reactor.removeReader(self)
            os.close(self._pipe)
            self._pipe = -1


@implementer(IReadDescriptor)
class Watched(Process):
    """
    A process that somebody else reaps: its pidfd tells I{that} it has ended, not how.
    """

    HOW = "not known how, since it was not our child"

    def __init__(self, reactor: Any, name: str) -> None:
        super().__init__(reactor, name)
        self._pidfd = -1

    def born(self, pid: int, pidfd: int) -> None:
        """
        @param pidfd: ours from now on.
        """
        self.pid, self._pidfd = pid, pidfd
        self.started = start_time(pid) or 0
        self._reactor.addReader(self)

    def signal(self, number: signal.Signals) -> None:
        if self._pidfd >= 0:
            try:
                signal.pidfd_send_signal(self._pidfd, number)
            except ProcessLookupError:
                pass

    # What the reactor asks of a descriptor.

    def fileno(self) -> int:
        return self._pidfd

    def logPrefix(self) -> str:
        return self._name

    def doRead(self) -> None:
        self.let_be()
        self._ended(self.HOW)

    def connectionLost(self, reason: Failure) -> None:
        self.let_be()

    def let_be(self) -> None:
        """Watch it no more."""
        if self._pidfd >= 0:
            self._reactor.removeReader(self)
            os.close(self._pidfd)
            self._pidfd = -1


class Forked(Watched):
    """
    A child that a foundry forked.  It belongs to the foundry, which reaps it
    and tells how it ended; should the foundry be gone, the pidfd still tells.
    """

    HOW = "not known how, since the foundry ended before it"

    def __init__(self, reactor: Any, name: str) -> None:
        super().__init__(reactor, name)
        self._is_orphan = False

    def reaped(self, how: str) -> None:
        """
        Its foundry says how it ended.
        """
        self.let_be()
        self._ended(how)

    def orphaned(self) -> None:
        """
        Its foundry is gone.
        """
        self._is_orphan = True
        if self._pidfd >= 0 and self._how is None:
            self._reactor.addReader(self)

    def doRead(self) -> None:
        if self._is_orphan:
            super().doRead()
        else:
            self._reactor.removeReader(self)  # the foundry will say how


def adopted(reactor: Any, name: str, process: Running) -> Watched | None:
    """
    @param name: of the child in our log.
    @return: a child of an earlier agent, from now on ours to watch; C{None} if it has ended.
    @raise OSError: no descriptor.
    """
    pidfd = hold(process)
    if pidfd is None:
        return None
    child = Watched(reactor, name)
    child.born(process.pid, pidfd)
    return child
