"""
What the doctor finds.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from ajaxconsole import doctor
from ajaxconsole.doctor import BAD, GOOD, WARNING, Finding

Check = Callable[[Mapping[str, Any]], Iterator[Finding]]


class DoctorTests(SynchronousTestCase):
    def found(self, check: Check, **settings: Any) -> Finding:
        """
        @return: the last that it says.
        """
        return list(check(settings))[-1]

    def test_programs(self) -> None:
        self.patch(os, "environ", {**os.environ, "PATH": "/nonexistent"})

        self.assertEqual(self.found(doctor.check_programs).outcome, BAD)

    def test_child_user(self) -> None:
        self.patch(os, "geteuid", lambda: 0)

        self.assertEqual(self.found(doctor.check_child_user).outcome, GOOD)
        self.assertEqual(self.found(doctor.check_child_user, child_user="root").outcome, BAD)
        self.assertEqual(
            self.found(doctor.check_child_user, child_user="nobody-there").outcome, BAD
        )
        self.patch(os, "geteuid", lambda: 1000)
        self.assertEqual(self.found(doctor.check_child_user).outcome, WARNING)

    def test_ports(self) -> None:
        with socket.create_server(("127.0.0.1", 0)) as taken:
            port = taken.getsockname()[1]
            used = self.found(doctor.check_ports, portrange=f"{port}-{port}")

        self.assertEqual(used.outcome, BAD)
        self.assertEqual(self.found(doctor.check_ports, portrange="x").outcome, BAD)
        self.assertEqual(self.found(doctor.check_ports, portrange="5-4").outcome, BAD)

    def test_bus(self) -> None:
        self.assertEqual(self.found(doctor.check_bus).outcome, GOOD)
        gone = self.found(doctor.check_bus, bus="amqp://u:bus-password@127.0.0.1:1/")

        self.assertEqual(gone.outcome, BAD)
        self.assertNotIn("bus-password", gone.message + gone.advice)

    def test_secrets_that_others_may_read(self) -> None:
        path = Path(self.mktemp())
        path.write_text("x")
        path.chmod(0o644)

        open_to_all = self.found(doctor.check_permissions, keys=str(path))
        path.chmod(0o600)
        closed = self.found(doctor.check_permissions, keys=str(path))

        self.assertEqual((open_to_all.outcome, closed.outcome), (BAD, GOOD))
        self.assertIn("chmod 600", open_to_all.advice)

    def test_tls(self) -> None:
        self.assertEqual(self.found(doctor.check_tls).outcome, GOOD)
        listen = "ssl:8443:privateKey=/none.pem:certKey=/none.pem"
        self.assertEqual(self.found(doctor.check_tls, listen=listen).outcome, BAD)

    def test_libvirt_that_is_not_there(self) -> None:
        missing = self.found(doctor.check_libvirt, connect="qemu+unix:///system?socket=/none")

        self.assertEqual(missing.outcome, BAD)

    def test_guests(self) -> None:
        """
        libvirt's own test driver has one, without a serial device.
        """
        findings = list(doctor.check_libvirt({"connect": "test:///default"}))

        self.assertEqual([finding.outcome for finding in findings], [GOOD, WARNING])
        self.assertIn("no serial device", findings[1].message)

    def test_clock(self) -> None:
        self.patch(doctor.time, "time", lambda: 1000.0)

        self.assertEqual(self.found(doctor.check_clock).outcome, BAD)
