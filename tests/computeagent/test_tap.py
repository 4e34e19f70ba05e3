"""
Tests for L{computeagent.tap}: what an administrator writes, and what comes of it.
"""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from shutil import rmtree
from typing import Any
from unittest import SkipTest

from twisted.application.service import IServiceMaker
from twisted.internet.defer import Deferred, succeed
from twisted.internet.testing import MemoryReactorClock
from twisted.plugin import getPlugins
from twisted.python import usage
from twisted.trial.unittest import SynchronousTestCase

from computeagent.ports import PortRange
from computeagent.rooms import runtime_directory
from computeagent.tap import AgentOptions, Options
from computeagent.workshop import Unfit
from consolebus.memory import MemoryBroker, MemoryBus
from tests.computeagent.fakes import FakeWorkshop
from tests.computeagent.stage import AgentTestCase

try:
    from computeagent import composing
    from computeagent.composing import AgentService, make_agent, make_service
except ImportError as missing:
    raise SkipTest(str(missing)) from None

BUS = ["--bus", "amqp://127.0.0.1/"]


class OptionsTests(SynchronousTestCase):
    """
    Options are checked before anything starts, and refused in a sentence.
    """

    def parsed(self, *words: str) -> Options:
        options = Options()
        options.parseOptions([*BUS, *words])
        return options

    def refused(self, *words: str) -> str:
        return str(self.assertRaises(usage.UsageError, Options().parseOptions, words))

    def test_defaults(self) -> None:
        """
        A bus is all that has to be told.
        """
        options = self.parsed("--host", "h1")

        self.assertEqual(options["connect"], "qemu:///system")
        self.assertEqual(options["address"], "127.0.0.1")
        self.assertEqual(options["portrange"], PortRange(10000, 12000))
        self.assertEqual((options["idle-timeout"], options["token-ttl"]), (300.0, 600.0))
        self.assertEqual(options["child-user"], "nobody" if os.geteuid() == 0 else "")

    def test_help_names_every_option(self) -> None:
        """
        None is hidden from --help, and the defaults are written as one writes them.
        """
        text = str(Options())

        for name in (
            *("bus", "connect", "host", "address", "portrange", "idle-timeout"),
            *("token-ttl", "child-user", "run", "terminal-log-level", "config"),
        ):
            self.assertIn(f"--{name}=", text)
        self.assertIn("10000-12000", text)

    def test_refusals(self) -> None:
        """
        Each sentence names the option and says what is wanted.
        """
        for words, sentence in (
            ([], "--bus: an agent of its own needs a broker"),
            (["--bus", "memory:"], "--bus: an agent of its own needs a broker"),
            ([*BUS, "--portrange", "10000"], "--portrange: a port range looks like"),
            ([*BUS, "--portrange", "5-1"], "--portrange: the port range '5-1' does not lie"),
            ([*BUS, "--address", "0.0.0.0"], "--address: consoles must not listen on every"),
            ([*BUS, "--address", "::"], "--address: consoles must not listen on every"),
            ([*BUS, "--address", "example.org"], "--address: 'example.org' does not appear"),
            ([*BUS, "--idle-timeout", "soon"], "--idle-timeout: a number of seconds over 0"),
            ([*BUS, "--token-ttl", "-1"], "--token-ttl: a number of seconds over 0"),
            ([*BUS, "--host", "a b"], "--host consists of 1 to 190 letters"),
            ([*BUS, "--host", ""], "--host consists of 1 to 190 letters"),
            ([*BUS, "--host", "x" * 201], "--host consists of 1 to 190 letters"),
            ([*BUS, "--attach", "never"], "--attach: there is no way never"),
            ([*BUS, "--input-timeout", "-1"], "--input-timeout: a number of seconds over 0"),
            ([*BUS, "--scrollback", "10"], "--scrollback: a scrollback is of 4096 bytes"),
            ([*BUS, "--record-most", "10"], "--record-most: a recording's file has at least"),
            ([*BUS, "--record", "/none"], "--record: there is no directory /none"),
            ([*BUS, "--terminal-log-level", "loud"], "--terminal-log-level: there is no level"),
        ):
            self.assertIn(sentence, self.refused(*words))

    def test_handed_down(self) -> None:
        """
        What is every terminal's, each is told; of recordings nothing, unless they are wanted.
        """
        options = Options()
        options.parseOptions([*BUS, "--logout", "eof", "--input-timeout", "60"])
        words = composing._handed_down(options)
        self.assertEqual(
            words,
            [
                *("--input-timeout=60.0", "--watch-timeout=0.0", "--logout=eof"),
                *("--logout-grace=10.0", "--scrollback=1048576"),
            ],
        )

        options = Options()
        options.parseOptions([*BUS, "--record", "/tmp", "--record-input"])
        words = composing._handed_down(options)
        self.assertEqual(words[-3:], ["--record=/tmp", "--record-most=67108864", "--record-input"])

    def test_runtime_directory(self) -> None:
        """
        It lies where nobody else can put another one in its place.
        """
        for uid, environ, path in (
            (0, {"XDG_RUNTIME_DIR": "/run/user/0"}, "/run/ajaxconsole/h1"),
            (7, {"XDG_RUNTIME_DIR": "/run/user/7"}, "/run/user/7/ajaxconsole/h1"),
            (7, {}, "/tmp/ajaxconsole-7-h1"),
        ):
            self.assertEqual(runtime_directory("h1", uid, environ), path)

    def test_file(self) -> None:
        """
        They can stand in the file, in a section of the daemon's name.
        """
        path = Path(self.mktemp())
        path.write_text('[computeagent]\nbus = "amqp://x/"\nportrange = "5-6"\nidle-timeout = 5\n')
        options = Options()

        options.parseOptions(["--config", str(path), "--idle-timeout", "7"])

        self.assertEqual(options["portrange"], PortRange(5, 6))
        self.assertEqual(options["idle-timeout"], 7.0)


