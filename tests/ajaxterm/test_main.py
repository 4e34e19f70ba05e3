"""
Tests for L{ajaxterm.main}: the command line, and a command put together.
"""

from __future__ import annotations

import socket
from contextlib import redirect_stdout
from io import StringIO

from twisted.internet.testing import StringTransport
from twisted.trial.unittest import SynchronousTestCase

from ajaxterm.idleness import Limits
from ajaxterm.logout import Farewell
from ajaxterm.main import Options, _serve_command, main, terms_of
from ajaxterm.serve import LAST_WORDS
from tests.ajaxterm.fakereactor import FakeReactor
from tests.ajaxterm.stage import PAGE


class OptionsTests(SynchronousTestCase):
    def parsed(self, *argv: str) -> Options:
        options = Options()
        options.parseOptions(list(argv))
        return options

    def complaint(self, *argv: str) -> str:
        """
        @return: what is said on stderr, at the end with status 1.
        """
        left = self.assertRaises(SystemExit, main, list(argv))
        self.assertIsInstance(left.code, str)
        return str(left.code)

    def test_command(self) -> None:
        """
        What follows is the command, its own options with it.
        """
        self.assertEqual(list(self.parsed("--", "ls", "-l").command), ["ls", "-l"])
        self.assertEqual(list(self.parsed("-p", "80", "ls", "-l").command), ["ls", "-l"])

    def test_values(self) -> None:
        """
        Numbers are numbers.
        """
        options = self.parsed(
            *("--port", "80", "--idle-timeout", "1.5", "--scrollback", "65536"),
            *("--user", "65534:100", "--log-level", "debug", "x"),
        )

        self.assertEqual(
            [options[name] for name in ("port", "idle-timeout", "scrollback", "user")],
            [80, 1.5, 65536, (65534, 100)],
        )

    def test_terms(self) -> None:
        """
        What the session is told comes from the command line.
        """
        terms = terms_of(
            self.parsed(
                *("--idle-timeout", "1", "--input-timeout", "2", "--watch-timeout", "3"),
                *("--logout", "exit", "--logout-grace", "4", "--", "top", "-b"),
            )
        )

        self.assertEqual(terms.title, "top -b")
        self.assertEqual(terms.limits, Limits(1, 2, 3))
        self.assertEqual(terms.farewell, Farewell(b"exit\r", 4))
        self.assertEqual(terms_of(self.parsed("--logout", "eof", "x")).farewell.text, b"\x04")

    def test_complaints(self) -> None:
        """
        A bad option is named, with what it should be.
        """
        for argv, words in [
            ([], "say what to run: ajaxterm -- COMMAND"),
            (["--bogus"], "option --bogus not recognized"),
            (["--port", "65536", "x"], "--port is a number from 0 to 65535, not '65536'"),
            (["--port", "-1", "x"], "--port is"),
            (["--port", "http", "x"], "--port is"),
            (["--idle-timeout", "-1", "x"], "--idle-timeout is a number of seconds"),
            (["--idle-timeout", "nan", "x"], "--idle-timeout is"),
            (["--idle-timeout", "inf", "x"], "--idle-timeout is"),
            (["--scrollback", "100", "x"], "--scrollback is a number from 4096"),
            (["--record", "/no/such/thing", "x"], "--record is a directory"),
            (["--record-most", "1", "x"], "--record-most is a number from 4096"),
            (["--user", "nobody", "x"], "--user is UID:GID"),
            (["--log-level", "loud", "x"], "--log-level is debug, info"),
            (["--http-fd", "x"], "--http-fd is the number of an open socket"),
            (["--http-fd", "98765", "--tty-fd", "4", "--control-fd", "5"], "--http-fd is"),
        ]:
            said = self.complaint(*argv)
            self.assertIn(words, said)
            self.assertNotIn("enforcement", said)
            self.assertIn("ajaxterm --help", said)

    def test_descriptors_go_together(self) -> None:
        """
        One socket alone is of no use, and with sockets there is no command.
        """
        with socket.socket() as one:
            fd = str(one.fileno())
            words = "--http-fd, --tty-fd and --control-fd go together"
            all_three = ["--http-fd", fd, "--tty-fd", fd, "--control-fd", fd]
            self.parsed(*all_three)

            self.assertIn(words, self.complaint("--http-fd", fd))
            self.assertIn(words, self.complaint(*all_three, "ls"))

    def test_version(self) -> None:
        """
        C{--version} says ours, not Twisted's.
        """
        said = StringIO()

        with redirect_stdout(said):
            self.assertRaises(SystemExit, Options().parseOptions, ["--version"])

        self.assertRegex(said.getvalue(), r"^ajaxterm [0-9]")


class CommandTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.reactor = FakeReactor()
        self.said = StringIO()

    def serve(self, *argv: str) -> int:
        options = Options()
        options.parseOptions(list(argv))
        with redirect_stdout(self.said):
            return _serve_command(self.reactor, options, PAGE, {"PATH": "/bin:/usr/bin"})

    def complaint(self, *argv: str) -> str:
        left = self.assertRaises(SystemExit, self.serve, *argv)
        return str(left.code)

    def test_url_is_printed(self) -> None:
        """
        One line, with a token that nobody guesses; the command runs.
        """
        self.serve("--", "ls", "-l")

        self.assertRegex(
            self.said.getvalue(), r"\Ahttp://127\.0\.0\.1:[0-9]+/\?token=[A-Za-z0-9_-]{43}\n\Z"
        )
        [process] = self.reactor.processes
        self.addCleanup(process.close_terminal)
        self.assertEqual(process.command, ["ls", "-l"])
        self.assertEqual(process.options["env"]["TERM"], "xterm-256color")

    def test_printed_url_opens_the_page(self) -> None:
        """
        It does, and nothing else does.
        """
        self.serve("--", "ls")
        self.addCleanup(self.reactor.processes[0].close_terminal)
        [port] = self.reactor.readers
        self.addCleanup(port.stopListening)
        site = port.factory
        host, _, target = self.said.getvalue().strip().removeprefix("http://").partition("/")

        for asked, status in [(target, b"303"), ("?token=wrong", b"403")]:
            channel = site.buildProtocol(None)
            transport = StringTransport()
            channel.makeConnection(transport)
            channel.dataReceived(f"GET /{asked} HTTP/1.1\r\nHost: {host}\r\n\r\n".encode())
            self.assertEqual(transport.value()[9:12], status)

    def test_addresses_of_six(self) -> None:
        """
        An IPv6 address is in brackets.
        """
        self.serve("-i", "::1", "--", "ls")
        self.addCleanup(self.reactor.processes[0].close_terminal)

        self.assertIn("http://[::1]:", self.said.getvalue())

    def test_end_of_the_command_is_the_end(self) -> None:
        """
        When the command has ended, so does the program, after the last words.
        """
        self.serve("--", "ls")
        [process] = self.reactor.processes

        process.end(3)
        self.reactor.advance(0)
        self.reactor.hasStopped = False
        self.reactor.advance(LAST_WORDS)

        self.assertTrue(self.reactor.hasStopped)

    def test_what_can_not_be(self) -> None:
        """
        No such command, no such address, a port that is taken, no process: a sentence each.
        """
        with socket.socket() as taken:
            taken.bind(("127.0.0.1", 0))
            taken.listen()
            port = str(taken.getsockname()[1])

            self.assertIn("no command 'no-such-'", self.complaint("--", "no-such-"))
            self.assertIn("can't listen", self.complaint("-i", "192.0.2.1", "--", "ls"))
            self.assertIn("in use", self.complaint("-p", port, "--", "ls"))
        self.reactor.refuse = OSError("out of pty devices")
        self.assertIn("can't start 'ls': out of pty", self.complaint("--", "ls"))
        self.assertEqual(self.said.getvalue(), "")
