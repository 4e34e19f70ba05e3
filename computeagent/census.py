"""
The guests of a libvirt and what of theirs can be used, asked once and in the
way of who asks: for C{ajaxconsole doctor}, not for an agent.
"""

from __future__ import annotations

from collections.abc import Sequence

import libvirt

from computeagent.domainxml import BadDomainXML, NoSerialDevice, choose, read_domain


class GuestsUnknown(Exception):
    """
    libvirt does not tell; the message says why.
    """


def guests(uri: str) -> Sequence[tuple[str, str, bool]]:
    """
    @return: of each guest its name, a sentence on its serial devices, and
        whether one of them can be used.
    @raise GuestsUnknown:
    """
    libvirt.registerErrorHandler(lambda context, error: None, None)
    try:
        connection = libvirt.openReadOnly(uri)
        try:
            found = [(domain.name(), domain.XMLDesc(0)) for domain in connection.listAllDomains()]
        finally:
            connection.close()
    except libvirt.libvirtError as error:
        raise GuestsUnknown(error.get_error_message() or str(error)) from None
    return [(name, *_told(xml)) for name, xml in sorted(found)]


def _told(xml: str) -> tuple[str, bool]:
    try:
        chosen = choose(read_domain(xml).devices, None)
    except (BadDomainXML, NoSerialDevice) as problem:
        return str(problem), False
    return f"{chosen.alias}, of type {chosen.type}", True
