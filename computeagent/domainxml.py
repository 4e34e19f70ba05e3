"""
The serial devices of a guest, out of its domain XML.  Nothing here does I/O.

libvirt describes a device like this (https://libvirt.org/formatdomain.html):

  <serial type='pty'>                       how the host reaches it
    <source path='/dev/pts/7'/>             only while the guest runs
    <target type='isa-serial' port='0'/>    what the guest sees
    <alias name='serial0'/>                 only while the guest runs
  </serial>
  <console type='pty' tty='/dev/pts/7'>     the same device once more:
    <source path='/dev/pts/7'/>             the first <console> whose target is
    <target type='serial' port='0'/>        "serial" mirrors the first <serial>
    <alias name='serial0'/>
  </console>
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from lxml import etree

LONGEST = 4 << 20
"""Characters of a domain XML that are read; libvirt's own limit is 16 MiB."""

_NOVA = "{http://openstack.org/xmlns/libvirt/nova/1.1}"

_REASONS = {
    "file": "it only writes a file",
    "null": "it is connected to nothing",
    "dev": "it is a device of the host itself",
    "vc": "it is a virtual console of QEMU's own",
    "stdio": "it is the standard output of QEMU",
    "udp": "it is UDP, which loses bytes",
    "pipe": "it is a named pipe",
    "spicevmc": "it belongs to SPICE",
    "spiceport": "it belongs to SPICE",
}


class BadDomainXML(Exception):
    """The description of a guest can't be read."""


class NoSerialDevice(Exception):
    """
    The guest has no serial device that can be used, or not the one asked for.
    """


@dataclass(frozen=True, slots=True)
class SerialDevice:
    """
    One serial device of a guest.

    @ivar alias: as libvirt names it while the guest runs; made up of kind and
        position where it doesn't.
    @ivar kind: C{serial} or C{console}.
    @ivar type: C{pty}, C{unix}, C{tcp}, or what can't be used.
    @ivar path: of the pty or unix socket; empty when unknown.
    @ivar host: for C{tcp}.
    @ivar port: for C{tcp}.
    @ivar log: path of the file to which QEMU writes what the guest says there, or empty.
    @ivar appends: whether that may go on when the guest is started again.
    @ivar unusable: why it can't be used; empty if it can.
    """

    alias: str
    kind: str
    type: str
    path: str = ""
    host: str = ""
    port: int = 0
    unusable: str = ""
    log: str = ""
    appends: bool = False


@dataclass(frozen=True, slots=True)
class Description:
    """
    What the XML of a guest says.

    @ivar owner: the project that OpenStack Nova noted, or empty.
    @ivar devices: each serial device once, in order.
    """

    uuid: str
    name: str
    owner: str
    devices: Sequence[SerialDevice]


def read_domain(xml: str) -> Description:
    """
    @raise BadDomainXML: it is not whole, too long, or has what libvirt never
        writes (a document type, entities).
    """
    if len(xml) > LONGEST:
        raise BadDomainXML(f"it is longer than {LONGEST} characters")
    parser = etree.XMLParser(
        resolve_entities=False, no_network=True, load_dtd=False, huge_tree=False
    )
    try:
        root = etree.fromstring(xml.encode("utf-8"), parser)
    except (etree.XMLSyntaxError, ValueError) as error:
        raise BadDomainXML(f"it is not whole XML ({error})") from None
    if root.getroottree().docinfo.internalDTD is not None:
        raise BadDomainXML("it has a document type, which libvirt never writes")
    if root.tag != "domain":
        raise BadDomainXML(f"it describes a {root.tag!s}, not a domain")
    project = root.find(f"metadata/{_NOVA}instance/{_NOVA}owner/{_NOVA}project")
    return Description(
        uuid=(root.findtext("uuid") or "").strip(),
        name=(root.findtext("name") or "").strip(),
        owner=(project.get("uuid") or "") if project is not None else "",
        devices=_devices(root),
    )


def choose(devices: Sequence[SerialDevice], wanted: str | None) -> SerialDevice:
    """
    @param wanted: an alias, or an index as digits; C{None} for the first that
        can be used.
    @raise NoSerialDevice: with a sentence that says what there is.
    """
    if not devices:
        raise NoSerialDevice(
            "It has no serial device. Give it one: <serial type='pty'/> in its domain XML."
        )
    if wanted is None:
        for device in devices:
            if not device.unusable:
                return device
        raise NoSerialDevice(
            "None of its serial devices can be used: "
            + "; ".join(f"{d.alias} is of type {d.type}, {d.unusable}" for d in devices)
            + ". Give it one of type pty."
        )
    for index, device in enumerate(devices):
        if wanted in (device.alias, str(index)):
            if device.unusable:
                raise NoSerialDevice(
                    f"Its device {device.alias} is of type {device.type}: {device.unusable}."
                )
            return device
    raise NoSerialDevice(
        f"It has no serial device {wanted[:40]!r}, but "
        + ", ".join(device.alias for device in devices)
        + "."
    )


def _devices(root: etree._Element) -> list[SerialDevice]:
    serials = root.findall("devices/serial")
    consoles = root.findall("devices/console")
    devices = [_device(element, "serial", n) for n, element in enumerate(serials)]
    for n, element in enumerate(consoles):
        target = element.find("target")
        kind = target.get("type") if target is not None else None
        if n == 0 and serials and kind in (None, "serial"):
            continue
        devices.append(_device(element, "console", n))
    return devices


def _device(element: etree._Element, kind: str, position: int) -> SerialDevice:
    alias = element.find("alias")
    name = (alias.get("name") if alias is not None else None) or f"{kind}{position}"
    type = element.get("type") or "pty"
    source = element.find("source")
    protocol = element.find("protocol")

    kept = element.find("log")
    log = (kept.get("file") or "") if kept is not None else ""
    # Where nothing is said it depends on who writes it: virtlogd appends, QEMU does not.
    appends = kept is not None and kept.get("append") != "off"

    def of_source(attribute: str) -> str:
        return (source.get(attribute) or "") if source is not None else ""

    if type == "pty":
        path = of_source("path") or element.get("tty") or ""
        return SerialDevice(name, kind, type, path=path, log=log, appends=appends)
    if type == "unix":
        if of_source("mode") == "connect":
            return SerialDevice(name, kind, type, unusable="QEMU connects there, nobody can join")
        return SerialDevice(name, kind, type, path=of_source("path"), log=log, appends=appends)
    if type == "tcp":
        if of_source("mode") == "connect":
            return SerialDevice(name, kind, type, unusable="QEMU connects there, nobody can join")
        spoken = (protocol.get("type") if protocol is not None else None) or "raw"
        if of_source("tls") == "yes":
            spoken = "TLS"
        if spoken != "raw":
            why = f"it speaks {spoken}, and only raw TCP can be used"
            return SerialDevice(name, kind, type, unusable=why)
        port = of_source("service")
        if not re.fullmatch("[0-9]{1,5}", port) or not 0 < int(port) < 65536:
            return SerialDevice(name, kind, type, unusable="its port is no number of a port")
        host = of_source("host")
        return SerialDevice(name, kind, type, "", host, int(port), log=log, appends=appends)
    return SerialDevice(name, kind, type, unusable=_REASONS.get(type, "nobody can type there"))
