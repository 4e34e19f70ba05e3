"""
C{nova}, C{openstack} and openstacksdk, unmodified, in every way that they log
in without Keystone.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from tests.real.clients import Stand
from tests.real.daemons import AllInOne
from tests.real.parts import MISSING, PATIENCE, new_guest
from tests.real.viewer import Viewer, token_of

BIN = Path(sys.executable).parent

_SDK = """
import json, sys, openstack
cloud = openstack.connect(load_yaml_config=False)
compute = cloud.compute
server = compute.find_server("web1")
json.dump({
    "servers": [s.name for s in compute.servers(limit=1)],
    "active": [s.name for s in compute.servers(details=True, status="ACTIVE")],
    "console": compute.create_console(server, "serial"),
    "output": compute.get_server_console_output(server, length=20),
}, sys.stdout)
"""


class ClientsTests(SynchronousTestCase):
    skip = MISSING

    def setUp(self) -> None:
        self.stand = Stand(self)
        viewer = Viewer(self, self.stand.daemon.api.url(self.stand.guest))
        viewer.log_in(self.stand.guest)
        viewer.type("echo told-$((6*7))\r")
        viewer.until_seen("told-42")

    def login(self, kind: str) -> dict[str, str]:
        common = {"OS_ENDPOINT": f"{self.stand.root}v2.1/"}
        if kind == "admin_token":
            return {**common, "OS_AUTH_TYPE": kind, "OS_TOKEN": self.stand.tokens["bob"]}
        return {
            **common,
            "OS_AUTH_TYPE": "http_basic",
            "OS_USERNAME": "bob",
            "OS_PASSWORD": self.stand.passwords["bob"],
        }

    def openstack(self, kind: str, *words: str) -> str:
        done = self.stand.run(str(BIN / "openstack"), *words, **self.login(kind))
        self.assertEqual(done.returncode, 0, done.stderr)
        return done.stdout

    def nova(self, *words: str) -> str:
        done = self.stand.run(
            *(str(BIN / "nova"), "--os-endpoint-override", f"{self.stand.root}v2.1/"),
            *words,
            **self.login("http_basic"),
            OS_PROJECT_NAME="any",
            OS_AUTH_URL="http://127.0.0.1:1/",
        )
        self.assertEqual(done.returncode, 0, done.stderr)
        return done.stdout

    def leads_to_the_prompt(self, url: str) -> None:
        token_of(url)
        viewer = Viewer(self, url)
        at = len(viewer.output)
        viewer.type("echo again-$((6*7))\r")
        viewer.until_seen("again-42", at)

    def test_openstack(self) -> None:
        for kind in ("http_basic", "admin_token"):
            show = ("console", "url", "show", "--serial", "web1", "-f", "json")
            url = json.loads(self.openstack(kind, *show))["url"]
            token_of(url)
            log = self.openstack(kind, "console", "log", "show", "--lines", "5", "web1")
            server = json.loads(self.openstack(kind, "server", "show", "web1", "-f", "json"))

            self.leads_to_the_prompt(url)
            self.assertIn("told-42", log)
            self.assertLessEqual(len(log.splitlines()), 6)
            self.assertEqual(server["status"], "ACTIVE")

    def test_nova(self) -> None:
        listed = self.nova("list")
        table = self.nova("get-serial-console", "web1")
        url = next(word for word in table.split() if "token=" in word)
        token_of(url)
        log = self.nova("console-log", "--length", "5", "web1")
        older = self.nova("--os-compute-api-version", "2.1", "get-serial-console", "web1")
        token_of(next(word for word in older.split() if "token=" in word))

        self.assertIn("web1", listed)
        self.assertIn("ACTIVE", listed)
        self.leads_to_the_prompt(url)
        self.assertIn("told-42", log)
        self.assertIn("POST", self.nova("limits"))

    def test_sdk(self) -> None:
        for kind in ("http_basic", "admin_token"):
            done = self.stand.run(sys.executable, "-c", _SDK, **self.login(kind))

            self.assertEqual(done.returncode, 0, done.stderr)
            told: dict[str, Any] = json.loads(done.stdout)
            self.leads_to_the_prompt(told["console"]["url"])
            self.assertIn("web1", told["servers"])
            self.assertIn("web1", told["active"])
            self.assertIn("told-42", told["output"]["output"])

    def test_what_a_member_does_not_see(self) -> None:
        done = self.stand.run(
            *(str(BIN / "openstack"), "server", "show", "secret1"), **self.login("http_basic")
        )

        self.assertNotEqual(done.returncode, 0)
        self.assertIn("No Server found for secret1", done.stderr)


class NobodyTests(SynchronousTestCase):
    """
    Where everybody may, on this machine alone.
    """

    skip = MISSING

    def test_none(self) -> None:
        guest = new_guest(self, "web1")
        console = AllInOne(self)
        console.until_active(guest)
        words = {
            "PATH": os.environ["PATH"],
            "NO_PROXY": "*",
            "OS_AUTH_TYPE": "none",
            "OS_ENDPOINT": f"{console.api.root}v2.1",
        }

        def run(*command: str) -> Any:
            done = subprocess.run(
                command, env=words, capture_output=True, text=True, timeout=2 * PATIENCE
            )
            self.assertEqual(done.returncode, 0, done.stderr)
            return json.loads(done.stdout)

        show = ("console", "url", "show", "--serial", "web1", "-f", "json")
        url = run(str(BIN / "openstack"), *show)["url"]
        token_of(url)
        viewer = Viewer(self, url)
        viewer.log_in(guest)
        told = run(sys.executable, "-c", _SDK)
        token_of(told["console"]["url"])

        self.assertEqual(told["servers"], ["web1"])
        again = Viewer(self, told["console"]["url"])
        again.type("echo again-$((6*7))\r")
        again.until_seen("again-42")
