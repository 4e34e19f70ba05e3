"""
Tests for L{consoleproxy.tap}: what an administrator writes, and what comes of it.
"""

from __future__ import annotations

from pathlib import Path

from twisted.application.service import IServiceMaker, MultiService
from twisted.internet.testing import MemoryReactorClock
from twisted.plugin import getPlugins
from twisted.python import usage
from twisted.trial.unittest import SynchronousTestCase

from consolebus.memory import MemoryBroker, MemoryBus
from consoleproxy.composing import make_proxy, make_service
from consoleproxy.cookies import BadKey
from consoleproxy.service import ProxyService
from consoleproxy.tap import Options, ProxyOptions

BUS = ["--bus", "amqp://127.0.0.1/"]


class OptionsTests(SynchronousTestCase):
    """
    Options are checked before anything starts, and refused in a sentence.
    """

    def refused(self, *words: str) -> str:
        return str(self.assertRaises(usage.UsageError, Options().parseOptions, words))

    def test_defaults(self) -> None:
        """
        A bus is all that has to be told.
        """
        options = Options()
        options.parseOptions(BUS)

        self.assertEqual(options["listen"], "tcp:6083:interface=127.0.0.1")
        self.assertEqual(options["base-path"], "/")

    def test_help_names_every_option(self) -> None:
        """
        None is hidden from --help.
        """
        text = str(Options())

        for name in (
            *("bus", "listen", "cookie-key", "base-path"),
            *("trusted-proxy", "trusted-header", "status-listen"),
            *("allowed-host", "allowed-origin", "config"),
        ):
            self.assertIn(f"--{name}=", text)

    def test_refusals(self) -> None:
        """
        Each sentence names the option and says what is wanted.
        """
        self.assertIn("--bus: a proxy of its own needs a broker", self.refused())
        self.assertIn("--bus: a proxy of its own", self.refused("--bus", "memory:"))
        for path in ("consoles/", "/consoles", "", "/a b/", "/;/"):
            self.assertIn("--base-path begins", self.refused(*BUS, "--base-path", path))
        self.assertIn("take another", self.refused(*BUS, "--base-path", "/console/"))
        for proxy in ("", "proxy.example", "10.0.0.7/24", "10.0.0.0/33", "10.0.0.7:80"):
            self.assertIn("--trusted-proxy", self.refused(*BUS, "--trusted-proxy", proxy))
        self.assertIn("--trusted-header is", self.refused(*BUS, "--trusted-header", "x"))

    def test_file(self) -> None:
        """
        They can stand in the file, in a section of the daemon's name.
        """
        path = Path(self.mktemp())
        path.write_text('[consoleproxy]\nbus = "amqp://x/"\nallowed-host = ["a.example"]\n')
        options = Options()

        options.parseOptions(["--config", str(path)])

        self.assertEqual(options["allowed-host"], ["a.example"])


class MakingTests(SynchronousTestCase):
    """
    Options become a proxy.
    """

    def proxy(self, *words: str) -> ProxyService:
        options = ProxyOptions()
        options.parseOptions(words)
        reactor = MemoryReactorClock()
        return make_proxy(reactor, options, MemoryBus(MemoryBroker(reactor), reactor))[0]

    def test_key_is_kept(self) -> None:
        """
        A proxy with a key file makes it, and another one takes it.
        """
        path = Path(self.mktemp())

        self.proxy("--cookie-key", str(path))
        key = path.read_bytes()
        self.proxy("--cookie-key", str(path))

        self.assertEqual(path.read_bytes(), key)

    def test_bad_key(self) -> None:
        """
        Without its key it does not start.
        """
        self.assertRaises(BadKey, self.proxy, "--cookie-key", "/nonexistent/key")

    def test_service(self) -> None:
        """
        C{twistd consoleproxy} gets the proxy and what listens for it.
        """
        options = Options()
        options.parseOptions([*BUS, "--listen", "tcp:0:interface=127.0.0.1"])

        service = make_service(options)

        self.assertIsInstance(service, MultiService)
        self.assertEqual(len(list(service)), 2)

    def test_mistakes_end_in_a_sentence(self) -> None:
        """
        What is only noticed while everything is put together ends the start with a
        sentence too.
        """
        for words in (
            [*BUS, "--listen", "foo:1"],
            [*BUS, "--listen", "tcp:many"],
            ["--bus", "http://x/"],
            [*BUS, "--cookie-key", "/nonexistent/key"],
            [*BUS, "--status-listen", "tcp:many"],
        ):
            options = Options()
            options.parseOptions(words)

            ending = self.assertRaises(SystemExit, make_service, options)

            self.assertTrue(str(ending).startswith("consoleproxy: "), ending)

    def test_origin_that_is_none(self) -> None:
        """
        Also one that is no ASCII is told what an origin looks like.
        """
        options = Options()
        options.parseOptions([*BUS, "--allowed-origin", "https://h\u00f6rizon.example"])

        ending = self.assertRaises(SystemExit, make_service, options)

        self.assertIn("an origin is allowed as a browser tells it", str(ending))

    def test_plugin(self) -> None:
        """
        C{twistd} knows the command.
        """
        found = [one for one in getPlugins(IServiceMaker) if one.tapname == "consoleproxy"]

        self.assertEqual([one.module for one in found], ["consoleproxy.tap"])
        self.assertIs(found[0].options, Options)
