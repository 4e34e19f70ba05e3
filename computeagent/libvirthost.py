"""
libvirt, behind one class with threads of its own.

Every call of libvirt's blocks, and one to a daemon that hangs blocks for good,
so they run in a small pool and each has a deadline here.  Events come from
libvirt's own loop, which runs in a thread for the whole process (it can be
registered once only, before the first connection), and are carried into the
reactor.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, ClassVar, TypeVar

import libvirt
from twisted.application.internet import backoffPolicy
from twisted.internet.defer import Deferred, TimeoutError, ensureDeferred
from twisted.internet.interfaces import IDelayedCall
from twisted.internet.threads import deferToThreadPool
from twisted.logger import Logger
from twisted.python.failure import Failure
from twisted.python.threadpool import ThreadPool
from zope.interface import implementer

from computeagent.hypervisor import (
    CRASHED,
    PAUSED,
    RUNNING,
    SHUTOFF,
    SUSPENDED,
    UNKNOWN,
    WITH_A_PROCESS,
    Domain,
    HypervisorAway,
    IHypervisor,
    NoSuchDomain,
    NotRunning,
)

T = TypeVar("T")

_STATES = {
    libvirt.VIR_DOMAIN_RUNNING: RUNNING,
    libvirt.VIR_DOMAIN_BLOCKED: RUNNING,
    libvirt.VIR_DOMAIN_SHUTDOWN: RUNNING,
    libvirt.VIR_DOMAIN_PAUSED: PAUSED,
    libvirt.VIR_DOMAIN_SHUTOFF: SHUTOFF,
    libvirt.VIR_DOMAIN_CRASHED: CRASHED,
    libvirt.VIR_DOMAIN_PMSUSPENDED: SUSPENDED,
}

_HAPPENED = {
    libvirt.VIR_DOMAIN_EVENT_STARTED: "started",
    libvirt.VIR_DOMAIN_EVENT_CRASHED: "crashed",
}

_STOPPED = {
    libvirt.VIR_DOMAIN_EVENT_STOPPED_SHUTDOWN: "shutdown",
    libvirt.VIR_DOMAIN_EVENT_STOPPED_DESTROYED: "destroyed",
    libvirt.VIR_DOMAIN_EVENT_STOPPED_CRASHED: "crashed",
    libvirt.VIR_DOMAIN_EVENT_STOPPED_FAILED: "failed",
    libvirt.VIR_DOMAIN_EVENT_STOPPED_SAVED: "saved",
    libvirt.VIR_DOMAIN_EVENT_STOPPED_MIGRATED: "migrated",
}


class _EventLoop:
    """libvirt's loop: one for the process, never ended."""

    _lock: ClassVar[threading.Lock] = threading.Lock()
    _running: ClassVar[bool] = False

    @classmethod
    def ensure(cls) -> None:
        with cls._lock:
            if cls._running:
                return
            cls._running = True
            # What goes wrong is raised as well; it need not go to stderr too.
            libvirt.registerErrorHandler(lambda *_: None, None)
            libvirt.virEventRegisterDefaultImpl()
            threading.Thread(target=cls._run, name="libvirt events", daemon=True).start()

    @staticmethod
    def _run() -> None:
        while True:
            libvirt.virEventRunDefaultImpl()


