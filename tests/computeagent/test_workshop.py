"""
Tests for L{computeagent.workshop}: what children get, short of real ones.
"""

from __future__ import annotations

import os
import pwd
import signal
import socket
import tempfile
from pathlib import Path
from shutil import rmtree
from typing import Any
from unittest import skipIf

from twisted.internet.error import ConnectionRefusedError
from twisted.internet.testing import StringTransport
from twisted.logger import capturedLogs
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from computeagent import workshop
from computeagent.children import Child
from computeagent.orders import TerminalGone
from computeagent.ports import PortRange, PortsExhausted
from computeagent.rooms import Room, Rooms
from computeagent.workshop import Unfit, Workshop
from tests.computeagent.fakereactor import FakeProcess, Inode, ProcessReactor
from tests.computeagent.test_ports import free_ports


class WorkshopTestCase(SynchronousTestCase):
    child_user = ""

    def setUp(self) -> None:
        self.reactor = ProcessReactor()
        self.ports = free_ports(3)
        self.workshop = self.make(self.child_user)
        base = Path(tempfile.mkdtemp(prefix="workshop-"))
        self.addCleanup(rmtree, base, ignore_errors=True)
        rooms = Rooms(base)
        rooms.prepare()
        self.addCleanup(rooms.release)
        self.room = rooms.make("0123456789ab")

    def make(self, child_user: str) -> Workshop:
        made = Workshop(
            self.reactor, "127.0.0.1", self.ports, 300.0, child_user, log_level="debug", forks=False
        )
        self.addCleanup(made.close)
        return made

    def start(self, room: Room | None = None) -> Any:
        return self.workshop.start_terminal(room or self.room, "web1 serial0", lambda words: None)


class TerminalTests(WorkshopTestCase):
    """
    An ajaxterm gets everything as open descriptors.
    """

    def connect(self) -> None:
        """
        Its control socket is there.
        """
        path, factory, *_ = self.reactor.unixClients[-1]
        self.assertEqual(path, str(self.room.control))
        factory.buildProtocol(None).makeConnection(StringTransport())

    def test_started(self) -> None:
        """
        It is up as soon as its control socket is joined.
        """
        starting = self.start()
        self.assertNoResult(starting)
        self.connect()

        terminal = self.successResultOf(starting)
        self.assertEqual(terminal.host, "127.0.0.1")
        self.assertIn(terminal.port, range(self.ports.first, self.ports.last + 1))

    def test_command(self) -> None:
        """
        What it is told stands on its command line, which anybody may read: there are no
        secrets in it. Its environment is not ours.
        """
        self.start()

        (process,) = self.reactor.processes
        self.assertEqual(
            process.command[1:],
            [
                *("-m", "ajaxterm", "--http-fd", "3", "--tty-fd", "4", "--control-fd", "5"),
                *("--title", "web1 serial0", "--idle-timeout", "300.0", "--log-level", "debug"),
            ],
        )
        self.assertEqual(set(process.how["env"]), {"PATH", "LANG"})
        self.assertEqual(process.how["path"], "/")

    def test_one_that_lasts(self) -> None:
        """
        One that is attached to always does not end when nobody is there. What an
        administrator wants of all terminals is told to each.
        """
        self.workshop._handed_down = ["--scrollback", "4096"]
        starting = self.workshop.start_terminal(
            self.room, "web1 serial0", lambda words: None, self.ports.first, True
        )
        self.assertNoResult(starting)

        (process,) = self.reactor.processes
        self.assertEqual(process.command[-2:], ["--scrollback", "4096"])
        at = process.command.index("--idle-timeout")
        self.assertEqual(process.command[at + 1], "0.0")

    def test_sockets(self) -> None:
        """
        Three sockets, and a pipe for what it says; nothing of ours stays open but that pipe's
        end, until it is closed.
        """
        before = len(os.listdir("/proc/self/fd"))

        self.start()

        (process,) = self.reactor.processes
        (saying,) = self.reactor.getReaders()
        saying.doRead()  # nobody has the other end any more
        self.assertEqual(set(process.handed), {0, 1, 2, 3, 4, 5})
        self.assertEqual(len({process.handed[n] for n in (3, 4, 5)}), 3)
        self.assertEqual(len(os.listdir("/proc/self/fd")), before)

    def test_no_port(self) -> None:
        """
        Without a port nothing is started, and nothing stays open.
        """
        self.workshop = Workshop(self.reactor, "127.0.0.1", PortRange(1, 1), 300.0, forks=False)
        self.addCleanup(self.workshop.close)
        with socket.socket() as taken:
            taken.bind(("127.0.0.1", 0))
            taken.listen()
            port = taken.getsockname()[1]
            self.workshop._ports = PortRange(port, port)
            before = len(os.listdir("/proc/self/fd"))

            self.failureResultOf(self.start(), PortsExhausted)

            self.assertEqual(len(os.listdir("/proc/self/fd")), before)
        self.assertEqual(self.reactor.processes, [])

    def test_no_process(self) -> None:
        """
        Where no process can be had, its sockets are closed again.
        """
        before = len(os.listdir("/proc/self/fd"))
        self.reactor.refusing = OSError(11, "Resource temporarily unavailable")

        self.failureResultOf(self.start(), OSError)

        self.assertEqual(len(os.listdir("/proc/self/fd")), before)

    def test_ends_at_once(self) -> None:
        """
        One that is gone before it is joined is told as such, and is made to end in any case.
        """
        starting = self.start()

        _, factory, *_ = self.reactor.unixClients[-1]
        factory.clientConnectionFailed(None, Failure(ConnectionRefusedError()))

        self.failureResultOf(starting, TerminalGone)
        self.assertEqual(self.reactor.processes[0].signals, ["TERM"])


