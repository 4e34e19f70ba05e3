"""
The life of a console: how it ends, and that nothing of it stays.
"""

from __future__ import annotations

import requests
from twisted.trial.unittest import SynchronousTestCase

from tests.real.daemons import AllInOne
from tests.real.parts import (
    MISSING,
    PATIENCE,
    children_of,
    console_children_of,
    listening_ports,
    new_guest,
)
from tests.real.viewer import Viewer, exchange


class IdleTests(SynchronousTestCase):
    """
    After the last tab is closed.
    """

    skip = MISSING

    def setUp(self) -> None:
        self.guest = new_guest(self, "idle1")

    def test_nothing_is_left(self) -> None:
        """
        No process, no port, no file; the URL is refused, in every form that it
        had; and the console can be opened again.
        """
        console = AllInOne(self, "--idle-timeout", "5")
        console.until_active(self.guest)
        url = console.api.url(self.guest)
        viewer = Viewer(self, url)
        viewer.log_in(self.guest)
        viewer.type("echo kept-$((40+2))\r")
        viewer.until_seen("kept-42")
        self.assertEqual(len(console_children_of(console.pid)), 2)
        self.assertEqual(len(console.rooms()), 1)
        self.assertEqual(len(listening(console)), 2)
        viewer.close()
        console.until(lambda: not console.rooms(), "the console's files are gone")

        console.until(lambda: not console_children_of(console.pid), "its processes are gone")
        self.assertEqual(console.rooms(), [])
        self.assertEqual(listening(console), [console.port])
        self.assertEqual(exchange(url).status_code, 403)
        below = requests.get(viewer.place, headers=viewer.headers, timeout=PATIENCE)
        self.assertEqual(below.status_code, 403)
        again = Viewer(self, console.api.url(self.guest))
        again.type("\r")
        again.until_seen("# ")
        self.assertEqual(again.hello["offset"], 0)

    def test_forty_times(self) -> None:
        """
        Nothing gathers: no zombie, no descriptor.
        """
        console = AllInOne(self, "--idle-timeout", "0.5")
        console.until_active(self.guest)
        self.open_and_close(console)
        before = console.descriptors()
        for _ in range(39):
            self.open_and_close(console)

        self.assertEqual(console.descriptors(), before)
        self.assertEqual(console_children_of(console.pid), [])
        self.assertEqual(console.rooms(), [])

    def open_and_close(self, console: AllInOne) -> None:
        viewer = Viewer(self, console.api.url(self.guest))
        viewer.type("\r")
        viewer.until(lambda: viewer.output, "the guest answers")
        viewer.close()
        console.until(lambda: not console_children_of(console.pid), "its children are reaped")
        console.until(lambda: not console.rooms(), "its files are gone")

    def test_idle_while_the_guest_is_off(self) -> None:
        """
        A console that waits for its guest ends too, when nobody waits for it any more.
        """
        console = AllInOne(self, "--idle-timeout", "2")
        console.until_active(self.guest)
        viewer = Viewer(self, console.api.url(self.guest))
        viewer.log_in(self.guest)
        self.guest.destroy()
        viewer.until(lambda: viewer.line == "waiting", "it is told")
        viewer.close()

        console.until(lambda: not console_children_of(console.pid), "its children are reaped")
        console.until(lambda: not console.rooms(), "its files are gone")
        self.assertEqual(console.api.ask(self.guest.uuid).status_code, 409)


def listening(console: AllInOne) -> list[int]:
    """
    @return: the TCP ports on which the daemon or a child of it listens.
    """
    return listening_ports([console.pid, *children_of(console.pid)])
