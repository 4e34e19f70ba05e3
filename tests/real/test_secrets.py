"""
No secret is in a log, a command line or an environment.

Every real test records what secrets it meets, and each daemon is searched for
all of them when it ends (L{tests.real.known}).  Here every kind is met, and canaries
are planted: things that look like secrets, sent where they are refused.
"""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
from typing import Any

import requests
from twisted.trial.unittest import SynchronousTestCase
from websockets.exceptions import WebSocketException
from websockets.sync.client import connect

from tests.rabbit import MISSING as NO_RABBIT
from tests.rabbit import Rabbit
from tests.real.daemons import Fleet
from tests.real.known import Known, Leak, known
from tests.real.parts import MISSING, PATIENCE, ROOT, command_of, listening_ports, new_guest, until
from tests.real.viewer import Viewer, exchange

CANARY = "Canary7Q"


class SearchTests(SynchronousTestCase):
    """
    The search itself: it finds what is there.
    """

    def setUp(self) -> None:
        self.known = Known()
        self.known.add("token", "abc/def+ghi")

    def test_in_a_text(self) -> None:
        self.known.search("a log", "nothing here, abc/def")
        self.assertRaises(Leak, self.known.search, "a log", "GET /?token=abc/def+ghi HTTP/1.1")
        self.assertRaises(Leak, self.known.search, "a log", "GET /?token=abc%2Fdef%2Bghi")

    def test_in_processes(self) -> None:
        waiting = [sys.executable, "-c", "import time; time.sleep(60)"]
        for command, environment in (
            ([*waiting, "abc/def+ghi"], {}),
            (waiting, {"KEY": "abc/def+ghi"}),
        ):
            child = subprocess.Popen(command, env=environment)
            self.addCleanup(child.wait)
            self.addCleanup(child.kill)
            # A process that is just becoming another shows neither for a moment.
            until(lambda: command_of(child.pid), "it is what it is to be")  # noqa: B023
            self.assertRaises(Leak, self.known.search_processes, [child.pid])

    def test_what_is_too_short_to_look_for(self) -> None:
        self.assertRaises(ValueError, self.known.add, "token", "short")


class SecretTests(SynchronousTestCase):
    """
    A fleet in which everything is logged.
    """

    skip = MISSING or NO_RABBIT

    def setUp(self) -> None:
        self.rabbit = Rabbit(password=known.add("broker's password", f"{CANARY}broker"))
        self.addCleanup(self.rabbit.stop)
        self.rabbit.start()
        self.guest = new_guest(self, "secret1")
        self.fleet = Fleet(self, self.rabbit.url, agent_log_level="debug")
        self.fleet.until_active(self.guest)
        self.daemons = (self.fleet.agent, self.fleet.proxy, self.fleet.consoleapi)

    def test_none_is_found(self) -> None:
        self.listen_to_the_bus()
        viewer = Viewer(self, self.fleet.api.url(self.guest))
        viewer.log_in(self.guest)
        keys = known.add("keystroke", f"{CANARY}keys")
        viewer.type(f"echo {keys} | tr a-z A-Z\r")
        viewer.until_seen(known.add("output", f"{CANARY}keys".upper()))
        requests.get(f"{viewer.place}log", headers=viewer.headers, timeout=PATIENCE)
        self.plant_canaries(viewer)
        searched = 0
        for daemon in self.daemons:
            daemon.search()
            searched += known.search_processes([daemon.pid])
        [terminal] = self.fleet.agent.children("ajaxterm")
        [socat] = self.fleet.agent.children("socat")
        searched += known.search_processes([terminal, socat])

        self.assertEqual(searched, 5)
        wanted = {"token", "cookie", "secret", "resume key", "password", "broker's password"}
        self.assertLessEqual(wanted | {"keystroke", "output", "canary"}, known.kinds())
        # All of it passed through, and something was logged of it.
        self.fleet.agent.until_logged("Grant ")
        self.assertIn("secret1", self.fleet.agent.log)

    def listen_to_the_bus(self) -> None:
        """
        And have a grant be made that it hears of.
        """
        ear = subprocess.Popen(
            [sys.executable, "-m", "tests.real.eavesdrop"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            cwd=ROOT,
            text=True,
        )
        self.addCleanup(ear.wait)
        self.addCleanup(ear.kill)
        assert ear.stdin is not None and ear.stdout is not None
        ear.stdin.write(self.rabbit.url + "\n")
        ear.stdin.flush()
        self.assertEqual(json.loads(ear.stdout.readline()), {})
        self.fleet.api.url(self.guest)
        heard: dict[str, Any] = json.loads(ear.stdout.readline())
        known.add("secret", heard["secret"])

    def plant_canaries(self, viewer: Viewer) -> None:
        """
        What looks like a secret, in every place that takes one.
        """
        proxy = f"http://127.0.0.1:{self.fleet.proxy_port}/"
        api = self.fleet.api.root

        def canary(name: str) -> str:
            return known.add("canary", f"{CANARY}{name}".ljust(43, "z"))

        exchange(f"{proxy}?token={canary('token')}")
        exchange(f"{proxy}?token=x&token={canary('second')}")
        exchange(f"{proxy}elsewhere/?token={canary('elsewhere')}")
        exchange(f"{api}?token={canary('api')}")
        grant = viewer.place.rstrip("/").rpartition("/")[2]
        for headers in (
            {"Cookie": f"ajaxconsole-{grant}={canary('cookie')}"},
            {"Cookie": viewer.headers["Cookie"] + canary("appended")},
            {"Authorization": f"Bearer {canary('bearer')}"},
            {"Referer": f"{proxy}?token={canary('referer')}"},
            {"X-Auth-Token": canary("keystone")},
        ):
            requests.get(viewer.place, headers=headers, timeout=PATIENCE)
            requests.get(f"{api}v2.1/servers", headers=headers, timeout=PATIENCE)
        for auth in ((canary("name"), "x"), ("ann", canary("password")), ("ann", canary("Z") * 9)):
            requests.get(f"{api}v2.1/servers", auth=auth, timeout=PATIENCE)
        [port] = listening_ports(self.fleet.agent.children("ajaxterm"))
        requests.get(
            f"http://127.0.0.1:{port}/",
            headers={"Authorization": f"Bearer {canary('secret')}"},
            timeout=PATIENCE,
        )
        for place in (f"ws://127.0.0.1:{self.fleet.proxy_port}/?token={canary('ws')}",):
            with contextlib.suppress(WebSocketException):
                connect(place, proxy=None, open_timeout=PATIENCE)
        resuming = Viewer(self, self.fleet.api.url(self.guest), resume=canary("resume"))
        resuming.close()
        requests.post(
            f"{api}v2.1/servers/{canary('uuid')}/remote-consoles",
            auth=("ann", self.fleet.password),
            data='{"' + canary("body") + '": 1}',
            headers={"Content-Type": "application/json"},
            timeout=PATIENCE,
        )
