"""
Tests for L{consolebus.connect}: the files that a URL names.
"""

from __future__ import annotations

import tempfile
from pathlib import Path
from shutil import rmtree

from twisted.internet.testing import MemoryReactorClock
from twisted.trial.unittest import SynchronousTestCase

from consolebus.connect import bus_from_url, parse_amqp_url


class FilesTests(SynchronousTestCase):
    def test_both(self) -> None:
        """
        Whom to trust, and what to show, in any order.
        """
        address = parse_amqp_url("amqps://h/?cert=/etc/own.pem&ca=/etc/ca.pem")

        self.assertEqual((address.ca, address.cert), ("/etc/ca.pem", "/etc/own.pem"))
        self.assertTrue(address.tls)

    def test_refused(self) -> None:
        """
        Anything else is told, and repeated in no sentence, for it might be a password.
        """
        for query in ("ca=", "ca=/a&ca=/b", "secret=1", "ca=/a&secret=1", "secret"):
            error = self.assertRaises(ValueError, parse_amqp_url, f"amqps://h/?{query}")
            self.assertIn("takes two parameters, ca= and cert=", str(error))
        error = self.assertRaises(ValueError, parse_amqp_url, "amqp://h/?cert=/a")
        self.assertIn("with amqps:// only", str(error))

    def test_unreadable(self) -> None:
        """
        A file that is missing, or holds something else, is told before anything starts.
        """
        folder = Path(tempfile.mkdtemp(prefix="connect-"))
        self.addCleanup(rmtree, folder)
        (folder / "empty.pem").touch()
        for parameter, name, words in (
            ("ca", "none.pem", "cannot be read"),
            ("cert", "none.pem", "cannot be read"),
            ("ca", "empty.pem", "holds no PEM certificate"),
            ("cert", "empty.pem", "must hold a PEM certificate and its key"),
        ):
            url = f"amqps://h/?{parameter}={folder}/{name}"
            error = self.assertRaises(ValueError, bus_from_url, url, MemoryReactorClock())
            self.assertIn(words, str(error))
