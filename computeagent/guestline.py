"""
The guest's side of a console: its open device, and the socat that joins it to
the terminal.

                  socat ended
    joining ──▶ live ──▶ joining        nothing is lost: we hold the device open, so
       ▲          │                     the kernel keeps what the guest says
       │          ▼ the guest has no process any more, or the device is gone
       └─────  waiting                  the device is closed; when the guest is back,
                                        another one is opened, wherever it is then

Whatever happens (a socat ends, libvirt tells of the guest, libvirt itself comes back),
the same is done: libvirt is asked how the guest is, the device that we hold is asked
whether it lives, and the line follows.  So an event that comes late, twice, or
never does no harm.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

from twisted.internet.defer import Deferred, TimeoutError
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.logger import Logger

from computeagent.devices import has_hung_up
from computeagent.domainxml import SerialDevice, choose, read_domain
from computeagent.guestlog import length_of
from computeagent.hypervisor import (
    ENDINGS,
    Domain,
    HypervisorAway,
    IHypervisor,
    NoSuchDomain,
    NotRunning,
)
from computeagent.place import BACK, JOINING, LIVE, WAITING, Absent, Place, Watcher
from computeagent.rooms import Room
from computeagent.workshop import IWorkshop


class GuestLine:
    """
    @ivar state: see above.
    @ivar message: for people: why it waits, or that it waited.
    @ivar socat: the child, while there is one.
    @ivar device: as libvirt described what is open, or was open last.
    @ivar descriptor: of the open device; C{None} while it waits, and after an L{adopt}
        until libvirt has told where it is.
    @ivar logged: bytes of its log that are of the guest's lives before this one;
        C{None} where that is not known.
    @cvar LAST_OUTPUT: seconds that a guest which has ended has for its last
        output to pass.
    @cvar STEADY: seconds after which the end of a socat is taken for an accident,
        and the next one joins at once.
    @cvar REMOVAL: seconds that a guest which was undefined has to be defined
        again, which is how OpenStack reboots one the hard way.
    """

    LAST_OUTPUT = 1.0
    STEADY = 1.0
    REMOVAL = 30.0

    _log = Logger()

    def __init__(
        self,
        clock: IReactorTime,
        hypervisor: IHypervisor,
        workshop: IWorkshop,
        opener: Callable[[SerialDevice, str], Deferred[int]],
        place: Place,
        room: Room,
        device: SerialDevice,
        descriptor: int | None,
    ) -> None:
        """
        @param descriptor: of the open device; it is ours from now on.  C{None} for
            a line to L{adopt}.
        """
        self._clock = clock
        self._hypervisor = hypervisor
        self._workshop = workshop
        self._opener = opener
        self._place = place
        self._room = room
        self.device = device
        self.descriptor = descriptor
        self.logged: int | None = 0
        self.socat: Any = None
        self.state = JOINING
        self.message = ""
        self._watcher: Watcher | None = None
        self._joins = 0
        self._joined_at = 0.0
        self._joining: IDelayedCall | None = None
        self._tries = 0
        self._trying: IDelayedCall | None = None
        self._why = ""
        self._removing: IDelayedCall | None = None
        self._parting: Deferred[None] | None = None
        self._looking = False
        self._again = False
        self._ended = False
        self._unattended = False

    # What a console asks.

    def adopt(
        self, watcher: Watcher, socat: Any, waits: bool, message: str, logged: int | None
    ) -> None:
        """
        Go on where an earlier agent was.  Its socat holds the device open, if there is one;
        we will as soon as libvirt has told where it is.

        @param socat: the child; C{None} if it has ended, or was not there.
        @param waits: whether the guest was off.
        """
        self._watcher = watcher
        self.message, self.logged = message, logged
        self._unattended = socat is None
        if waits and socat is None:
            self.state = WAITING
        elif socat is not None:
            self._joined(socat)
        self.look()

    def join(self, watcher: Watcher) -> None:
        """There is a terminal to be joined to."""
        self._watcher = watcher
        if self.state == WAITING:
            self._changed()
        self._join()

    def part(self, cut: bool = True) -> None:
        """
        There is no terminal for now; what the guest says is kept by the kernel.

        @param cut: whether socat shall end; or it may go on until the terminal ends.
        """
        self._watcher = None
        if cut and self.socat is not None:
            self.socat.end()

    def happened(self, what: str) -> None:
        """Something happened to the guest; a word of L{IHypervisor.watch}'s."""
        if what in ENDINGS:
            self._why = ENDINGS[what]
            if self.state == WAITING and self.message != self._why:
                self._wait_because(self._why)
        self.look()

    def look(self) -> None:
        """Ask libvirt how the guest is, and follow."""
        self._see(None)

    def see(self, found: Domain | Absent) -> None:
        """Libvirt was asked how the guest is, and this is the answer: follow."""
        self._see(found)

    async def end(self) -> None:
        """Give back everything; fires when socat is reaped."""
        self._ended = True
        for call in (self._joining, self._trying, self._removing):
            _cancel(call)
        socat = self.socat
        if socat is not None:
            socat.end()
            await socat.when_ended()
        if self._parting is not None:
            await self._parting
        self._close()

    def leave(self) -> None:
        """Let it be, for another agent."""
        self._ended = True
        self._watcher = None
        for call in (self._joining, self._trying, self._removing):
            _cancel(call)
        self._close()

    def _close(self) -> None:
        if self.descriptor is not None:
            os.close(self.descriptor)
            self.descriptor = None

    # Joining.

    def _join(self) -> None:
        if self._watcher is None or self._ended or self.descriptor is None:
            return
        if self.state != JOINING or self.socat is not None:
            return
        title = self._place.title
        try:
            socat = self._workshop.join(self._room, title, self.descriptor)
        except OSError as error:
            self._log.error("{title} can't be joined: {why}", title=title, why=error)
            self._joins += 1
            self._join_later()
            return
        self._joined(socat)
        self._changed()

    def _joined(self, socat: Any) -> None:
        self.socat = socat
        self._joined_at = self._clock.seconds()
        self.state = LIVE
        socat.when_ended().addCallback(self._socat_ended, socat)

    def _join_later(self) -> None:
        delay = 0.0 if not self._joins else min(5.0, 0.05 * 2.0 ** min(self._joins, 10))
        _cancel(self._joining)
        if delay:
            self._joining = self._clock.callLater(delay, self._join)
        else:
            self._join()

    def _socat_ended(self, how: str, socat: Any) -> None:
        if self.socat is not socat:
            return
        self.socat = None
        if self.descriptor is None and self.state == LIVE:
            self._unattended = True
        if self._ended or self.state != LIVE:
            return
        self.state = JOINING
        if self._clock.seconds() - self._joined_at > self.STEADY:
            self._joins = 0
        if self._watcher is not None:
            # Its end is never a reason: only libvirt knows whether the guest has one.
            self._log.info("The socat of {title} ended: {how}", title=self._place.title, how=how)
            self.look()

    # Looking, and following.

    def _see(self, found: Domain | Absent | None) -> None:
        if self._ended:
            return
        if self._looking:
            self._again = True
            return
        self._looking = True
        looking = Deferred.fromCoroutine(self._look(found))
        looking.addErrback(lambda f: self._log.failure("while looking after a guest", f))

    async def _look(self, found: Domain | Absent | None) -> None:
        try:
            while True:
                self._again = False
                await self._follow(await self._ask() if found is None else found)
                if not self._again or self._ended:
                    return
                found = None
        finally:
            self._looking = False

    async def _ask(self) -> Domain | Absent:
        try:
            found: Domain = await self._hypervisor.running(self._place.uuid)
        except NotRunning:
            return Absent.OFF
        except NoSuchDomain:
            return Absent.REMOVED
        except HypervisorAway:
            return Absent.UNSEEN
        return found

    async def _follow(self, found: Domain | Absent) -> None:
        if self._ended:
            return
        gone = found in (Absent.OFF, Absent.REMOVED)
        if self.state != WAITING and self.descriptor is None and isinstance(found, Domain):
            await self._hold(found)
        if self.state != WAITING and (gone or self._has_hung_up()):
            self._begin_to_wait()
        if found is Absent.UNSEEN and (self.state == WAITING or self.descriptor is None):
            self._try_later()  # that libvirt is there but was slow nobody tells
        elif self.state == WAITING:
            if gone:
                self._unattended = False  # whatever it says next, we are there
            if isinstance(found, Domain):
                _cancel(self._removing)
                await self._come_back(found)
            elif found is Absent.REMOVED:
                self._expect_no_more()
            elif found is Absent.OFF:
                _cancel(self._removing)
        elif self.state == JOINING and self.socat is None and self._watcher is not None:
            if self.descriptor is not None:
                await self._tell_if_unattended()
                self._join_later()
                self._joins += 1

    def _has_hung_up(self) -> bool:
        return self.descriptor is not None and has_hung_up(self.descriptor)

    # After an adoption.

    async def _hold(self, domain: Domain) -> None:
        """
        Open the device that an earlier agent's socat is joined to, if that is still the
        guest's.
        """
        socat = self.socat
        try:
            device = choose(read_domain(domain.xml).devices, self._place.device)
            if device.type != "pty" and socat is not None:
                # QEMU takes one client at a time at a socket.
                await self._end(socat)
            descriptor = await self._opener(device, self._place.uuid)
        except Exception as error:
            if not self._tries:
                self._log.warn("{title} can't be held: {why}", title=self._place.title, why=error)
            self._try_later()
            return
        if self._ended or self.state == WAITING:
            os.close(descriptor)
            return
        _cancel(self._trying)
        self._tries = 0
        self.device, self.descriptor = device, descriptor
        if self.socat is not None and not self._workshop.has_open(self.socat, descriptor):
            # It reads something that is the guest's no more; or we can't see what.
            await self._end(self.socat)

    async def _end(self, socat: Any) -> None:
        self.state = JOINING  # its end is no news
        socat.end()
        await socat.when_ended()

    async def _tell_if_unattended(self) -> None:
        unattended, self._unattended = self._unattended, False
        if unattended and self._watcher is not None:
            await self._watcher.unattended()

    # Waiting, and coming back.

    def _begin_to_wait(self) -> None:
        descriptor, self.descriptor = self.descriptor, None
        self.state = WAITING
        self.message = self._why or ENDINGS["stopped"]
        self._tries = 0
        self._log.info("{title} waits: {why}", title=self._place.title, why=self.message)
        _cancel(self._joining)
        self._parting = Deferred.fromCoroutine(self._let_go(self.socat, descriptor))
        self._parting.addErrback(lambda f: self._log.failure("while closing a device", f))

    async def _let_go(self, socat: Any, descriptor: int | None) -> None:
        """
        socat reads the last of the output, and ends by itself then.
        """
        if socat is not None:
            reading = socat.when_ended()
            reading.addTimeout(self.LAST_OUTPUT, self._clock)
            try:
                await reading
            except TimeoutError:
                socat.end()
                await socat.when_ended()
        if descriptor is not None:
            os.close(descriptor)
        self.logged = length_of(self.device.log) if self.device.appends else 0
        if self.state == WAITING:
            self._changed()

    def _wait_because(self, message: str) -> None:
        self.message = message
        if self.socat is None:
            self._changed()

    async def _come_back(self, domain: Domain) -> None:
        """
        The guest has a process; but its device is another one now, and not
        what it was: everything is read and verified anew.
        """
        try:
            device = choose(read_domain(domain.xml).devices, self._place.device)
            descriptor = await self._opener(device, self._place.uuid)
        except Exception as error:
            if not self._tries:
                self._log.warn("{title} still waits: {why}", title=self._place.title, why=error)
            self._try_later()
            return
        if self._ended:
            os.close(descriptor)
            return
        self.device, self.descriptor = device, descriptor
        self.state = JOINING
        _cancel(self._trying)
        if self._parting is not None:
            await self._parting
        self._why, self.message = "", BACK
        self._joins = 0
        if self._watcher is not None:
            await self._watcher.coming_back()
            if not device.log:
                await self._tell_if_unattended()
        self._unattended = False
        self._join()

    def _try_later(self) -> None:
        """It may just not be ready yet; or it will never be, and libvirt tells nothing then."""
        self._tries += 1
        if not self._ended:
            _cancel(self._trying)
            delay = min(30.0, 0.1 * 2.0 ** min(self._tries, 10))
            self._trying = self._clock.callLater(delay, self.look)

    def _expect_no_more(self) -> None:
        if self._removing is None or not self._removing.active():
            self._removing = self._clock.callLater(self.REMOVAL, self._removed)

    def _removed(self) -> None:
        if self._watcher is None:
            self._expect_no_more()
        elif self.state == WAITING:
            self._watcher.guest_removed(self.message)

    def _changed(self) -> None:
        if self._watcher is not None:
            self._watcher.line_changed()


def _cancel(call: IDelayedCall | None) -> None:
    if call is not None and call.active():
        call.cancel()
