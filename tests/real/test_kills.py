"""
What goes on when a part of it is killed with -9.
"""

from __future__ import annotations

import os
import re
import signal
import time

from twisted.trial.unittest import SynchronousTestCase
from websockets.exceptions import WebSocketException

from demo.libvirtd import PrivateLibvirt
from tests.rabbit import MISSING as NO_RABBIT
from tests.rabbit import Rabbit, shared_rabbit
from tests.real.daemons import AllInOne, Fleet
from tests.real.parts import MISSING, command_of, console_children_of, new_guest, until
from tests.real.viewer import Viewer, exchange

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
        # What is typed to one that is just dying is gone with it.
        console.until(lambda: socat not in console.children("socat"), "it is dead")
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
        viewer.until(lambda: viewer.line == "waiting", "events come again")
        console.until(lambda: console.api.status(guest) == "SHUTOFF", "to the API too")


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
        # The proxy comes back by itself as well, and is told what it missed.
        url = fleet.api.url(guest)
        until(lambda: exchange(url).status_code == 303, "the proxy knows it")
        second = Viewer(self, url)
        second.type("echo both-$((6*7))\r")
        viewer.until_seen("both-42", at)


class DaemonTests(SynchronousTestCase):
    """
    One of ours is killed, and started again.
    """

    skip = MISSING or NO_RABBIT

    def setUp(self) -> None:
        self.guest = new_guest(self, "fleet1")
        self.fleet = Fleet(self, shared_rabbit().url)
        self.fleet.until_active(self.guest)
        self.viewer = Viewer(self, self.fleet.api.url(self.guest))
        self.viewer.log_in(self.guest)

    def goes_on(self) -> None:
        at = len(self.viewer.output)
        self.viewer.type("echo on-$((6*7))\r")
        self.viewer.until_seen("on-42", at)

    def test_api_killed(self) -> None:
        """
        Open consoles go on; a new API knows the guests at once.
        """
        self.fleet.consoleapi.kill()
        self.goes_on()
        self.fleet.consoleapi = self.fleet.start("consoleapi")
        self.fleet.consoleapi.until(self.fleet.api.is_up, "the API answers")
        until(lambda: self.fleet.api.ask(self.guest.uuid).status_code == 200, "it knows the guest")

        second = Viewer(self, self.fleet.api.url(self.guest))
        second.type("echo second-$((6*7))\r")
        self.viewer.until_seen("second-42")

    def test_proxy_killed(self) -> None:
        """
        The viewer connects again, to a proxy that knows its cookie and was told its
        grant: not a byte is lost, not one comes twice.
        """
        self.viewer.type("i=1000; while [ $i -lt 4000 ]; do echo $i; i=$((i+1)); done\r")
        at = self.viewer.until_seen("1500")
        self.fleet.proxy.kill()
        self.viewer.until_closed()
        self.fleet.proxy = self.fleet.start("consoleproxy")
        self.fleet.proxy.until(self.reconnected, "the viewer is taken again")
        self.viewer.until_seen("3999", at)

        self.assertTrue(self.viewer.hello["resumed"])
        lines = self.viewer.output.split(b"\r\n")
        numbers = [int(line) for line in lines if re.fullmatch(rb"\d{4}", line)]
        self.assertEqual(numbers, list(range(1000, 4000)))
        self.goes_on()

    def reconnected(self) -> bool:
        try:
            self.viewer.reconnect()
        except (OSError, WebSocketException):
            return False
        return True

    def test_agent_killed(self) -> None:
        """
        Open consoles go on, and nobody opens new ones; the next agent goes on with them
        (more of that in L{tests.real.test_adoption}).
        """
        left = console_children_of(self.fleet.agent.pid)
        self.fleet.agent.kill()
        self.goes_on()
        until(lambda: self.fleet.api.ask(self.guest.uuid).status_code == 503, "it is missed")
        refused = self.fleet.api.ask(self.guest.uuid)
        self.assertIn(
            f"agent on host {self.fleet.host}", refused.json()["serviceUnavailable"]["message"]
        )
        self.fleet.agent = self.fleet.start("computeagent")
        until(lambda: self.fleet.api.ask(self.guest.uuid).status_code == 200, "it is back")

        self.assertEqual([pid for pid in left if not command_of(pid)], [])
        self.goes_on()
        second = Viewer(self, self.fleet.api.url(self.guest))
        second.type("echo second-$((6*7))\r")
        self.viewer.until_seen("second-42")

    def test_agent_stopped(self) -> None:
        """
        In an orderly way, and with its consoles: nothing is left, and the viewer is told.
        """
        self.fleet.agent.stop()

        self.viewer.until_closed()
        end = self.viewer.event("end")
        assert end is not None
        self.assertEqual(end["reason"], "leaving")
        self.assertEqual(self.fleet.api.ask(self.guest.uuid).status_code, 503)

    def test_terminal_killed(self) -> None:
        """
        Another one takes its place: the viewer comes back by its cookie, and is told that
        what it saw is gone.
        """
        listed = self.viewer.hello
        [terminal] = self.fleet.agent.children("ajaxterm")
        os.kill(terminal, signal.SIGKILL)

        self.viewer.until_closed()
        self.fleet.agent.until(self.reconnected, "the viewer is taken again")
        self.assertFalse(self.viewer.hello["resumed"])
        self.assertNotEqual(self.viewer.hello["resume"], listed["resume"])
        self.goes_on()
        # Who comes later meets those who were there.
        again = Viewer(self, self.fleet.api.url(self.guest))
        again.type("echo again-$((6*7))\r")
        self.viewer.until_seen("again-42")
        self.assertEqual(len(console_children_of(self.fleet.agent.pid)), 2)
