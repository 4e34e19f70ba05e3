"""
Tests for L{computeagent.domainxml}.
"""

from __future__ import annotations

import time

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from computeagent.domainxml import (
    LONGEST,
    BadDomainXML,
    NoSerialDevice,
    SerialDevice,
    choose,
    read_domain,
)
from tests.computeagent.descriptions import (
    MIRROR,
    NOVA,
    PTY,
    TCP,
    UNIX,
    UUID,
    VIRTIO,
    domain_xml,
)


def devices(xml: str) -> list[SerialDevice]:
    return list(read_domain(domain_xml(xml)).devices)


class ReadingTests(SynchronousTestCase):
    """
    What libvirt says of a guest.
    """

    def test_names(self) -> None:
        """
        Name, UUID, and the project that OpenStack noted.
        """
        said = read_domain(domain_xml(more=NOVA))

        self.assertEqual((said.uuid, said.name, said.owner), (UUID, "web1", "p1"))
        self.assertEqual(read_domain(domain_xml()).owner, "")

    def test_pty(self) -> None:
        """
        The usual serial line; the console that mirrors it is not listed twice.
        """
        only = SerialDevice("serial0", "serial", "pty", path="/dev/pts/7")

        self.assertEqual(devices(PTY), [only])
        self.assertEqual(devices(PTY + MIRROR), [only])

    def test_old_mirror(self) -> None:
        """
        An old libvirt does not say what a console's target is.
        """
        mirror = "<console type='pty' tty='/dev/pts/7'><source path='/dev/pts/7'/></console>"

        self.assertEqual([device.alias for device in devices(PTY + mirror)], ["serial0"])

    def test_console_alone(self) -> None:
        """
        A console that mirrors nothing is a device.
        """
        self.assertEqual(
            devices(MIRROR.replace("serial0", "console0")),
            [SerialDevice("console0", "console", "pty", path="/dev/pts/7")],
        )

    def test_tty_attribute(self) -> None:
        """
        Where only the old attribute says where it is, that is believed.
        """
        self.assertEqual(devices("<console type='pty' tty='/dev/pts/4'/>")[0].path, "/dev/pts/4")

    def test_several(self) -> None:
        """
        Each device once, in order, of every kind that can be used.
        """
        self.assertEqual(
            devices(PTY + UNIX + TCP + MIRROR + VIRTIO),
            [
                SerialDevice("serial0", "serial", "pty", path="/dev/pts/7"),
                SerialDevice("serial1", "serial", "unix", path="/run/guest.sock"),
                SerialDevice("serial2", "serial", "tcp", host="127.0.0.1", port=4555),
                SerialDevice("console1", "console", "pty", path="/dev/pts/9"),
            ],
        )

    def test_inactive(self) -> None:
        """
        A guest that is shut off has devices without aliases and paths.
        """
        inactive = (
            "<serial type='pty'><target port='0'/></serial>"
            "<console type='pty'><target type='serial' port='0'/></console>"
            "<console type='pty'><target type='virtio' port='1'/></console>"
        )

        self.assertEqual([device.alias for device in devices(inactive)], ["serial0", "console1"])
        self.assertEqual([device.path for device in devices(inactive)], ["", ""])

    def test_what_cannot_be_used(self) -> None:
        """
        Each type that can't be used says why.
        """
        for type, reason in (
            ("file", "only writes a file"),
            ("null", "connected to nothing"),
            ("dev", "device of the host"),
            ("vc", "virtual console of QEMU"),
            ("stdio", "standard output"),
            ("udp", "UDP"),
            ("pipe", "named pipe"),
            ("spicevmc", "SPICE"),
            ("dbus", "nobody can type there"),
            ("no-such-type", "nobody can type there"),
        ):
            (device,) = devices(f"<serial type='{type}'><source path='/x'/></serial>")
            self.assertIn(reason, device.unusable, type)
            self.assertEqual(device.path, "")

    def test_sockets_that_cannot_be_joined(self) -> None:
        """
        Where QEMU connects, or speaks more than bytes, nobody can join.
        """
        for xml in (
            UNIX.replace("'bind'", "'connect'"),
            TCP.replace("'bind'", "'connect'"),
            TCP.replace("'raw'", "'telnet'"),
            TCP.replace("'4555'", "''"),
            TCP.replace("'4555'", "'0'"),
            TCP.replace("'4555'", "'65536'"),
            TCP.replace("'4555'", "'-1'"),
            TCP.replace("'4555'", f"'{'9' * 5000}'"),
            TCP.replace("service", "tls='yes' service"),
            TCP.replace("'4555'", "'٤٥'"),
        ):
            self.assertTrue(devices(xml)[0].unusable, xml)

    def test_none(self) -> None:
        """
        A guest need not have any.
        """
        self.assertEqual(devices(""), [])
        self.assertEqual(list(read_domain("<domain/>").devices), [])


