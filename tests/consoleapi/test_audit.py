"""
The audit log.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from consoleapi.audit import Audit
from consoleapi.policy import Policy, Rule, Standing
from consolebus.ibus import Conflict
from tests.consoleapi.world import (
    GRANT,
    SECRET,
    SERIAL,
    TOKEN,
    FakeHost,
    World,
    console_of,
    domain,
    uuid,
)

BOB = ("bob", "bobs-password")


class AuditTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.path = Path(self.mktemp())
        rule = Rule("rw", uuids=frozenset({uuid(1)}))
        self.world = World(
            users=dict([BOB]),
            policy=Policy({"bob": Standing("member", frozenset(), (rule,))}),
            audit=str(self.path),
        )
        self.host = FakeHost(self.world, "h1", domain(1, "web1"), domain(2, "web2"))
        self.world.start()
        self.addCleanup(self.world.audit.close)

    def lines(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.path.read_text().splitlines()]

    def test_granted(self) -> None:
        self.world.post(console_of(1), SERIAL, auth=BOB)

        (line,) = self.lines()
        request_id = line.pop("request_id")
        self.assertEqual(
            line,
            {
                "seq": 1,
                "time": "2027-01-15T08:00:00.000Z",
                "monotonic": 0.0,
                "event": "console",
                "outcome": "granted",
                "user": "bob",
                "way": "password",
                "address": line["address"],
                "guest": uuid(1),
                "name": "web1",
                "host": "h1",
                "mode": "rw",
                "grant": GRANT,
                "console": "c1",
                "device": "serial0",
            },
        )
        self.assertEqual(self.host.contexts[0].request_id, request_id)

    def test_refused_failed_and_wrong(self) -> None:
        self.world.later(3)
        self.world.post(console_of(2), SERIAL, auth=BOB)
        self.host.failure = Conflict("it is off")
        self.world.post(console_of(1), SERIAL, auth=BOB)
        self.world.post(console_of(1), SERIAL, auth=("bob", "typed-wrong"))

        told = [(line["event"], line["outcome"], line["why"]) for line in self.lines()]
        self.assertEqual(
            told,
            [
                ("guest", "refused", "The policy does not show this guest to that user."),
                ("console", "failed", "it is off"),
                ("login", "refused", "wrong user name or password"),
            ],
        )

    def test_what_agents_tell(self) -> None:
        self.host.console_is("viewer_came", "c1", 1, viewer="v1", user="bob")
        self.host.console_is("viewer_left", "c1", 1, viewer="v1", user="bob", offset=5, typed=7)
        self.host.console_is("closed", "c1", 1, reason="idle", outcome="out", secret="x")
        self.world.settle()

        lines = self.lines()
        self.assertEqual(
            [line["event"] for line in lines], ["viewer_came", "viewer_left", "closed"]
        )
        self.assertEqual(
            (lines[1]["guest"], lines[1]["offset"], lines[1]["typed"]), (uuid(1), 5, 7)
        )
        self.assertEqual(lines[2]["outcome"], "out")
        self.assertNotIn("secret", lines[2])

    def test_no_secret_is_in_it(self) -> None:
        self.world.post(console_of(1), SERIAL, auth=BOB)
        self.world.get("/v2.1/servers", headers={"X-Auth-Token": "a-token-unknown"})

        for secret in (TOKEN, SECRET, BOB[1], "a-token-unknown"):
            self.assertNotIn(secret, self.path.read_text())

    def test_order_and_times(self) -> None:
        for _ in range(3):
            self.world.post(console_of(1), SERIAL, auth=BOB)
            self.world.later(1)

        lines = self.lines()
        self.assertEqual([line["seq"] for line in lines], [1, 2, 3])
        self.assertEqual([line["monotonic"] for line in lines], [0.0, 1.0, 2.0])

    def test_reopened_after_it_was_moved(self) -> None:
        self.world.audit.write("one")
        moved = self.path.rename(self.path.with_suffix(".1"))
        self.world.audit.write("two")
        self.world.audit.reopen()
        self.world.audit.write("three")

        self.assertEqual(moved.read_text().count("\n"), 2)
        self.assertEqual([line["event"] for line in self.lines()], ["three"])

    def test_readable_by_us_alone(self) -> None:
        self.assertEqual(self.path.stat().st_mode & 0o777, 0o600)

    def test_reopening_in_vain_goes_on_with_the_old_one(self) -> None:
        self.world.audit._path = "/nonexistent/audit"
        self.world.audit.reopen()
        self.world.audit.write("still")

        self.assertEqual([line["event"] for line in self.lines()], ["still"])

    def test_none(self) -> None:
        audit = Audit(None, lambda: 0.0, lambda: 0.0)
        audit.write("x")
        audit.reopen()
        audit.close()
