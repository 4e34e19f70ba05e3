"""
The agent's side of the foundry (L{ajaxterm.foundry}): ajaxterms without the
time and memory that an interpreter of its own costs each.

The foundry is a child of the agent like any other.  When it dies its ajaxterms
go on; the next one that is wanted brings another foundry.
"""

from __future__ import annotations

import json
import os
import socket
import sys
from collections.abc import Callable, Sequence
from typing import Any

from twisted.internet.defer import Deferred, TimeoutError, fail, succeed
from twisted.internet.interfaces import IFileDescriptorReceiver
from twisted.internet.protocol import Factory, Protocol, connectionDone
from twisted.logger import Logger
from twisted.protocols.basic import LineOnlyReceiver
from twisted.python.failure import Failure
from zope.interface import implementer

from computeagent.children import Child, Forked

FOUNDRY = "from ajaxterm.scouting import foundry; foundry()"
"""Not by C{-m}, see there."""


class FoundryGone(Exception):
    """
    The foundry ended, or did not do it.
    """


@implementer(IFileDescriptorReceiver)
class _Talk(LineOnlyReceiver):
    """
    The connection to one foundry.

    @cvar PATIENCE: seconds for an answer; the first waits for everything to be loaded.
    @cvar MOST_LATE: orders that may remain unanswered one after the other; then it is stuck.
    """

    PATIENCE = 10.0
    MOST_LATE = 2
    delimiter = b"\n"
    transport: Any

    def __init__(self, reactor: Any, lost: Callable[[bool], None]) -> None:
        """
        @param lost: called when the connection is, with whether the foundry was stuck.
        """
        self._reactor = reactor
        self._lost = lost
        self._late = 0
        self._pidfds: list[int] = []
        self._asked: list[tuple[Forked, Deferred[Forked], list[int]]] = []
        self._living: dict[int, Forked] = {}
        self._over = False

    def fork(self, argv: Sequence[str], handed: Sequence[int], name: str) -> Deferred[Forked]:
        if self._over:
            return fail(FoundryGone())
        # They are sent in the reactor's own time, so as copies, which Twisted
        # does not close either; nor do we until they must have been sent: a number whose
        # copy is closed may soon be another file's.
        copies = _copies(handed)
        for copy in copies:
            self.transport.sendFileDescriptor(copy)
        self.sendLine(json.dumps({"argv": argv}).encode("ascii"))
        answer: Deferred[Forked] = Deferred()
        answer.addTimeout(self.PATIENCE, self._reactor)
        answer.addErrback(self._unanswered)
        self._asked.append((Forked(self._reactor, name), answer, copies))
        return answer

    def _unanswered(self, failure: Failure) -> Failure:
        if failure.check(TimeoutError):
            self._late += 1
            if self._late >= self.MOST_LATE:
                self.transport.abortConnection()
        return failure

    def fileDescriptorReceived(self, descriptor: int) -> None:
        os.set_inheritable(descriptor, False)
        self._pidfds.append(descriptor)

    def lineReceived(self, line: bytes) -> None:
        said = json.loads(line)
        if "ended" in said:
            forked = self._living.pop(said["ended"], None)
            if forked is not None:
                forked.reaped(str(said["how"]))
            return
        self._late = 0
        forked, answer, copies = self._asked.pop(0)
        _close(copies)
        if "pid" in said and self._pidfds:
            forked.born(int(said["pid"]), self._pidfds.pop(0))
            self._living[forked.pid] = forked
            if answer.called:
                forked.end()  # it comes too late
            answer.callback(forked)
        else:
            answer.errback(FoundryGone(str(said.get("failed"))))

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        self._over = True
        living, self._living = self._living, {}
        for forked in living.values():
            forked.orphaned()
        asked, self._asked = self._asked, []
        for _forked, answer, copies in asked:
            _close(copies)
            answer.errback(FoundryGone())
        _close(self._pidfds)
        self._lost(self._late >= self.MOST_LATE)


class Foundry:
    """
    Starts a foundry when one is wanted, and the next when that has ended.

    @cvar LEAVING: seconds that it may take to end.
    """

    LEAVING = 3.0

    _log = Logger()

    def __init__(
        self, reactor: Any, spawn: Callable[[Child, Sequence[str], Sequence[int]], None], user: str
    ) -> None:
        """
        @param spawn: starts a child: what tells of its end, its command, what it
            gets as descriptors from 3.
        @param user: C{UID:GID} for it to become; empty for none.
        """
        self._reactor = reactor
        self._spawn = spawn
        self._user = user
        self._talk: _Talk | None = None
        self._child: Child | None = None

    def warm_up(self) -> None:
        """
        Have one ready before the first console is wanted.
        """
        if self._talk is None:
            self._start()

    def fork(self, argv: Sequence[str], handed: Sequence[int], name: str) -> Deferred[Forked]:
        """
        Have an ajaxterm forked.

        @param argv: its arguments.
        @param handed: what it gets as descriptors 3, 4, 5 and 2; they stay the caller's.
        @param name: of the child in our log.
        @raise FoundryGone: there is none, or it can't.
        @raise OSError: no descriptor, no process.
        """
        self.warm_up()
        assert self._talk is not None
        return self._talk.fork(argv, handed, name)

    def close(self, leave: bool = False) -> Deferred[object]:
        """
        Need it no more.

        @param leave: whether it has children that go on.
        @return: fires when it has ended.  One that is still loading, or has a child
            that does not end, is made to after L{LEAVING}.
        """
        if self._talk is not None:
            self._talk.transport.loseConnection()
        if self._child is None or leave:
            return succeed(None)
        child = self._child
        ended: Deferred[Any] = child.when_ended()
        ended.addTimeout(self.LEAVING, self._reactor)

        def too_late(failure: Failure) -> Deferred[str]:
            failure.trap(TimeoutError)
            child.end()
            return child.when_ended()

        return ended.addErrback(too_late)

    def _start(self) -> None:
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
        with ours, theirs:
            ours.setblocking(False)
            child = Child(self._reactor, "foundry")
            command = [sys.executable, "-c", FOUNDRY]
            if self._user:
                command.append(self._user)
            self._spawn(child, command, [theirs.fileno()])
            talk = _Talk(self._reactor, self._ended)
            self._reactor.adoptStreamConnection(ours.fileno(), socket.AF_UNIX, factory_of(talk))
        self._talk, self._child = talk, child

    def _ended(self, stuck: bool) -> None:
        self._talk = None
        if stuck and self._child is not None:
            self._log.error("The foundry does not answer, and is ended; the next one is another")
            self._child.end()
        self._log.warn("The foundry is gone; its terminals go on")


def factory_of(protocol: Protocol) -> Factory:
    """
    @return: for one connection, of which nothing is logged.
    """
    factory = Factory()
    factory.noisy = False
    factory.buildProtocol = lambda addr: protocol  # type: ignore[method-assign]
    return factory


def _copies(descriptors: Sequence[int]) -> list[int]:
    """@raise OSError: there are too many; then there is none."""
    copies: list[int] = []
    try:
        for descriptor in descriptors:
            copies.append(os.dup(descriptor))
    except OSError:
        _close(copies)
        raise
    return copies


def _close(descriptors: Sequence[int]) -> None:
    for descriptor in descriptors:
        os.close(descriptor)
