"""
Open consoles, over the OpenStack API: listed, shown, made and ended.
"""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from consolebus.ibus import (
    BusAway,
    BusFailure,
    DeadlineExceeded,
    NobodyThere,
    NotFound,
    Unavailable,
)
from tests.consoleapi.world import SECRET, TOKEN, FakeHost, World, domain, uuid

SERVER = f"/v2.1/servers/{uuid(1)}"
URL = f"http://proxy.example:6083/?token={TOKEN}"


class OpenConsolesTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.world = World()
        self.host = FakeHost(self.world, "h1", domain(1, "web1"), domain(2, "web2"))
        self.host.consoles = {"c1": (uuid(1), ["v1"]), "c2": (uuid(2), [])}
        self.world.start()

    def test_list_has_those_of_that_guest(self) -> None:
        (console,) = self.world.get(f"{SERVER}/consoles").json["consoles"]

        self.assertEqual(
            console,
            {
                "id": "c1",
                "device": "serial0",
                "state": "live",
                "viewers": [{"name": "v1", "user": "user of v1", "mode": "rw"}],
            },
        )

    def test_show(self) -> None:
        self.assertEqual(self.world.get(f"{SERVER}/consoles/c1").json["console"]["id"], "c1")
        self.assertEqual(self.world.get(f"{SERVER}/consoles/c2").status, 404)
        self.assertEqual(self.world.get(f"{SERVER}/consoles/cx").status, 404)

    def test_listing_opens_nothing(self) -> None:
        """
        What opens a console is in no list (GHSA-3g72-chj4-2228).
        """
        for path in (f"{SERVER}/consoles", f"{SERVER}/consoles/c1"):
            body = self.world.get(path).body.decode()

            self.assertNotIn(TOKEN, body)
            self.assertNotIn(SECRET, body)

    def test_create(self) -> None:
        wanted = {"console": {"device": "serial1", "mode": "ro"}}

        console = self.world.post(f"{SERVER}/consoles", wanted).json["console"]

        self.assertEqual(
            console,
            {"id": "c1", "device": "serial0", "mode": "ro", "url": URL, "expires_in": 600.0},
        )
        (asked,) = self.host.asked
        self.assertEqual((asked["device"], asked["mode"]), ("serial1", "ro"))

    def test_create_in_short(self) -> None:
        self.assertEqual(self.world.post(f"{SERVER}/consoles", {}).json["console"]["mode"], "rw")

    def test_create_what_is_odd(self) -> None:
        for body in (
            {"console": 1},
            {"console": {"mode": "w"}},
            {"console": {"device": ""}},
            {"console": {"more": 1}},
            {"more": 1},
        ):
            self.assertEqual(self.world.post(f"{SERVER}/consoles", body).status, 400, body)
        self.assertEqual(self.host.asked, [])

    def test_delete(self) -> None:
        answer = self.world.ask("DELETE", f"{SERVER}/consoles/c1")

        self.assertEqual((answer.status, answer.body), (202, b""))
        self.assertEqual(self.host.closed, ["c1"])

    def test_delete_of_another_guests_console(self) -> None:
        self.assertEqual(self.world.ask("DELETE", f"{SERVER}/consoles/c2").status, 404)
        self.assertEqual(self.host.closed, [])

    def ending(self, state: str, failure: BusFailure) -> None:
        """
        Open another console of the first guest, which does not tell who is there.
        """
        self.host.consoles["c3"] = (uuid(1), [])
        self.host.states = {"c3": state}
        self.host.unseen = {"c3": failure}

    def listed(self) -> list[str]:
        return [one["id"] for one in self.world.get(f"{SERVER}/consoles").json["consoles"]]

    def test_one_that_ends_hides_no_other(self) -> None:
        """
        A logout may take it a while, and it may end while the list is made.
        """
        for state, failure in (("closing", Unavailable("ending")), ("live", NotFound("ended"))):
            self.ending(state, failure)

            self.assertEqual(self.listed(), ["c1"])
            self.assertEqual(self.world.get(f"{SERVER}/consoles/c1").status, 200)
            self.assertEqual(self.world.get(f"{SERVER}/consoles/c3").status, 404)

    def test_one_that_is_ending_may_be_ended(self) -> None:
        """
        Who asks for that waits until it is done.
        """
        self.ending("closing", Unavailable("ending"))

        answer = self.world.ask("DELETE", f"{SERVER}/consoles/c3")

        self.assertEqual((answer.status, self.host.closed), (202, ["c3"]))

    def test_one_that_hangs_is_listed(self) -> None:
        """
        So whoever closes what is listed can get rid of it.
        """
        self.ending("live", Unavailable("it does not answer"))

        self.assertEqual(self.listed(), ["c1", "c3"])
        console = self.world.get(f"{SERVER}/consoles/c3").json["console"]
        self.assertEqual((console["state"], console["viewers"]), ("live", []))

    def test_agent_that_goes_while_it_tells(self) -> None:
        """
        Then nothing is known, and not: nothing is open.
        """
        for failure, status in (
            (NobodyThere("gone"), 503),
            (BusAway("gone"), 503),
            (DeadlineExceeded("late"), 504),
        ):
            self.ending("closing", failure)

            self.assertEqual(self.world.get(f"{SERVER}/consoles").status, status)

    def test_ajax_console(self) -> None:
        """
        The way in which consoles were asked for when they came to OpenStack.
        """
        answer = self.world.post(f"/v1.1/servers/{uuid(1)}/ajax_console", {})

        self.assertEqual(answer.json, {"console": {"type": "ajax", "url": URL}})

    def test_output_is_told_byte_for_byte(self) -> None:
        self.host.output = b"\x1b[31m\xff\r\n"

        answer = self.world.get(f"{SERVER}/output")

        self.assertEqual(answer.body, b"\x1b[31m\xff\r\n")
        self.assertEqual(answer.header("Content-Type"), "application/octet-stream")

    def test_agent_that_is_gone(self) -> None:
        self.host.bus.stop()
        self.world.settle()

        self.assertEqual(self.world.get(f"{SERVER}/consoles").status, 503)
