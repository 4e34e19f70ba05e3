"""
The lobby: its page, what the page asks, and which of two a visitor of C{/} gets.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from twisted.trial.unittest import SynchronousTestCase
from twisted.web.http_headers import Headers

import consoleapi
from consoleapi.policy import Policy, Standing
from consoleapi.root import prefers_html
from consolebus.ibus import Conflict
from tests.consoleapi.world import TOKEN, Answer, FakeHost, World, domain, uuid

HTML = {"Accept": "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"}


class NegotiationTests(SynchronousTestCase):
    """
    Browsers get the lobby, programs the versions.
    """

    def prefers(self, *accept: str) -> bool:
        return prefers_html(Headers({"Accept": list(accept)}))

    def test_browsers(self) -> None:
        self.assertTrue(self.prefers(HTML["Accept"]))
        self.assertTrue(self.prefers("application/json;q=0.5", "TEXT/HTML ; Q=0.6"))

    def test_programs(self) -> None:
        for accept in (
            "application/json",
            "*/*",
            "",
            "text/*",
            "text/html;q=0",
            "text/html;q=x",
            "text/html;q=0.4, application/json",
        ):
            self.assertFalse(self.prefers(accept), accept)
        self.assertFalse(prefers_html(Headers()))


class PageTests(SynchronousTestCase):
    """
    The page and what it is made of.
    """

    def setUp(self) -> None:
        self.world = World(users={"ann": "right"})

    def test_what_is_in_it_is_for_who_is_logged_in(self) -> None:
        """
        The page itself asks for a password then, so the browser must not.
        """
        answer = self.world.get("/lobby/guests")

        self.assertEqual(answer.status, 401)
        self.assertEqual(answer.header("WWW-Authenticate"), 'FormBased realm="ajaxconsole"')

    def test_page(self) -> None:
        answer = self.world.get("/", headers=HTML, auth=("ann", "right"))

        self.assertEqual(answer.status, 200)
        self.assertEqual(answer.header("Content-Type"), "text/html; charset=utf-8")
        self.assertEqual(answer.header("Vary"), "Accept")
        policy = answer.header("Content-Security-Policy") or ""
        self.assertIn("default-src 'none'; script-src 'self'; style-src 'self'", policy)
        self.assertNotIn("unsafe", policy)

    def test_page_is_made_of_what_is_served(self) -> None:
        """
        By relative paths, so that it works below any prefix; and without any
        script or style inside, which its policy forbids.
        """
        page = self.world.get("/", headers=HTML, auth=("ann", "right")).body.decode()

        paths = re.findall(r'(?:src|href)="([^"]+)"', page)
        self.assertEqual(sorted(paths), ["lobby/icon.svg", "lobby/lobby.css", "lobby/lobby.js"])
        for path in [*paths, *(f"lobby/{name}.js" for name in ("row", "login", "asking"))]:
            self.assertEqual(self.world.get(f"/{path}").status, 200, path)
        self.assertNotRegex(page, r"<style|style=|<script>|\son[a-z]+=")

    def test_nothing_else_is_served(self) -> None:
        for path in (
            "/lobby/",
            "/lobby/lobby.html",
            "/lobby/x",
            "/lobby/../tap.py",
            "/favicon.ico",
        ):
            answer = self.world.get(path, auth=("ann", "right"))

            self.assertEqual(answer.status, 404, path)

    def test_what_it_is_made_of_is_read_only(self) -> None:
        self.assertEqual(self.world.post("/lobby/lobby.js", {}).status, 405)

    def test_mistyped_address_is_answered_in_html(self) -> None:
        answer = self.world.get("/nothing<b>", headers=HTML)

        self.assertEqual(answer.status, 404)
        self.assertIn(b"There is nothing at this address.", answer.body)

    def test_files_are_shipped(self) -> None:
        """
        What is in the folder is package data.
        """
        settings = (Path(consoleapi.__file__).parent.parent / "setup.cfg").read_text()

        self.assertIn("lobby/*", settings)


class GuestsTests(SynchronousTestCase):
    """
    The table.
    """

    def setUp(self) -> None:
        self.world = World()
        self.host = FakeHost(
            self.world,
            "h1",
            domain(1, "web1", "running", "serial0", "serial1"),
            domain(2, "web2", "shutoff"),
            {**domain(3, "mute"), "devices": []},
            domain(4, "db", "crashed"),
        )
        self.world.start()

    def guests(self, query: str = "") -> dict[str, Any]:
        answer = self.world.get(f"/lobby/guests{query}")
        self.assertEqual(answer.status, 200, answer.body)
        return {guest["name"]: guest for guest in answer.json["guests"]}

    def test_table(self) -> None:
        self.assertEqual(
            self.guests()["web1"],
            {
                "id": uuid(1),
                "name": "web1",
                "host": "h1",
                "state": "running",
                "devices": ["serial0", "serial1"],
                "mode": "rw",
                "consoles": [],
                "closed": "",
            },
        )

    def test_why_a_console_cant_be_opened(self) -> None:
        why = {name: guest["closed"] for name, guest in self.guests().items()}

        self.assertEqual(
            why,
            {
                "web1": "",
                "web2": "The guest is not running",
                "mute": "The guest has no serial device that can be used",
                "db": "The guest is not running",
            },
        )

    def test_libvirt_away(self) -> None:
        self.host.away, self.host.domains = "connection refused", None
        self.host.tell()
        self.world.settle()

        self.assertEqual(
            self.guests()["web1"]["closed"], "Host h1 can't reach its libvirt: connection refused"
        )

    def test_silent_host(self) -> None:
        self.world.later(91)

        self.assertIn("not been heard of", self.guests()["web1"]["closed"])

    def test_who_is_on_it(self) -> None:
        self.host.console_is("opened", "c1", 1)
        self.host.console_is("viewer_came", "c1", 1, viewer="v1", user="ann")
        self.host.console_is("viewer_came", "c1", 1, viewer="v2", user="bob")
        self.host.console_is("viewer_left", "c1", 1, viewer="v1", user="ann")
        self.world.settle()
        during = self.guests()["web1"]
        self.host.console_is("closed", "c1", 1, reason="idle")
        self.world.settle()
        after = self.guests()["web1"]

        self.assertEqual(
            during["consoles"],
            [{"id": "c1", "device": "serial0", "viewers": 1, "users": ["bob"]}],
        )
        self.assertEqual(after["consoles"], [])

    def test_filter(self) -> None:
        self.assertEqual(set(self.guests("?filter=WEB")), {"web1", "web2"})
        self.assertEqual(set(self.guests("?filter=web%20h1%20running")), {"web1"})
        self.assertEqual(set(self.guests(f"?filter={uuid(4)}")), {"db"})

    def test_counts(self) -> None:
        answer = self.world.get("/lobby/guests?filter=web").json

        self.assertEqual((answer["total"], answer["fitting"]), (4, 2))
        self.assertEqual(answer["user"], "anonymous")

    def test_long_list_is_cut(self) -> None:
        self.host.domains = [domain(number, f"guest{number:05}") for number in range(1200)]
        self.host.tell()
        self.world.settle()

        answer = self.world.get("/lobby/guests").json

        self.assertEqual((answer["total"], len(answer["guests"])), (1200, 500))

    def test_why_there_is_none(self) -> None:
        """
        As far as that is known; and to those alone who see everything.
        """
        world = World()
        world.start()
        world.later(3)
        unheard = world.get("/lobby/guests").json
        host = FakeHost(world, "h9")
        host.away, host.domains = "connection refused", None
        host.tell()
        world.settle()
        away = world.get("/lobby/guests").json
        world.accounts.policy_changed(Policy(others=Standing("member")))
        hidden = world.get("/lobby/guests").json
        some = self.world.get("/lobby/guests?filter=nonsense").json

        self.assertIn("No agent has been heard of", unheard["why"])
        self.assertEqual(away["why"], "Host h9 can't reach its libvirt: connection refused")
        self.assertEqual((hidden["why"], some["why"]), ("", ""))

    def test_nothing_known_while_the_broker_is_away(self) -> None:
        world = World()
        world.broker.away()
        world.start()

        answer = world.get("/lobby/guests")

        self.assertEqual(answer.status, 503)
        self.assertIn("message broker", answer.message)


class OpenTests(SynchronousTestCase):
    """
    The button.
    """

    def setUp(self) -> None:
        self.world = World(url_scheme="ws")
        self.host = FakeHost(self.world, "h1", domain(1, "web1"))
        self.world.start()

    def open(self, **words: Any) -> Answer:
        return self.world.post("/lobby/consoles", {"guest": uuid(1), **words})

    def test_url_is_one_for_browsers(self) -> None:
        """
        Also where clients of the API are given C{ws://}.
        """
        answer = self.open()

        url = f"http://proxy.example:6083/?token={TOKEN}"
        self.assertEqual(
            answer.json,
            {"url": url, "device": "serial0", "mode": "rw", "lifetime": 600.0},
        )

    def test_device_and_mode(self) -> None:
        self.open(device="serial1", mode="ro")

        (asked,) = self.host.asked
        self.assertEqual((asked["device"], asked["mode"]), ("serial1", "ro"))
        self.assertEqual(self.world.authorized[0]["mode"], "ro")

    def test_refusal(self) -> None:
        self.host.failure = Conflict("guest web1 is not running")

        answer = self.open()

        self.assertEqual((answer.status, answer.message), (409, "Guest web1 is not running."))

    def test_odd_requests(self) -> None:
        for words in (
            {"guest": "web1"},
            {"guest": None},
            {"device": 7},
            {"mode": "w"},
            {"mode": ["rw"]},
            {"more": 1},
        ):
            self.assertEqual(self.open(**words).status, 400, words)
        self.assertEqual(self.host.asked, [])

    def test_guest_that_is_gone(self) -> None:
        self.world.later(3)

        self.assertEqual(self.open(guest=uuid(9)).status, 404)

    def test_only_json_from_our_own_pages(self) -> None:
        form = self.world.ask("POST", "/lobby/consoles", data={"guest": uuid(1)})
        foreign = self.world.post(
            "/lobby/consoles", {"guest": uuid(1)}, headers={"Origin": "http://evil.example"}
        )
        read = self.world.get("/lobby/consoles")

        self.assertEqual((form.status, foreign.status, read.status), (415, 403, 404))
        self.assertEqual(self.host.asked, [])
