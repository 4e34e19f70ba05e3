"""
Finding guests as OpenStack's clients do.
"""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from consoleapi.policy import Policy, Rule, Standing
from tests.consoleapi.world import FakeHost, World, domain, uuid


class ListTests(SynchronousTestCase):
    """
    C{GET /v2.1/servers} and C{/servers/detail}.
    """

    def setUp(self) -> None:
        self.world = World()
        FakeHost(
            self.world,
            "h1",
            domain(1, "web1"),
            domain(2, "web2", "shutoff"),
            domain(3, "db", "paused"),
        )
        FakeHost(self.world, "h2", domain(4, "web1"))
        self.world.start()

    def names(self, query: str) -> list[str]:
        answer = self.world.get(f"/v2.1/servers{query}")
        self.assertEqual(answer.status, 200, answer.body)
        return [server["name"] for server in answer.json["servers"]]

    def test_all(self) -> None:
        self.assertEqual(self.names(""), ["db", "web1", "web1", "web2"])

    def test_brief_has_no_more_than_nova_gives(self) -> None:
        server = self.world.get("/v2.1/servers").json["servers"][0]

        self.assertEqual(set(server), {"id", "name", "links"})

    def test_same_name_on_two_hosts_is_two_guests(self) -> None:
        answer = self.world.get("/v2.1/servers/detail?name=web1")

        found = [(s["id"], s["OS-EXT-SRV-ATTR:host"]) for s in answer.json["servers"]]
        self.assertEqual(found, [(uuid(1), "h1"), (uuid(4), "h2")])

    def test_name_is_searched_for(self) -> None:
        self.assertEqual(self.names("?name=web"), ["web1", "web1", "web2"])
        self.assertEqual(self.names("/?name=^db$"), ["db"])

    def test_nothing_fits(self) -> None:
        self.world.later(3)

        self.assertEqual(self.names("/detail/?name=nothing"), [])

    def test_status_and_host(self) -> None:
        self.world.later(3)

        self.assertEqual(self.names("?status=shutoff"), ["web2"])
        self.assertEqual(self.names("?status=ACTIVE&status=PAUSED&host=h1"), ["db", "web1"])
        self.assertEqual(self.names("?status=NONSENSE"), [])
        self.assertEqual(self.names("?host=%0A&uuid=%0A"), [])

    def test_uuid(self) -> None:
        self.assertEqual(self.names(f"?uuid={uuid(3).upper()}"), ["db"])

    def test_what_is_not_understood_is_passed_over(self) -> None:
        self.assertEqual(len(self.names("?all_tenants=True&sort_key=x&flavor=7&x")), 4)

    def test_nothing_that_was_deleted_is_kept(self) -> None:
        self.world.later(3)

        self.assertEqual(self.names("?deleted=True"), [])
        self.assertEqual(len(self.names("?deleted=False")), 4)

    def test_pages(self) -> None:
        """
        A client that follows the links sees every guest once.
        """
        path, seen = "/v2.1/servers/detail?limit=3&name=.", []
        while path:
            answer = self.world.get(path).json
            seen += [server["id"] for server in answer["servers"]]
            links = answer.get("servers_links", [])
            path = links[0]["href"] if links else ""

        self.assertEqual(seen, [uuid(3), uuid(1), uuid(4), uuid(2)])

    def test_limit_zero_is_no_limit(self) -> None:
        self.assertEqual(len(self.names("?limit=0")), 4)

    def test_limit_that_is_none(self) -> None:
        for limit in ("-1", "x", "1.5", "9" * 30):
            self.assertEqual(self.world.get(f"/v2.1/servers?limit={limit}").status, 400)

    def test_marker_that_is_unknown(self) -> None:
        for marker in (uuid(99), "x"):
            answer = self.world.get(f"/v2.1/servers?marker={marker}")

            self.assertEqual((answer.status, answer.message), (400, f"marker [{marker}] not found"))

    def test_query_that_is_not_utf8(self) -> None:
        self.assertEqual(self.world.get("/v2.1/servers?name=%ff").status, 400)

    def test_guest_that_becomes_known_right_after_the_start(self) -> None:
        """
        Who asks while agents still introduce themselves gets what they tell.
        """
        late = FakeHost(self.world, "late")
        late.domains = [domain(7, "late")]
        answers = self.world.asking("GET", "/v2.1/servers?name=late")
        self.assertEqual(answers, [])

        late.tell()

        (server,) = self.world.answered(answers).json["servers"]
        self.assertEqual(server["name"], "late")