class JoiningTests(WorkshopTestCase):
    """
    A socat gets the device and a connection, and no path.
    """

    def setUp(self) -> None:
        super().setUp()
        self.listening = self.room.listen(self.room.tty)
        self.addCleanup(self.listening.close)
        self.guest, self.device = os.openpty()
        self.addCleanup(os.close, self.guest)
        self.addCleanup(os.close, self.device)

    def test_pty(self) -> None:
        """
        A terminal is made raw; a bare one would flood the guest with its own echo.
        """
        self.workshop.join(self.room, "web1 serial0", self.device)

        (process,) = self.reactor.processes
        program, *options = process.command[1:]
        self.assertEqual(os.path.basename(program), "socat")
        self.assertEqual(options, ["-t0", "-b65536", "FD:3,raw,echo=0", "FD:4"])
        self.assertEqual(process.handed[3], Inode.of(self.device))
        self.assertEqual(set(process.handed), {0, 1, 3, 4})

    def test_socket(self) -> None:
        """
        Of a device that is a socket nothing is made raw.
        """
        one, other = socket.socketpair()
        with one, other:
            self.workshop.join(self.room, "web1 serial0", one.fileno())

        self.assertIn("FD:3", self.reactor.processes[0].command)

    def test_ours_stays_ours(self) -> None:
        """
        The device stays open here; the connection does not.
        """
        before = len(os.listdir("/proc/self/fd"))

        self.workshop.join(self.room, "web1 serial0", self.device)

        os.fstat(self.device)
        self.assertEqual(len(os.listdir("/proc/self/fd")), before)
        accepted, _ = self.listening.accept()
        accepted.close()

    def test_terminal_is_stuck(self) -> None:
        """
        A terminal that takes no connections does not stop the agent: that there is no room
        for another one is told at once.
        """
        waiting = []
        for _ in range(20):
            waiting.append(socket.socket(socket.AF_UNIX))
            waiting[-1].setblocking(False)
            self.addCleanup(waiting[-1].close)
            if waiting[-1].connect_ex(str(self.room.tty)):
                break
        signal.setitimer(signal.ITIMER_REAL, 5)
        self.addCleanup(signal.setitimer, signal.ITIMER_REAL, 0)
        self.addCleanup(signal.signal, signal.SIGALRM, signal.getsignal(signal.SIGALRM))
        signal.signal(signal.SIGALRM, lambda *_: 1 / 0)

        self.assertRaises(OSError, self.workshop.join, self.room, "web1 serial0", self.device)

    def test_connection_blocks(self) -> None:
        """
        What socat gets is a connection that waits, as socat expects.
        """
        self.workshop.join(self.room, "web1 serial0", self.device)

        self.assertTrue(self.reactor.processes[0].blocking[4])

    def test_terminal_is_gone(self) -> None:
        """
        Without a terminal there is nothing to join.
        """
        self.listening.close()

        self.assertRaises(OSError, self.workshop.join, self.room, "web1 serial0", self.device)
        self.assertEqual(self.reactor.processes, [])


