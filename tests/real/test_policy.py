"""
What a member and a reader get from a real guest, and what they lose; the audit
log of it; and the example for curl.
"""

from __future__ import annotations

import json
import os
import signal
from typing import Any

import requests
from twisted.trial.unittest import SynchronousTestCase

from tests.real.clients import POLICY, Stand
from tests.real.known import known
from tests.real.parts import MISSING, PATIENCE, ROOT, until
from tests.real.viewer import Viewer, token_of


class PolicyTests(SynchronousTestCase):
    skip = MISSING

    def setUp(self) -> None:
        self.stand = Stand(self, guests=2)

    def ask(self, user: str, uuid: str, **console: str) -> requests.Response:
        with requests.Session() as session:
            session.trust_env = False
            answer = session.post(
                f"{self.stand.root}v2.1/servers/{uuid}/consoles",
                json={"console": console},
                headers={"X-Auth-Token": self.stand.tokens[user]},
                timeout=PATIENCE,
            )
        if answer.status_code == 200:
            token_of(answer.json()["console"]["url"])
        return answer

    def url(self, user: str, **console: str) -> str:
        return str(self.ask(user, self.stand.guest.uuid, **console).json()["console"]["url"])

    def audited(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.stand.audit.read_text().splitlines()]

    def test_guest_of_others_does_not_exist(self) -> None:
        assert self.stand.other is not None

        self.assertEqual(self.ask("bob", self.stand.other.uuid).status_code, 404)
        self.assertEqual(self.ask("ann", self.stand.other.uuid).status_code, 200)

    def test_reader_sees_and_can_not_type(self) -> None:
        typist = Viewer(self, self.url("bob"))
        typist.log_in(self.stand.guest)
        reader = Viewer(self, self.url("eve"))

        reader.type("echo typed-by-$((6*7))\r")
        typist.type("echo done-$((6*7))\r")
        typist.until_seen("done-42")
        reader.until_seen("done-42")

        self.assertEqual(reader.hello["mode"], "ro")
        self.assertNotIn(b"typed-by-42", typist.output)
        self.assertEqual(self.ask("eve", self.stand.guest.uuid, mode="rw").status_code, 403)

    def test_right_that_is_lost_ends_what_is_open(self) -> None:
        """
        Within seconds of the file's change, by a file that replaces it; one that
        does not parse changes nothing.
        """
        viewer = Viewer(self, self.url("bob"))
        admin = Viewer(self, self.url("ann"))
        self.stand.policy.write_text("this is no policy")
        self.stand.daemon.until_logged("What it said before stays in force")
        self.assertEqual(self.ask("bob", self.stand.guest.uuid).status_code, 200)

        fresh = self.stand.policy.with_suffix(".new")
        fresh.write_text(POLICY.replace('["web*"]', '["nothing"]'))
        os.replace(fresh, self.stand.policy)

        self.assertEqual(viewer.until_closed(), 4003)
        self.assertEqual(self.ask("bob", self.stand.guest.uuid).status_code, 404)
        admin.log_in(self.stand.guest)

    def test_audit(self) -> None:
        viewer = Viewer(self, self.url("bob"))
        viewer.log_in(self.stand.guest)
        viewer.close()
        until(lambda: '"viewer_left"' in self.stand.audit.read_text(), "it is audited")

        lines = self.audited()
        events = [line["event"] for line in lines if line.get("name") == "web1"]
        self.assertEqual(
            events[:2], ["console", "opened"] if events[0] == "console" else ["opened", "console"]
        )
        granted = next(line for line in lines if line["event"] == "console")
        self.assertEqual((granted["user"], granted["way"]), ("bob", "token"))
        left = next(line for line in lines if line["event"] == "viewer_left")
        self.assertEqual(left["user"], "bob")
        self.assertGreater(left["typed"], 10)
        self.assertGreater(left["offset"], 100)
        known.search("the audit log", self.stand.audit.read_text())
        moved = self.stand.audit.rename(self.stand.audit.with_suffix(".1"))
        os.kill(self.stand.daemon.pid, signal.SIGHUP)
        self.stand.daemon.until(self.stand.audit.exists, "it is reopened")
        self.ask("bob", self.stand.guest.uuid)
        until(lambda: '"console"' in self.stand.audit.read_text(), "it goes on there")
        self.assertEqual(len(moved.read_text().splitlines()), len(lines))

    def test_example_for_curl(self) -> None:
        curlrc = self.stand.directory / "curlrc"
        curlrc.write_text(f'header = "X-Auth-Token: {self.stand.tokens["bob"]}"\n')
        viewer = Viewer(self, self.url("bob"))
        viewer.log_in(self.stand.guest)

        done = self.stand.run(
            str(ROOT / "docs/examples/consoles.sh"),
            self.stand.root,
            self.stand.guest.uuid,
            CURLRC=str(curlrc),
        )

        self.assertEqual((done.returncode, done.stderr), (0, ""), done.stdout)
        answers = [json.loads(x) for x in done.stdout.splitlines() if x.startswith("{")]
        token_of(answers[0]["console"]["url"])
        token_of(answers[1]["console"]["url"])
        self.assertEqual(answers[2]["consoles"][0]["viewers"][0]["user"], "bob")
        self.assertIn("rate", answers[5]["limits"])
        self.assertEqual(answers[-1], {"consoles": []})
        self.assertEqual(viewer.until_closed(), 1000)
