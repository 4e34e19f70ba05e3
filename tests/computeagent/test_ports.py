"""
Tests for L{computeagent.ports}.
"""

from __future__ import annotations

import socket

from twisted.trial.unittest import SynchronousTestCase

from computeagent.ports import PortRange, PortsExhausted


def free_ports(count: int) -> PortRange:
    """
    A range of so many ports that nobody uses now.
    """
    while True:
        with socket.create_server(("127.0.0.1", 0)) as first:
            port = first.getsockname()[1]
        taken: list[socket.socket] = []
        try:
            for number in range(port, port + count):
                taken.append(socket.create_server(("127.0.0.1", number)))
        except (OSError, OverflowError):
            continue
        else:
            return PortRange(port, port + count - 1)
        finally:
            for one in taken:
                one.close()


class ParseTests(SynchronousTestCase):
    """
    A range, as an administrator writes it.
    """

    def test_ranges(self) -> None:
        """
        First and last port, both of which belong to it.
        """
        self.assertEqual(PortRange.parse("10000-12000"), PortRange(10000, 12000))
        self.assertEqual(PortRange.parse(" 5 - 5 "), PortRange(5, 5))

    def test_mistakes(self) -> None:
        """
        What is no range is told, with what one looks like.
        """
        for text in ("", "10000", "10000-", "-5", "a-b", "1-2-3", "10000:12000", "١-٢"):
            why = self.assertRaises(ValueError, PortRange.parse, text)
            self.assertIn("looks like 10000-12000", str(why))
        for text in ("0-5", "5-4", "1-65536", "99999-99999"):
            why = self.assertRaises(ValueError, PortRange.parse, text)
            self.assertIn("does not lie in 1 to 65535", str(why))

    def test_as_text(self) -> None:
        """
        It is shown as it is written, in --help for one.
        """
        self.assertEqual(str(PortRange(10000, 12000)), "10000-12000")


class BindTests(SynchronousTestCase):
    """
    A port for a console.
    """

    def bind(self, ports: PortRange, address: str = "127.0.0.1") -> socket.socket:
        listening = ports.bind(address)
        self.addCleanup(listening.close)
        return listening

    def test_listens_in_the_range(self) -> None:
        """
        The socket listens already, on that address alone, and does not block.
        """
        ports = free_ports(5)

        listening = self.bind(ports)

        host, port = listening.getsockname()
        self.assertEqual(host, "127.0.0.1")
        self.assertIn(port, range(ports.first, ports.last + 1))
        self.assertFalse(listening.getblocking())
        socket.create_connection((host, port)).close()

    def test_at_random(self) -> None:
        """
        Which port the next console gets can't be foretold.
        """
        ports = free_ports(50)
        seen = set()

        for _ in range(10):
            with ports.bind("127.0.0.1") as listening:
                seen.add(listening.getsockname()[1])

        self.assertGreater(len(seen), 1)

    def test_exhausted(self) -> None:
        """
        When all are taken that is an error of its own; a port given back can be had again.
        """
        ports = free_ports(2)
        one, _ = self.bind(ports), self.bind(ports)

        error = self.assertRaises(PortsExhausted, ports.bind, "127.0.0.1")
        one.close()
        again = self.bind(ports)

        self.assertEqual((error.first, error.last), (ports.first, ports.last))
        self.assertIn(again.getsockname()[1], (ports.first, ports.last))

    def test_foreign_address(self) -> None:
        """
        An address that is not this host's is no matter of ports.
        """
        self.assertRaises(OSError, PortRange(10000, 10001).bind, "192.0.2.1")

    def test_ipv6(self) -> None:
        """
        Consoles may listen on IPv6.
        """
        try:
            listening = self.bind(free_ports(3), "::1")
        except OSError:
            self.skipTest("there is no IPv6 here")

        self.assertEqual(listening.family, socket.AF_INET6)