class Closing(FakeWorkshop):
    """
    Notes that it was closed.
    """

    opened = False
    closed = False

    def open(self) -> None:
        self.opened = True

    def close(self, leave: bool = False) -> Deferred[object]:
        self.closed = True
        return succeed(None)


class ServiceTests(AgentTestCase):
    """
    An agent under C{twistd}.
    """

    started = False

    def test_life(self) -> None:
        """
        It answers when it was started; when it is stopped everything has ended, and only then
        it leaves the bus, so that all are told.
        """
        workshop = Closing(self.clock)
        service = AgentService(self.agent, self.bus, workshop)  # type: ignore[arg-type]

        service.startService()
        self.pass_time(0.2)
        grant = self.got()["grant"]
        stopping = service.stopService()
        self.pass_time(0.5)

        self.successResultOf(stopping)
        self.assertEqual(self.workshop.running, [])
        self.assertTrue(workshop.opened and workshop.closed)
        self.assertEqual(self.proxy.of("revoke_grant"), [{"grant": grant}])
        self.assertEqual(self.api.of("console_is")[-1]["reason"], "leaving")
        self.caller.stop()
        self.pass_time(0.1)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_can_not_start(self) -> None:
        """
        What was left to it can't be looked at: that is told once, and logged.
        """
        told: list[str] = []
        service = AgentService(
            self.agent,
            self.bus,
            Closing(self.clock),  # type: ignore[arg-type]
            failed=lambda: told.append("failed"),
        )
        self.patch(self.rooms, "left_over", lambda: 1 / 0)

        service.startService()
        self.pass_time(0.2)

        self.assertEqual(told, ["failed"])
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)
        service.stopService()
        self.pass_time(0.5)


class MakingTests(SynchronousTestCase):
    """
    Options become an agent, or a sentence that says what this host lacks.
    """

    def setUp(self) -> None:
        self.base = Path(tempfile.mkdtemp(prefix="tap-"))
        self.addCleanup(rmtree, self.base, ignore_errors=True)
        self.reactor = MemoryReactorClock()

    def make(self, *words: str) -> AgentService:
        options = AgentOptions()
        options.parseOptions(["--run", str(self.base / "run"), *words])
        bus = MemoryBus(MemoryBroker(self.reactor), self.reactor)
        return make_agent(self.reactor, options, bus)

    def test_made(self) -> None:
        """
        Its runtime directory is there and taken.
        """
        service = self.make()
        self.addCleanup(service._workshop.close)
        self.addCleanup(service._agent._rooms.release)

        self.assertTrue((self.base / "run" / "lock").exists())

    def test_second_one(self) -> None:
        """
        A second agent in the same directory is told.
        """
        service = self.make()
        self.addCleanup(service._workshop.close)
        self.addCleanup(service._agent._rooms.release)

        unfit = self.assertRaises(Unfit, self.make)

        self.assertIn("another agent is using", str(unfit))

    def test_no_such_user(self) -> None:
        """
        So is one whose children have nobody to run as.
        """
        unfit = self.assertRaises(Unfit, self.make, "--child-user", "no-such-user-here")

        self.assertIn("there is no user", str(unfit))

    def test_mistakes_end_in_a_sentence(self) -> None:
        """
        C{twistd} ends with it.
        """
        for words in (["--child-user", "no-such-user-here"], ["--run", "relative"]):
            options = Options()
            options.parseOptions([*BUS, *words])

            ending: Any = self.assertRaises(SystemExit, make_service, options)

            self.assertTrue(str(ending).startswith("computeagent: "), ending)

    def test_plugin(self) -> None:
        """
        C{twistd} knows the command.
        """
        found = [one for one in getPlugins(IServiceMaker) if one.tapname == "computeagent"]

        self.assertEqual([one.module for one in found], ["computeagent.tap"])
        self.assertIs(found[0].options, Options)
