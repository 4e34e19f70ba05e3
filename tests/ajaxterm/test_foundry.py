"""
Tests for L{ajaxterm.foundry}: what it does when something is amiss.  Each runs it in an
interpreter of its own, since it forks.
"""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from tests.interpreter import said_by

CROWDED = """
    import os, resource, socket, sys, time
    from ajaxterm.foundry import Foundry

    ours, theirs = socket.socketpair()
    handed = [os.open("/dev/null", os.O_RDWR) for _ in range(4)]
    foundry = Foundry(theirs, lambda argv: argv, lambda options: time.sleep(60))
    free = os.dup(0)
    os.close(free)
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (free + ROOM, hard))
    socket.send_fds(ours, [b'{"argv": []}\\n'], handed)
    foundry._listen()
    theirs.close()
    print(ours.recv(1000).decode(), foundry.children, os.path.exists(f"/proc/self/fd/{free}"))
    try:
        os.waitpid(-1, os.WNOHANG)
    except ChildProcessError:
        print("no child")
"""


class PrepareTests(SynchronousTestCase):
    def test_no_rehearsal(self) -> None:
        """
        Whatever goes wrong with the rehearsal, the foundry does without and says so.
        """
        said = said_by("""
            from ajaxterm.foundry import _prepare

            def serve(*_):
                raise AttributeError("another Twisted")

            print(_prepare(serve))
        """)

        self.assertEqual(
            said,
            "Without a rehearsal each terminal takes more memory: "
            "AttributeError('another Twisted')\n[]\n",
        )


class CrowdedTests(SynchronousTestCase):
    def test_child_can_not_be_watched(self) -> None:
        """
        With no descriptor left to watch a child by, there is none: the agent, which hears so,
        starts one that serves the same sockets.
        """
        said = said_by(CROWDED.replace("ROOM", "4"))

        self.assertIn('{"failed": "[Errno 24] Too many open files"}', said)
        self.assertTrue(said.endswith(" {} False\nno child\n"), said)

    def test_descriptor_lost(self) -> None:
        """
        Where one got lost, no console shall get what was meant for another: it gives up, and
        keeps nothing.
        """
        said = said_by(CROWDED.replace("ROOM", "3"))

        self.assertEqual(said, " {} False\nno child\n")


class AbandonedTests(SynchronousTestCase):
    def test_child_that_nobody_hears_of(self) -> None:
        """
        An agent that has given the foundry up, while its order was still to be read, has the
        terminal started another way: a child that can't be told of does not live.
        """
        said = said_by("""
            import os, socket, time
            from ajaxterm.foundry import Foundry

            ours, theirs = socket.socketpair()
            handed = [os.open("/dev/null", os.O_RDWR) for _ in range(4)]
            foundry = Foundry(theirs, lambda argv: argv, lambda options: time.sleep(60))
            socket.send_fds(ours, [b'{"argv": []}\\n'], handed)
            ours.close()
            foundry._listen()
            [pid] = foundry.children.values()
            print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
        """)

        self.assertEqual(said, "-9\n")
