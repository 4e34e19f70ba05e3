"""
How often one may ask.
"""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from consoleapi.faults import Fault
from consoleapi.ratelimits import RateLimits, parse_limit
from tests.consoleapi.world import NOW, FakeHost, World, console_of, domain, uuid


class LimitsTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.world = World(
            users={"ann": "a", "bob": "b"},
            rate_limits=[parse_limit("POST .*/remote-consoles 2/minute")],
        )
        FakeHost(self.world, "h1", domain(1, "web1"))
        self.world.start()

    def ask(self, user: str) -> int:
        body = {"remote_console": {"protocol": "serial", "type": "serial"}}
        return self.world.post(console_of(1), body, auth=(user, user[0])).status

    def test_too_often(self) -> None:
        statuses = [self.ask("ann") for _ in range(3)]
        answer = self.world.post(console_of(1), {}, auth=("ann", "a"))

        self.assertEqual(statuses, [200, 200, 429])
        self.assertEqual((answer.status, answer.header("Retry-After")), (429, "30"))
        self.assertIn("overLimit", answer.json)

    def test_others_are_not_touched(self) -> None:
        statuses = [self.ask("ann") for _ in range(3)]

        self.assertEqual((statuses[-1], self.ask("bob")), (429, 200))
        self.assertEqual(self.world.get("/v2.1/servers", auth=("ann", "a")).status, 200)

    def test_after_waiting(self) -> None:
        statuses = [self.ask("ann") for _ in range(3)]
        self.world.later(30)

        self.assertEqual([*statuses, self.ask("ann"), self.ask("ann")], [200, 200, 429, 200, 429])

    def test_what_is_left_is_told(self) -> None:
        before = self.world.get("/v2.1/limits", auth=("ann", "a")).json["limits"]
        self.ask("ann")
        self.ask("ann")
        (after,) = self.world.get("/v2.1/limits", auth=("ann", "a")).json["limits"]["rate"]

        self.assertEqual(before["absolute"], {})
        self.assertEqual(before["rate"][0]["limit"][0]["remaining"], 2)
        self.assertEqual(
            after["limit"],
            [
                {
                    "verb": "POST",
                    "value": 2,
                    "remaining": 0,
                    "unit": "MINUTE",
                    "next-available": "2027-01-15T08:00:30Z",
                }
            ],
        )

    def test_memory_has_an_end(self) -> None:
        limits = RateLimits(lambda: 0.0, lambda: NOW, [parse_limit("GET .* 1/minute")])
        limits.MOST = 10
        for number in range(20):
            limits.count(f"user{number}", "GET", "/")

        self.assertRaises(Fault, limits.count, "user19", "GET", "/")
        limits.count("user0", "GET", "/")

    def test_settings(self) -> None:
        for text in ("POST 1/minute", "post .* 1/minute", "POST ( 1/minute", "POST .* 0/minute"):
            self.assertRaises(ValueError, parse_limit, text)

    def test_paths_are_those_of_any_id(self) -> None:
        self.ask("ann")
        self.ask("ann")
        answer = self.world.post(f"/v2.1/servers/{uuid(9)}/remote-consoles", {}, auth=("ann", "a"))

        self.assertEqual(answer.status, 429)