class ChildTests(SynchronousTestCase):
    """
    A child's end is told once, and what it says is logged.
    """

    def setUp(self) -> None:
        self.reactor = ProcessReactor()
        self.child = Child(self.reactor, "socat of web1")
        self.process: FakeProcess = self.reactor.spawnProcess(self.child, "socat")

    def test_ends(self) -> None:
        """
        Whoever waits is told how it ended, also who asks later.
        """
        waiting = self.child.when_ended()

        self.process.die(status=0)

        self.assertEqual(self.successResultOf(waiting), "status 0")
        self.assertEqual(self.successResultOf(self.child.when_ended()), "status 0")

    def test_killed(self) -> None:
        """
        By a signal, if it was one.
        """
        self.process.die(signal=9)

        self.assertEqual(self.successResultOf(self.child.when_ended()), "signal 9")

    def test_asked_to_end(self) -> None:
        """
        It is asked politely, once, and then not.
        """
        self.child.end()
        self.child.end()
        self.reactor.advance(2.9)
        self.assertEqual(self.process.signals, ["TERM"])
        self.reactor.advance(0.2)

        self.assertEqual(self.process.signals, ["TERM", "KILL"])

    def test_can_not_end(self) -> None:
        """
        One that hangs in the kernel is not waited for without end; should it end after all,
        that is no news.
        """
        ending = self.child.when_ended()
        self.child.end()
        self.reactor.pump([3.1, 4.8])
        self.assertNoResult(ending)
        with capturedLogs() as logged:
            self.reactor.advance(0.2)

        self.assertEqual(self.successResultOf(ending), "killed, and still there")
        self.assertEqual(logged[0]["child"], "socat of web1")
        self.process.die(signal=9)
        self.assertEqual(self.reactor.getDelayedCalls(), [])

    def test_ends_when_asked(self) -> None:
        """
        One that ends is not killed afterwards: its pid may be somebody else's.
        """
        self.child.end()
        self.process.die(status=0)
        self.child.end()
        self.reactor.advance(10)

        self.assertEqual(self.process.signals, ["TERM"])
        self.assertEqual(self.reactor.getDelayedCalls(), [])

    def test_ended_unnoticed(self) -> None:
        """
        One that has ended just now can't be signalled, and need not.
        """
        self.process.over = True

        self.child.end()

        self.assertEqual(self.process.signals, [])
        self.process.die(status=0)

    def test_what_it_says(self) -> None:
        """
        Each line of its stderr is one of the log; a line without end is cut.
        """
        with capturedLogs() as logged:
            for said in (b"one\ntw", b"o\n", b"\xff\n", b"x" * 5000, b"y" * 5000, b"\n"):
                self.child.errReceived(said)

        texts = [event["text"] for event in logged]
        self.assertEqual(texts[:3], ["one", "two", "\\xff"])
        self.assertEqual([len(text) for text in texts[3:]], [1000])
        self.assertEqual(logged[0]["child"], "socat of web1")


class FitnessTests(SynchronousTestCase):
    """
    What a host lacks is told when the agent starts, not when a user waits.
    """

    def make(self, child_user: str) -> Workshop:
        made = Workshop(
            ProcessReactor(), "127.0.0.1", PortRange(1, 2), 300.0, child_user, forks=False
        )
        self.addCleanup(made.close)
        return made

    def test_no_such_user(self) -> None:
        """
        A user that there is not is named.
        """
        unfit = self.assertRaises(Unfit, self.make, "no-such-user-here")

        self.assertIn("there is no user 'no-such-user-here'", str(unfit))

    def test_own_user(self) -> None:
        """
        Who is that user already need not become him.
        """
        own = pwd.getpwuid(os.geteuid()).pw_name

        self.assertIsNone(self.make(own)._uid)

    def test_no_program(self) -> None:
        """
        Without socat there is no console.
        """
        self.patch(workshop, "ENVIRONMENT", {"PATH": "/nonexistent"})

        unfit = self.assertRaises(Unfit, self.make, "")

        self.assertEqual(str(unfit), "there is no socat on this host; install it")


@skipIf(os.geteuid() != 0, "only root can become somebody else")
class OtherUserTests(WorkshopTestCase):
    """
    Children run as somebody who can open nothing.
    """

    child_user = "nobody"

    def test_terminal(self) -> None:
        """
        An ajaxterm becomes that user by itself, once it has read its own files.
        """
        self.start()

        entry = pwd.getpwnam("nobody")
        (process,) = self.reactor.processes
        self.assertEqual(process.command[-2:], ["--user", f"{entry.pw_uid}:{entry.pw_gid}"])
        self.assertNotIn("uid", process.how)

    def test_socat(self) -> None:
        """
        A socat is that user from the start.
        """
        listening = self.room.listen(self.room.tty)
        self.addCleanup(listening.close)
        one, other = socket.socketpair()
        with one, other:
            self.workshop.join(self.room, "web1 serial0", one.fileno())

        entry = pwd.getpwnam("nobody")
        (process,) = self.reactor.processes
        self.assertEqual((process.how["uid"], process.how["gid"]), (entry.pw_uid, entry.pw_gid))
