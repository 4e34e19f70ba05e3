"""
What goes on when a part of it is killed with -9.
"""

from __future__ import annotations

import os
import signal
import time

from twisted.trial.unittest import SynchronousTestCase

from demo.libvirtd import PrivateLibvirt
from tests.rabbit import MISSING as NO_RABBIT
from tests.rabbit import Rabbit
from tests.real.known import known
from tests.real.parts import MISSING, AllInOne, Fleet, Viewer, new_guest, until

KILLS = 20
BETWEEN = 1.2
"""Seconds from one kill to the next; output flows in them."""


class SocatTests(SynchronousTestCase):
    """
    The one between the guest and the terminal.
    """

    skip = MISSING

    def test_killed_under_output(self) -> None:
        """
        Twenty times, while the guest writes lines: none is lost, none comes twice.
        """
        guest = new_guest(self, "lines1")
        console = AllInOne(self)
        console.until_active(guest)
        viewer = Viewer(self, console.api.url(guest))
        viewer.log_in(guest)
        before = len(viewer.output)
        viewer.type("i=1000000; while :; do seq $i $((i+999)); i=$((i+1000)); done\r")
        killed: list[int] = []
        while len(killed) < KILLS:
            seen, last = len(viewer.output), time.monotonic()
            viewer.until(
                lambda: len(viewer.output) > seen and time.monotonic() > last + BETWEEN,  # noqa: B023
                "output flows",
            )
            [socat] = until(lambda: console.children("socat"), "a socat is there")
            os.kill(socat, signal.SIGKILL)
            killed.append(socat)
            until(lambda: socat not in console.children("socat"), "it is dead")  # noqa: B023
        seen = len(viewer.output)
        viewer.until(lambda: len(viewer.output) > seen + 10_000, "output flows after the last")

        lines = viewer.output[before:].split(b"\r\n")[1:-1]
        numbers = [int(line) for line in lines]
        self.assertTrue(
            numbers == list(range(1000000, 1000000 + len(numbers))), "lines are missing"
        )
        self.assertGreater(len(numbers), 10_000)
        self.assertEqual(len(set(killed)), KILLS)
        self.assertIsNone(viewer.event("end"))


class LibvirtdTests(SynchronousTestCase):
    """
    Dead and back.
    """

    skip = MISSING

    def test_killed(self) -> None:
        """
        The open console goes on; a new one is refused with a sentence; when
        libvirtd is back, all is as it was, and its events come again.
        """
        libvirt = PrivateLibvirt()
        self.addCleanup(libvirt.stop)
        libvirt.start()
        guest = new_guest(self, "lost1", libvirt=libvirt)
        console = AllInOne(self, connect=libvirt.uri)
        console.until_active(guest)
        viewer = Viewer(self, console.api.url(guest))
        viewer.log_in(guest)
        libvirt.kill()
        at = len(viewer.output)
        viewer.type("echo still-$((6*7))\r")
        viewer.until_seen("still-42", at)
        console.until(lambda: console.api.ask(guest.uuid).status_code == 503, "it is missed")
        refused = console.api.ask(guest.uuid)
        # Not even the death of its socat disturbs a console meanwhile.
        [socat] = console.children("socat")
        os.kill(socat, signal.SIGKILL)
        at = len(viewer.output)
        viewer.type("echo joined-$((6*7))\r")
        viewer.until_seen("joined-42", at)
        libvirt.start()
        console.until(lambda: console.api.ask(guest.uuid).status_code == 200, "it is back")

        self.assertIn("libvirt", refused.json()["serviceUnavailable"]["message"])
        at = len(viewer.output)
        viewer.type("echo again-$((6*7))\r")
        viewer.until_seen("again-42", at)
        guest.destroy()
        self.assertEqual(viewer.until_closed(), 1000)
        console.until(lambda: console.api.status(guest) == "SHUTOFF", "events come again")


class BrokerTests(SynchronousTestCase):
    """
    A RabbitMQ dead and back.
    """

    skip = MISSING or NO_RABBIT

    def test_killed(self) -> None:
        """
        The open console goes on; a new one is refused at once; when the broker
        is back, all is as it was.
        """
        rabbit = Rabbit()
        self.addCleanup(rabbit.stop)
        rabbit.start()
        guest = new_guest(self, "broker1")
        fleet = Fleet(self, rabbit.url)
        fleet.until_active(guest)
        viewer = Viewer(self, fleet.api.url(guest))
        viewer.log_in(guest)
        rabbit.kill()
        at = len(viewer.output)
        viewer.type("echo still-$((6*7))\r")
        viewer.until_seen("still-42", at)
        until(lambda: fleet.api.ask(guest.uuid).status_code == 503, "it is missed")
        refused = fleet.api.ask(guest.uuid)
        rabbit.start()
        until(lambda: fleet.api.ask(guest.uuid).status_code == 200, "it is back")

        self.assertIn("broker", refused.json()["serviceUnavailable"]["message"])
        at = len(viewer.output)
        viewer.type("echo again-$((6*7))\r")
        viewer.until_seen("again-42", at)
        second = Viewer(self, fleet.api.url(guest))
        second.type("echo both-$((6*7))\r")
        viewer.until_seen("both-42", at)

    def test_agent_away(self) -> None:
        """
        Without its agent, a host's guests can't be opened, and the answer says so.
        """
        rabbit = Rabbit()
        self.addCleanup(rabbit.stop)
        rabbit.start()
        guest = new_guest(self, "agentless1")
        fleet = Fleet(self, rabbit.url)
        fleet.until_active(guest)
        fleet.agent.stop()

        refused = fleet.api.ask(guest.uuid)

        self.assertEqual(refused.status_code, 503)
        self.assertIn(
            f"agent on host {fleet.host}", refused.json()["serviceUnavailable"]["message"]
        )
        self.assertIn("password", known.kinds())
        fleet.agent = fleet.start("computeagent")
        until(lambda: fleet.api.ask(guest.uuid).status_code == 200, "it is back")