class MemberTests(SynchronousTestCase):
    """
    Lists of who may not see everything: what they see is remembered, and yet
    follows what changes.
    """

    def setUp(self) -> None:
        self.world = World()
        self.host = FakeHost(self.world, "h1")
        self.world.start()
        self.world.later(3)
        self.allow("a")

    def allow(self, owner: str) -> None:
        rule = Rule("rw", owners=frozenset({owner}))
        self.world.accounts.policy_changed(
            Policy({"anonymous": Standing("member", rules=(rule,))}),
        )

    def tell(self, *owners: str) -> None:
        self.host.domains = [
            domain(number, f"web{number}") | {"owner": owner} for number, owner in enumerate(owners)
        ]
        self.host.tell()
        self.world.settle()

    def names(self, query: str = "") -> list[str]:
        answer = self.world.get(f"/v2.1/servers{query}").json
        return [server["name"] for server in answer["servers"]]

    def test_guest_that_gets_another_owner(self) -> None:
        self.tell("a", "b", "a")
        before = self.names()

        self.tell("b", "a", "a")

        self.assertEqual((before, self.names()), (["web0", "web2"], ["web1", "web2"]))

    def test_policy_that_changes(self) -> None:
        self.tell("a", "b", "a")
        before = self.names()

        self.allow("b")

        self.assertEqual((before, self.names()), (["web0", "web2"], ["web1"]))

    def test_page_after_a_marker(self) -> None:
        self.tell("a", "b", "a", "b", "a")

        self.assertEqual(self.names(f"?marker={uuid(2)}"), ["web4"])
        self.assertEqual(self.names(f"?marker={uuid(0)}&name=web[24]"), ["web2", "web4"])


class ShowTests(SynchronousTestCase):
    """
    C{GET /v2.1/servers/ID}.
    """

    def setUp(self) -> None:
        self.world = World()
        self.host = FakeHost(self.world, "h1", domain(0xAB, "web1"))
        self.world.start()

    def show(self) -> dict[str, str]:
        server: dict[str, str] = self.world.get(f"/v2.1/servers/{uuid(0xAB)}").json["server"]
        return server

    def test_has_what_clients_read(self) -> None:
        server = self.show()

        self.assertEqual(
            (server["id"], server["name"], server["status"]), (uuid(0xAB), "web1", "ACTIVE")
        )
        self.assertEqual(server["OS-EXT-SRV-ATTR:host"], "h1")
        self.assertEqual(server["OS-EXT-STS:vm_state"], "active")
        self.assertRegex(server["updated"], r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$")

    def test_flavor_is_embedded_since_2_47(self) -> None:
        path = f"/v2.1/servers/{uuid(0xAB)}"

        old = self.world.get(path, headers={"X-OpenStack-Nova-API-Version": "2.46"})
        new = self.world.get(path, headers={"X-OpenStack-Nova-API-Version": "2.47"})

        self.assertIn("id", old.json["server"]["flavor"])
        self.assertIn("original_name", new.json["server"]["flavor"])

    def test_uuid_in_any_case(self) -> None:
        answer = self.world.get(f"/v2.1/servers/{uuid(0xAB).upper()}/")

        self.assertEqual((answer.status, answer.json["server"]["id"]), (200, uuid(0xAB)))

    def test_states_in_novas_words(self) -> None:
        for state, status in {
            "running": "ACTIVE",
            "paused": "PAUSED",
            "shutoff": "SHUTOFF",
            "crashed": "ERROR",
            "suspended": "SUSPENDED",
            "unknown": "UNKNOWN",
            "something new": "UNKNOWN",
        }.items():
            self.host.domains = [domain(0xAB, "web1", state)]
            self.host.tell()
            self.world.settle()

            self.assertEqual(self.show()["status"], status)

    def test_state_on_a_silent_host_is_unknown(self) -> None:
        self.world.later(91)

        self.assertEqual(self.show()["status"], "UNKNOWN")

    def test_name_is_no_id(self) -> None:
        """
        The client then looks for the name in the list.
        """
        answer = self.world.get("/v2.1/servers/web1")

        self.assertEqual(answer.status, 404)
        self.assertEqual(answer.message, "Instance web1 could not be found.")
        self.assertIn("itemNotFound", answer.json)

    def test_unknown_guest(self) -> None:
        self.world.later(3)

        answer = self.world.get(f"/v2.1/servers/{uuid(9)}")

        self.assertEqual(answer.status, 404)
        self.assertEqual(answer.message, f"Instance {uuid(9)} could not be found.")

    def test_running_one_of_a_guest_on_two_hosts(self) -> None:
        """
        While it migrates; whichever host told last.
        """
        there = FakeHost(self.world, "h2", domain(0xAB, "web1", "paused"))
        there.tell()
        self.world.settle()

        before = self.show()["OS-EXT-SRV-ATTR:host"]
        self.host.domains = [domain(0xAB, "web1", "shutoff")]
        there.domains = [domain(0xAB, "web1", "running")]
        there.tell()
        self.host.tell()
        self.world.settle()
        after = self.show()["OS-EXT-SRV-ATTR:host"]

        self.assertEqual((before, after), ("h1", "h2"))

    def test_unknown_paths(self) -> None:
        for path in ("/v2.1/flavors", "/v2.1/servers/a/b", "/v2.1//", "/v2.10", "/v2.1/servers//"):
            answer = self.world.get(path)

            self.assertEqual(answer.status, 404, path)
            self.assertIn("itemNotFound", answer.json)
