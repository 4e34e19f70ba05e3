"""
OpenStack's own clients, over three daemons and a real RabbitMQ: C{openstack}
of python-openstackclient, and openstacksdk.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from demo.guest import Guest
from tests.rabbit import MISSING as MISSING_RABBIT
from tests.rabbit import shared_rabbit
from tests.real.daemons import Fleet
from tests.real.known import known
from tests.real.page import SCREENSHOTS, Page
from tests.real.parts import MISSING, PATIENCE, browser, new_guest, shared_libvirt
from tests.real.viewer import Viewer, token_of

BIN = Path(sys.executable).parent

_LIST = """
import json, sys, openstack
cloud = openstack.connect(load_yaml_config=False)
json.dump([[s.name, s.id, s.status, s.compute_host] for s in cloud.compute.servers()], sys.stdout)
"""


class OpenStackTests(SynchronousTestCase):
    """
    What a user of OpenStack's clients gets.
    """

    skip = MISSING or MISSING_RABBIT

    def setUp(self) -> None:
        self.guest = new_guest(self, "web1")
        self.fleet = Fleet(self, shared_rabbit().url)
        self.fleet.until_active(self.guest)

    def run_client(
        self, *command: str, password: str | None = None
    ) -> subprocess.CompletedProcess[str]:
        """
        Run a program that logs in as C{ann}.  The password is in its environment,
        where the client looks for it; not in ours.
        """
        environment = {
            "PATH": os.environ["PATH"],
            "HOME": str(self.fleet.settings.parent),
            "NO_PROXY": "*",
            "OS_AUTH_TYPE": "http_basic",
            "OS_ENDPOINT": f"{self.fleet.api.root}v2.1/",
            "OS_USERNAME": Fleet.USER,
            "OS_PASSWORD": self.fleet.password if password is None else password,
        }
        return subprocess.run(
            command,
            env=environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=2 * PATIENCE,
        )

    def openstack(self, *words: str) -> Any:
        """
        @return: what C{openstack} printed, from JSON.
        """
        done = self.run_client(str(BIN / "openstack"), *words, "-f", "json")
        self.assertEqual(done.returncode, 0, done.stderr)
        return json.loads(done.stdout)

    def refused(self, *words: str, password: str | None = None) -> str:
        """
        @return: what C{openstack} complained about.
        """
        done = self.run_client(str(BIN / "openstack"), *words, password=password)
        self.assertNotEqual(done.returncode, 0, done.stdout)
        self.assertNotIn("Traceback", done.stderr)
        return done.stderr

    def test_url_leads_to_the_prompt(self) -> None:
        shown = self.openstack("console", "url", "show", "--serial", "web1")
        token_of(shown["url"])

        self.assertEqual((shown["protocol"], shown["type"]), ("serial", "serial"))
        with browser() as chromium:
            page = Page(chromium.new_page())
            page.open(shown["url"])
            page.log_in()
            page.type("echo $((6*7))\n")
            page.until_seen("^42$")
            SCREENSHOTS.mkdir(parents=True, exist_ok=True)
            page.tab.screenshot(path=SCREENSHOTS / "openstack.png")
            self.assertEqual(page.problems, [])

    def test_older_clients(self) -> None:
        """
        Before 2.6 the console was asked for by an action.
        """
        shown = self.openstack(
            "--os-compute-api-version", "2.1", "console", "url", "show", "--serial", "web1"
        )
        token_of(shown["url"])

        viewer = Viewer(self, shown["url"])
        viewer.log_in(self.guest)

    def test_guests_are_found(self) -> None:
        off = Guest(shared_libvirt(), "off1")
        off.define()
        self.addCleanup(off.undefine)
        self.fleet.consoleapi.until(
            lambda: self.fleet.api.status(off) == "SHUTOFF", "off1 is known"
        )

        shown = self.openstack("server", "show", "web1")
        listed = self.run_client(sys.executable, "-c", _LIST)

        self.assertEqual(
            (shown["id"], shown["name"], shown["status"]), (self.guest.uuid, "web1", "ACTIVE")
        )
        self.assertEqual(listed.returncode, 0, listed.stderr)
        found = [row for row in json.loads(listed.stdout) if row[0] in ("web1", "off1")]
        self.assertEqual(
            found,
            [
                ["off1", off.uuid, "SHUTOFF", self.fleet.host],
                ["web1", self.guest.uuid, "ACTIVE", self.fleet.host],
            ],
        )

    def test_what_goes_wrong_is_said(self) -> None:
        off = Guest(shared_libvirt(), "off1")
        off.define()
        self.addCleanup(off.undefine)
        self.fleet.consoleapi.until(
            lambda: self.fleet.api.status(off) == "SHUTOFF", "off1 is known"
        )
        ask = ("console", "url", "show", "--serial")
        wrong = known.add("password", "wrong-password")

        self.assertIn(
            "The user name or the password is wrong", self.refused(*ask, "web1", password=wrong)
        )
        self.assertIn("nobody1", self.refused(*ask, "nobody1"))
        self.assertIn("off1 is not running (shutoff)", self.refused(*ask, "off1"))
        self.assertIn(
            "Unavailable console type vnc", self.refused("console", "url", "show", "web1")
        )
        self.fleet.agent.stop()
        said = self.refused(*ask, "web1")
        self.assertIn(f"agent on host {self.fleet.host} does not answer", said)
