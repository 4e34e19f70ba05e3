"""
Every route, asked by everybody: strangers, an admin, a member and a reader of
the guest's project, a member of another project, and a user without any right.

A route that is not in the table below fails the test, until somebody has
thought about who may do what there.
"""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import sha256
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from consoleapi.ec2 import ACTIONS
from consoleapi.keys import Keys
from consoleapi.policy import Policy, Rule, Standing
from tests.consoleapi import signing
from tests.consoleapi.world import SERIAL, TOKEN, Answer, FakeHost, World, domain, uuid

ROLES = ("stranger", "admin", "member", "reader", "other", "nobody")
PUBLIC = (200, 200, 200, 200, 200, 200)
LISTS = (401, 200, 200, 200, 200, 200)
SEES = (401, 200, 200, 200, 404, 404)
OPENS = SEES
"""A reader gets a console to look at."""
TYPES = (401, 200, 200, 403, 404, 404)
"""Where C{rw} is asked for, or what concerns others is done."""
ENDS = (401, 202, 202, 403, 404, 404)


@dataclass(frozen=True)
class Row:
    """
    @ivar statuses: in the order of L{ROLES}.
    @ivar body: of the request, as JSON.
    """

    statuses: tuple[int, ...]
    body: Any = None


OUTPUT = {"os-getConsoleOutput": {}}
ACTION = {"os-getSerialConsole": {"type": "serial"}}
OPEN_RW = {"guest": uuid(1), "mode": "rw"}
OPEN_RO = {"guest": uuid(1), "mode": "ro"}

TABLE: dict[str, list[Row]] = {
    "GET /": [Row(PUBLIC)],
    "GET /openapi.json": [Row(PUBLIC)],
    "GET /lobby/{file}": [Row((404,) * 6)],  # of the names that guests have
    "GET /lobby/session": [Row(PUBLIC)],
    "POST /lobby/session": [Row((400,) * 6, {})],
    "DELETE /lobby/session": [Row(LISTS)],
    "GET /lobby/guests": [Row(LISTS)],
    "POST /lobby/consoles": [Row(TYPES, OPEN_RW), Row(OPENS, OPEN_RO)],
    "DELETE /lobby/guests/{guest}/consoles/{console}": [Row(TYPES)],
    "GET /v2.1": [Row(PUBLIC)],
    "GET /v2.1/servers": [Row(LISTS)],
    "GET /v2.1/servers/detail": [Row(LISTS)],
    "GET /v2.1/limits": [Row(LISTS)],
    "GET /v2.1/servers/{server}": [Row(SEES)],
    "POST /v2.1/servers/{server}/remote-consoles": [Row(OPENS, SERIAL)],
    "POST /v2.1/servers/{server}/action": [Row(OPENS, ACTION), Row(SEES, OUTPUT)],
    "POST /v2.1/servers/{server}/ajax_console": [Row(OPENS, {})],
    "GET /v2.1/servers/{server}/consoles": [Row(SEES)],
    "POST /v2.1/servers/{server}/consoles": [
        Row(OPENS, {}),
        Row(OPENS, {"console": {"mode": "ro"}}),
        Row(TYPES, {"console": {"mode": "rw"}}),
    ],
    "GET /v2.1/servers/{server}/consoles/{console}": [Row(SEES)],
    "DELETE /v2.1/servers/{server}/consoles/{console}": [Row(ENDS)],
    "GET /v2.1/servers/{server}/output": [Row(SEES)],
}

EC2: dict[str, tuple[int, ...]] = {
    "DescribeInstances": (403, 200, 200, 200, 400, 400),
    "GetConsoleOutput": (403, 200, 200, 200, 400, 400),
    "GetAjaxConsole": (403, 200, 200, 200, 400, 400),
}


def secret_of(role: str) -> str:
    return f"{role}-secret-{'x' * 20}"


def policy() -> Policy:
    project_a = (Rule("rw", owners=frozenset({"a"})),)
    project_b = (Rule("rw", owners=frozenset({"b"})),)
    return Policy(
        {
            "admin": Standing("admin"),
            "member": Standing("member", frozenset({"a"}), project_a),
            "reader": Standing("reader", frozenset({"a"}), project_a),
            "other": Standing("member", frozenset({"b"}), project_b),
        }
    )