class RefusalTests(SynchronousTestCase):
    """
    What libvirt never writes is refused, and costs nothing.
    """

    def refused(self, xml: str) -> str:
        return str(self.assertRaises(BadDomainXML, read_domain, xml))

    def test_not_whole(self) -> None:
        """
        A truncated description, or none at all, is no description.
        """
        whole = domain_xml()
        for xml in (whole[:-1], whole[: len(whole) // 2], "", " ", "domain", whole + "<x/>", "\0"):
            self.assertIn("it is not whole XML", self.refused(xml))

    def test_not_a_domain(self) -> None:
        """
        XML of something else is told as such.
        """
        self.assertEqual(self.refused("<network/>"), "it describes a network, not a domain")
        self.assertIn("not a domain", self.refused("<domain xmlns='x'/>"))

    def test_too_long(self) -> None:
        """
        There is a limit, and it is told.
        """
        self.assertIn(str(LONGEST), self.refused("<domain>" + " " * LONGEST + "</domain>"))

    def test_document_types(self) -> None:
        """
        A document type is refused, whether it is used or not.
        """
        for declared in ("<!DOCTYPE domain>", "<!DOCTYPE domain [<!ENTITY a 'b'>]>"):
            self.assertIn("document type", self.refused(declared + domain_xml()))

    def test_external_entities(self) -> None:
        """
        No file and no server is asked for anything.
        """
        for place in ("file:///etc/passwd", "http://127.0.0.1:1/x"):
            xml = f"<!DOCTYPE domain [<!ENTITY x SYSTEM '{place}'>]>"
            said = self.refused(xml + "<domain><name>&x;</name></domain>")
            self.assertNotIn("root:", said)

    def test_undeclared_entity(self) -> None:
        """
        An entity that nobody declared is a mistake.
        """
        self.assertIn("not whole", self.refused("<domain><name>&x;</name></domain>"))

    def test_billion_laughs(self) -> None:
        """
        Entities of entities do not grow here.
        """
        entities = "<!ENTITY l0 'ha'>" + "".join(
            f"<!ENTITY l{n} '{f'&l{n - 1};' * 10}'>" for n in range(1, 10)
        )
        began = time.monotonic()

        for used in ("<name>&l9;</name>", "<name a='&l9;'/>"):
            self.refused(f"<!DOCTYPE domain [{entities}]><domain>{used}</domain>")

        self.assertLess(time.monotonic() - began, 2.0)

    def test_too_deep(self) -> None:
        """
        Nesting without end is refused.
        """
        self.refused("<domain>" + "<a>" * 100_000)

    @given(st.text(max_size=200))
    @settings(derandomize=True, max_examples=300, database=None, deadline=None)
    def test_any_text(self, text: str) -> None:
        """
        Whatever is said, it is a description or refused.
        """
        for xml in (text, f"<domain>{text}</domain>", domain_xml(text)):
            try:
                read_domain(xml)
            except BadDomainXML:
                pass

    @given(
        st.sampled_from(["pty", "unix", "tcp", "file", "", "x"]),
        st.dictionaries(
            st.sampled_from(["mode", "path", "host", "service", "tls"]),
            st.sampled_from(
                ["bind", "connect", "/dev/pts/1", "127.0.0.1", "80", "", "٣", "9" * 5000]
            ),
        ),
    )
    @settings(derandomize=True, max_examples=200, database=None, deadline=None)
    def test_any_device(self, type: str, source: dict[str, str]) -> None:
        """
        Whatever a device is said to be, it can be used or says why not.
        """
        attributes = " ".join(f"{name}='{value}'" for name, value in source.items())

        (device,) = devices(f"<serial type='{type}'><source {attributes}/></serial>")

        if device.type not in ("pty", "unix", "tcp"):
            self.assertTrue(device.unusable)
        if device.type == "tcp" and not device.unusable:
            self.assertTrue(0 < device.port < 65536)


class ChoiceTests(SynchronousTestCase):
    """
    Which device a user means.
    """

    def refused(self, xml: str, wanted: str | None = None) -> str:
        return str(self.assertRaises(NoSerialDevice, choose, devices(xml), wanted))

    def test_first_that_can_be_used(self) -> None:
        """
        Who names none gets the first that works.
        """
        file = "<serial type='file'><source path='/x'/><alias name='serial9'/></serial>"

        self.assertEqual(choose(devices(file + UNIX + PTY), None).alias, "serial1")

    def test_by_alias_or_index(self) -> None:
        """
        Who names one gets it, by its alias or its place.
        """
        found = devices(PTY + UNIX + VIRTIO)

        self.assertEqual(choose(found, "console1").alias, "console1")
        self.assertEqual(choose(found, "2").alias, "console1")
        self.assertEqual(choose(found, "0").alias, "serial0")

    def test_none_at_all(self) -> None:
        """
        A guest without serial devices can be given one, and is told how.
        """
        self.assertIn("<serial type='pty'/>", self.refused(""))

    def test_none_usable(self) -> None:
        """
        Each that there is is named with its type and why it does not do.
        """
        said = self.refused("<serial type='file'/><serial type='null'/>")

        self.assertIn("serial0 is of type file, it only writes a file", said)
        self.assertIn("serial1 is of type null, it is connected to nothing", said)

    def test_that_one_is_not_usable(self) -> None:
        """
        One that was asked for by name, too.
        """
        self.assertEqual(
            self.refused(PTY + "<serial type='null'/>", "1"),
            "Its device serial1 is of type null: it is connected to nothing.",
        )

    def test_sentences_are_whole(self) -> None:
        """
        Why a TCP device does not do can be read.
        """
        self.assertEqual(
            self.refused(TCP.replace("'raw'", "'telnet'"), "0"),
            "Its device serial2 is of type tcp: it speaks telnet, and only raw TCP can be used.",
        )

    def test_no_such_one(self) -> None:
        """
        What there is is listed; what was asked for is repeated in short.
        """
        self.assertEqual(
            self.refused(PTY + VIRTIO, "x" * 500),
            f"It has no serial device '{'x' * 40}', but serial0, console1.",
        )
