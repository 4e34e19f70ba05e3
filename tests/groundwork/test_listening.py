"""
Tests for L{groundwork.listening}: an endpoint that can't be had, and hangups.
"""

from __future__ import annotations

import os
import signal
import socket
import sys
from subprocess import DEVNULL, PIPE, Popen, run
from threading import Timer

from twisted.trial.unittest import SynchronousTestCase

PROGRAM = """
import sys
from twisted.internet import reactor
from twisted.logger import globalLogBeginner, textFileLogObserver
from twisted.web.resource import Resource
from groundwork.listening import listening
from groundwork.site import BoundedSite
globalLogBeginner.beginLoggingTo([textFileLogObserver(sys.stdout)], redirectStandardIO=False)
service = listening(sys.argv[1], BoundedSite(Resource(), reactor), "--status-listen")
if sys.argv[2] == "privileged":
    service.privilegedStartService()
service.startService()
reactor.callWhenRunning(lambda: print("It listens", flush=True))
reactor.run()
"""


class ListeningTests(SynchronousTestCase):
    def test_taken(self) -> None:
        """
        A port that somebody has, and a path that can't be: a sentence that repeats what was
        given and says what to do, and no traceback.
        """
        with socket.create_server(("127.0.0.1", 0)) as taken:
            port = taken.getsockname()[1]
            for endpoint, why in (
                (f"tcp:{port}:interface=127.0.0.1", "Address already in use"),
                ("unix:/nonexistent/socket:lockfile=0", "No such file or directory"),
            ):
                for how in ("privileged", "plain"):
                    ended = run(
                        [sys.executable, "-c", PROGRAM, endpoint, how],
                        capture_output=True,
                        text=True,
                        timeout=60,
                    )

                    self.assertEqual(ended.returncode, 1)
                    self.assertEqual(
                        ended.stderr,
                        f"--status-listen {endpoint}: {why}; name another endpoint, or end what "
                        "listens there\n",
                    )

    def test_hangup(self) -> None:
        """
        Who has no certificate to read again says so on SIGHUP, and goes on.
        """
        daemon = self.start(DEVNULL)
        assert daemon.stdout is not None
        said = iter(daemon.stdout.readline, "")
        self.assertTrue(any("It listens" in line for line in said))

        daemon.send_signal(signal.SIGHUP)

        self.assertTrue(any("SIGHUP: nothing is read again" in line for line in said))
        self.assertIsNone(daemon.poll())

    def test_terminal_hangs_up(self) -> None:
        """
        What was started in a terminal ends with it.
        """
        ours, its = os.openpty()
        self.addCleanup(os.close, ours)
        self.addCleanup(os.close, its)
        daemon = self.start(its)
        assert daemon.stdout is not None
        self.assertTrue(any("It listens" in line for line in iter(daemon.stdout.readline, "")))

        daemon.send_signal(signal.SIGHUP)

        self.assertEqual(daemon.wait(60), -signal.SIGHUP)

    def start(self, stdin: int) -> Popen[str]:
        daemon = Popen(
            [sys.executable, "-c", PROGRAM, "tcp:0:interface=127.0.0.1", "plain"],
            stdin=stdin,
            stdout=PIPE,
            text=True,
        )
        self.addCleanup(daemon.wait, 60)
        self.addCleanup(daemon.kill)
        assert daemon.stdout is not None
        self.addCleanup(daemon.stdout.close)
        late = Timer(60, daemon.kill)
        late.start()
        self.addCleanup(late.cancel)
        return daemon