class PermissionTests(SynchronousTestCase):
    def setUp(self) -> None:
        known = ROLES[1:]
        tokens = {sha256(secret_of(role).encode()).hexdigest(): role for role in known}
        ec2 = {f"AKID{role}": (role, secret_of(role)) for role in known}
        self.world = World(users={"x": "x"}, policy=policy(), keys=Keys(tokens, ec2))
        mine = {**domain(1, "guest-of-a"), "owner": "a"}
        self.host = FakeHost(self.world, "h1", mine, {**domain(2, "guest-of-b"), "owner": "b"})
        self.host.consoles = {"c1": (uuid(1), ["v1"])}
        self.host.output = b"said by the guest of a\n"
        self.world.start()
        self.world.later(3)

    def ask(self, method: str, template: str, body: Any, role: str) -> Answer:
        path = template.format(server=uuid(1), guest=uuid(1), console="c1", file=uuid(1))
        headers = {} if role == "stranger" else {"X-Auth-Token": secret_of(role)}
        how = {} if body is None else {"json": body}
        return self.world.ask(method, path, headers=headers, **how)

    def test_every_route(self) -> None:
        """
        Whoever may not, gets nothing, and nothing happens on the host.
        """
        for route in self.world.root.routes:
            if route.template == "/services/Cloud":
                continue  # has a table of its own
            key = f"{route.method} {route.template.replace('/v1.1', '/v2.1')}"
            self.assertIn(key, TABLE, "a new route: say in this table who may do what there")
            for row in TABLE[key]:
                for role, status in zip(ROLES, row.statuses, strict=True):
                    self.forget()
                    answer = self.ask(route.method, route.template, row.body, role)

                    what = f"{key} {row.body} by {role}: {answer.body[:200]!r}"
                    self.assertEqual(answer.status, status, what)
                    self.look(answer, role, what)

    def test_no_row_is_left_over(self) -> None:
        served = {f"{route.method} {route.template}" for route in self.world.root.routes}

        self.assertEqual([key for key in TABLE if key not in served], [])

    def test_every_action_of_ec2(self) -> None:
        self.assertEqual(set(ACTIONS), set(EC2), "say who may do what by this action")
        name = f"i-{uuid(1).replace('-', '')}"
        for action, statuses in EC2.items():
            for role, status in zip(ROLES, statuses, strict=True):
                self.forget()
                self.world.later(1)  # strangers are slowed down
                answer = signing.ask(
                    self.world,
                    action,
                    {"InstanceId.1": name},
                    access=f"AKID{role}",
                    secret=secret_of(role),
                    moment=self.world.now(),
                )

                what = f"{action} by {role}: {answer.body[:400]!r}"
                self.assertEqual(answer.status, status, what)
                self.look(answer, role, what)

    def test_lists_show_what_one_may_see(self) -> None:
        seen = {
            "admin": ["guest-of-a", "guest-of-b"],
            "member": ["guest-of-a"],
            "reader": ["guest-of-a"],
            "other": ["guest-of-b"],
            "nobody": [],
        }
        for role, names in seen.items():
            headers = {"X-Auth-Token": secret_of(role)}
            servers = self.world.get("/v2.1/servers", headers=headers).json["servers"]
            guests = self.world.get("/lobby/guests", headers=headers).json
            instances = signing.ask(
                self.world,
                "DescribeInstances",
                access=f"AKID{role}",
                secret=secret_of(role),
                moment=self.world.now(),
            ).body.decode()

            self.assertEqual([server["name"] for server in servers], names, role)
            self.assertEqual([guest["name"] for guest in guests["guests"]], names, role)
            self.assertEqual(guests["total"], len(names), role)
            for name in ("guest-of-a", "guest-of-b"):
                self.assertEqual(name in instances, name in names, role)

    def test_marker_tells_nothing(self) -> None:
        headers = {"X-Auth-Token": secret_of("other")}

        hidden = self.world.get(f"/v2.1/servers?marker={uuid(1)}", headers=headers)
        missing = self.world.get(f"/v2.1/servers?marker={uuid(9)}", headers=headers)

        self.assertEqual((hidden.status, missing.status), (400, 400))
        self.assertEqual(hidden.message.replace(uuid(1), uuid(9)), missing.message)

    def test_hidden_and_missing_look_alike(self) -> None:
        headers = {"X-Auth-Token": secret_of("other")}

        hidden = self.world.get(f"/v2.1/servers/{uuid(1)}", headers=headers)
        missing = self.world.get(f"/v2.1/servers/{uuid(9)}", headers=headers)

        self.assertEqual(hidden.message.replace(uuid(1), uuid(9)), missing.message)

    def forget(self) -> None:
        for done in (self.host.asked, self.host.closed, self.world.authorized):
            done.clear()

    def look(self, answer: Answer, role: str, what: str) -> None:
        """
        At what came of it.
        """
        if role in ("stranger", "other", "nobody"):
            self.assertEqual((self.host.asked, self.host.closed), ([], []), what)
            for words in (TOKEN, "guest-of-a", "said by", "user of v1"):
                self.assertNotIn(words, answer.body.decode(), what)
        if role == "reader":
            self.assertEqual({asked["mode"] for asked in self.host.asked} - {"ro"}, set(), what)
            self.assertEqual({told["mode"] for told in self.world.authorized} - {"ro"}, set())
            self.assertEqual(self.host.closed, [], what)