@implementer(IHypervisor)
class LibvirtHost:
    """
    @cvar THREADS: for calls; one more waits for a connection.
    @cvar DEADLINE: seconds for one call.
    @cvar MOST_WAITING: calls under way; one more is refused at once.
    """

    THREADS = 4
    DEADLINE = 10.0
    MOST_WAITING = 64

    _log = Logger()

    def __init__(self, reactor: Any, uri: str) -> None:
        """
        @param uri: as for C{virsh -c}.
        """
        self._reactor = reactor
        self._uri = uri
        self._pool = ThreadPool(1, self.THREADS + 1, "libvirt")
        # Python waits at its end for every other thread; one may hang in libvirt.
        self._pool.threadFactory = partial(threading.Thread, daemon=True)  # type: ignore[assignment]
        self._connection: Any = None
        self._stillborn: Any = None
        self._watchers: list[tuple[Callable[[str, str], None], Callable[[], None]]] = []
        self._waiting = 0
        self._failures = 0
        self._retry: IDelayedCall | None = None
        self._stopped = False
        self._delay = backoffPolicy(0.5, 10.0, 1.5)
        self.away = "libvirt is not connected yet"

    def start(self) -> None:
        _EventLoop.ensure()
        self._pool.start()
        self._connect()

    def stop(self) -> Deferred[None]:
        return Deferred.fromCoroutine(self._stop())

    def watch(self, changed: Callable[[str, str], None], presence: Callable[[], None]) -> None:
        self._watchers.append((changed, presence))

    def domains(self) -> Deferred[Sequence[Domain]]:
        return self._ask(self._domains)

    def running(self, uuid: str) -> Deferred[Domain]:
        return self._ask(self._running, uuid)

    # In the reactor.

    async def _stop(self) -> None:
        self._stopped = True
        if self._retry is not None and self._retry.active():
            self._retry.cancel()
        connection, self._connection = self._connection, None
        if connection is not None:
            closing = deferToThreadPool(self._reactor, self._pool, self._close, connection)
            closing.addTimeout(2.0, self._reactor)
            try:
                await closing
            except (TimeoutError, libvirt.libvirtError):
                self._log.warn("libvirt's connection did not close")
        # A thread that hangs in libvirt must not hang us: do not join it.
        self._pool.adjustPoolsize(0, self.THREADS + 1)
        for _ in range(self._pool.workers):
            self._pool.stopAWorker()

    def _ask(self, function: Callable[..., T], *args: object) -> Deferred[T]:
        return ensureDeferred(self._answer(function, *args))

    async def _answer(self, function: Callable[..., T], *args: object) -> T:
        connection = self._connection
        if connection is None:
            raise HypervisorAway(self.away)
        if self._waiting >= self.MOST_WAITING:
            raise HypervisorAway("libvirt does not answer: too many requests are waiting for it")
        self._waiting += 1
        # The count follows the thread, not our patience with it.
        under_way = deferToThreadPool(self._reactor, self._pool, function, connection, *args)
        answer: Deferred[T] = Deferred()

        def ended(result: T | Failure) -> None:
            self._waiting -= 1
            if not answer.called:
                answer.callback(result)

        under_way.addBoth(ended)
        answer.addTimeout(self.DEADLINE, self._reactor)
        try:
            return await answer
        except TimeoutError:
            raise HypervisorAway(f"libvirt did not answer within {self.DEADLINE:g} s") from None
        except libvirt.libvirtError as error:
            if error.get_error_code() == libvirt.VIR_ERR_NO_DOMAIN:
                raise NoSuchDomain(str(args[0]) if args else "") from None
            raise HypervisorAway(f"libvirt says: {error.get_error_message()}") from None

    def _connect(self) -> None:
        def opened(connection: Any) -> None:
            if self._stopped:
                self._discard(connection)
                return
            if connection is self._stillborn:
                self._stillborn = None
                raise HypervisorAway("its connection was lost at once")
            self._connection = connection
            self._failures = 0
            self.away = ""
            self._log.info("Connected to libvirt at {uri}", uri=self._uri)
            self._presence()

        def failed(failure: Failure) -> None:
            if self._stopped:
                return
            error = failure.value
            words = error.get_error_message() if isinstance(error, libvirt.libvirtError) else error
            if not self._failures:
                self._log.warn("libvirt at {uri} is away: {why}", uri=self._uri, why=str(words))
            self.away = f"libvirt is away: {words}"
            delay = self._delay(self._failures)
            self._failures += 1
            self._retry = self._reactor.callLater(delay, self._connect)

        opening = deferToThreadPool(self._reactor, self._pool, self._open)
        opening.addCallback(opened)
        opening.addErrback(failed)
        opening.addErrback(lambda f: self._log.failure("while connecting to libvirt", f))

    def _lost(self, connection: Any) -> None:
        if self._stopped:
            return
        self._discard(connection)
        if connection is not self._connection:
            self._stillborn = connection  # it was lost before we were given it
            return
        self._connection = None
        self.away = "libvirt is away: its connection was lost"
        self._log.warn("The connection to libvirt at {uri} was lost", uri=self._uri)
        self._retry = self._reactor.callLater(self._delay(0), self._connect)
        self._presence()

    def _discard(self, connection: Any) -> None:
        """Close a connection that is of no use; libvirt holds on to it until then."""
        closing = deferToThreadPool(self._reactor, self._pool, self._close, connection)
        closing.addErrback(lambda failure: failure.trap(libvirt.libvirtError))

    def _happened(self, uuid: str, happened: str) -> None:
        if self._stopped:
            return
        for changed, _ in self._watchers:
            try:
                changed(uuid, happened)
            except Exception:
                self._log.failure("while telling of a guest")

    def _presence(self) -> None:
        for _, presence in self._watchers:
            try:
                presence()
            except Exception:
                self._log.failure("while telling that libvirt came or went")

    # In libvirt's threads.

    def _open(self) -> Any:
        # Reading is all we do; a socket that allows no more is enough.
        connection = libvirt.openReadOnly(self._uri)
        from_thread = self._reactor.callFromThread

        def lifecycle(_: Any, domain: Any, event: int, detail: int, opaque: Any) -> None:
            if event == libvirt.VIR_DOMAIN_EVENT_STOPPED:
                happened = _STOPPED.get(detail, "stopped")
            else:
                happened = _HAPPENED.get(event, "other")
            from_thread(self._happened, domain.UUIDString(), happened)

        def reboot(_: Any, domain: Any, opaque: Any) -> None:
            from_thread(self._happened, domain.UUIDString(), "rebooted")

        def device(_: Any, domain: Any, alias: str, opaque: Any) -> None:
            from_thread(self._happened, domain.UUIDString(), "devices")

        def closed(_: Any, reason: int, opaque: Any) -> None:
            from_thread(self._lost, connection)

        wanted = (
            (libvirt.VIR_DOMAIN_EVENT_ID_LIFECYCLE, lifecycle),
            (libvirt.VIR_DOMAIN_EVENT_ID_REBOOT, reboot),
            (libvirt.VIR_DOMAIN_EVENT_ID_DEVICE_ADDED, device),
            (libvirt.VIR_DOMAIN_EVENT_ID_DEVICE_REMOVED, device),
        )
        for event, callback in wanted:
            connection.domainEventRegisterAny(None, event, callback, None)
        connection.registerCloseCallback(closed, None)
        try:
            connection.setKeepAlive(5, 3)
        except libvirt.libvirtError:
            pass  # a driver without a daemon has nobody to keep alive
        return connection

    @staticmethod
    def _close(connection: Any) -> None:
        try:
            connection.unregisterCloseCallback()
        except libvirt.libvirtError:
            pass
        connection.close()

    @staticmethod
    def _describe(domain: Any) -> Domain:
        state = _STATES.get(domain.state()[0], UNKNOWN)
        return Domain(domain.UUIDString(), domain.name(), state, domain.XMLDesc(0))

    def _domains(self, connection: Any) -> Sequence[Domain]:
        found = []
        for domain in connection.listAllDomains(0):
            try:
                found.append(self._describe(domain))
            except libvirt.libvirtError as error:
                if error.get_error_code() != libvirt.VIR_ERR_NO_DOMAIN:
                    raise
        return found

    def _running(self, connection: Any, uuid: str) -> Domain:
        try:
            domain = connection.lookupByUUIDString(uuid)
        except ValueError:  # no text that C can have
            raise NoSuchDomain(uuid) from None
        except libvirt.libvirtError as error:
            if error.get_error_code() == libvirt.VIR_ERR_INVALID_ARG:
                raise NoSuchDomain(uuid) from None
            raise
        described = self._describe(domain)
        if described.state not in WITH_A_PROCESS:
            raise NotRunning(described.name, described.state)
        return described
