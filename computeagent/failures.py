"""
What goes wrong on a host, in words of the bus: the one table of them.
"""

from __future__ import annotations

from twisted.logger import Logger

from computeagent.devices import CannotOpen, DeviceRefused
from computeagent.domainxml import BadDomainXML, NoSerialDevice
from computeagent.hypervisor import HypervisorAway, NoSuchDomain, NotRunning
from computeagent.orders import TerminalGone
from computeagent.ports import PortsExhausted
from consolebus.ibus import Broken, BusFailure, Conflict, NotFound, Unavailable

_log = Logger()


def failure_of(error: Exception, domain: str, host: str) -> BusFailure:
    """
    What an exception means to who asked.  What the host's administrator should
    know of is logged too.

    @param domain: name or UUID of the guest, for the sentence.
    """
    if isinstance(error, BusFailure):
        return error
    if isinstance(error, NoSuchDomain):
        return NotFound(f"there is no guest {domain} on host {host}")
    if isinstance(error, NotRunning):
        return Conflict(
            f"guest {error.name} is not running ({error.state}); start it, then ask again"
        )
    if isinstance(error, HypervisorAway):
        return Unavailable(f"host {host} can't reach its libvirt now: {error}")
    if isinstance(error, NoSerialDevice):
        return Conflict(f"guest {domain} has no usable serial device. {error}")
    if isinstance(error, DeviceRefused):
        _log.error("The device of {domain} was refused: {why}", domain=domain, why=error)
        return Conflict(f"the serial device of guest {domain} was refused: {error}")
    if isinstance(error, CannotOpen):
        _log.warn("The device of {domain} can't be opened: {why}", domain=domain, why=error)
        return Unavailable(f"the serial device of guest {domain} can't be opened: {error}")
    if isinstance(error, BadDomainXML):
        _log.error("The XML of {domain} was refused: {why}", domain=domain, why=error)
        return Unavailable(f"what libvirt says of guest {domain} can't be read: {error}")
    if isinstance(error, PortsExhausted):
        _log.error("No port is free in {first}-{last}", first=error.first, last=error.last)
        return Unavailable(
            f"host {host} has no port left for another console "
            f"({error.first}-{error.last}); close one, or widen --portrange"
        )
    if isinstance(error, OSError):
        _log.failure("while opening a console of {domain}", domain=domain)
        return Unavailable(f"host {host} can't open another console: {error.strerror}")
    if isinstance(error, TerminalGone):
        return Unavailable(
            f"the terminal of guest {domain} ended as it started; the log of host {host} says more"
        )
    _log.failure("while opening a console of {domain}", domain=domain)
    return Broken(f"a console of guest {domain} can't be opened; the log of host {host} says why")
