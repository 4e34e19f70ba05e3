"""
Tests for L{groundwork.tls}: daemons load what TLS needs only if something that they are told does.
Each runs in an interpreter of its own, as it is about what is imported.
"""

from __future__ import annotations

import tempfile
from importlib.util import find_spec
from shutil import rmtree, which

from twisted.trial.unittest import SynchronousTestCase

from tests.interpreter import said_by

MADE = """
    import sys
    from {tap} import Options, makeService

    options = Options()
    options.parseOptions({words})
    before = "twisted.internet.tcp" in sys.modules
    makeService(options)
    print(before, "cryptography" in sys.modules)
"""

BROKER = "--bus=amqp://127.0.0.1/"


class SparingTests(SynchronousTestCase):
    def made(self, tap: str, *words: str) -> str:
        """
        @return: whether a network was imported before it was known what for, and whether what
            TLS needs is loaded.
        """
        return said_by(MADE.format(tap=tap, words=list(words))).strip()

    def test_without(self) -> None:
        """
        No daemon has it that listens and connects without.
        """
        folder = tempfile.mkdtemp()
        self.addCleanup(rmtree, folder)
        api = "--auth=none", "--proxy-url=http://127.0.0.1:1/"
        daemons: list[tuple[str, ...]] = [
            ("consoleproxy.tap", BROKER),
            ("consoleproxy.tap", BROKER, "--status-listen=tcp:1:interface=127.0.0.1"),
            ("consoleapi.tap", BROKER, *api),
        ]
        if find_spec("libvirt") is not None and which("socat") is not None:
            agent = f"--run={folder}", "--child-user="
            daemons.append(("computeagent.tap", BROKER, *agent))
            daemons.append(("ajaxconsole.tap", "--auth=none", *agent))
        for words in daemons:
            self.assertEqual(self.made(*words), "False False", words)

    def test_with(self) -> None:
        """
        One that reaches its broker by TLS has, and so has one that may listen so: of an endpoint
        that we don't know nobody can tell.
        """
        for words in (
            ("consoleproxy.tap", "--bus=amqps://127.0.0.1/"),
            ("consoleproxy.tap", BROKER, "--listen=haproxy:tcp:1:interface=127.0.0.1"),
        ):
            self.assertEqual(self.made(*words), "False True", words)

    def test_too_late(self) -> None:
        """
        Where something has loaded it before, nothing changes.
        """
        said = said_by("""
            import OpenSSL, sys
            from groundwork.tls import spare_tls

            print(spare_tls("tcp:1"), sys.modules["OpenSSL"] is OpenSSL)
        """)

        self.assertEqual(said, "False True\n")
