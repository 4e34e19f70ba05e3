"""
Who may ask, and what every answer bears.
"""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from tests.consoleapi.world import FakeHost, World, console_of, domain


class LogInTests(SynchronousTestCase):
    """
    HTTP basic authentication.
    """

    def setUp(self) -> None:
        self.world = World(users={"ann": "right", "Zoë": "pässwörd: with a colon"})
        FakeHost(self.world, "h1", domain(1, "web1"))
        self.world.start()

    def test_right_password(self) -> None:
        self.assertEqual(self.world.get("/v2.1/servers", auth=("ann", "right")).status, 200)

    def test_unicode(self) -> None:
        name, password = "Zoë".encode(), "pässwörd: with a colon".encode()

        answer = self.world.get("/v2.1/servers", auth=(name, password))

        self.assertEqual(answer.status, 200)

    def test_nobody(self) -> None:
        for path in ("/v2.1/servers", "/v2.1/servers/x", "/v2.1/nonsense"):
            answer = self.world.get(path)

            self.assertEqual(answer.status, 401)
            self.assertIn("unauthorized", answer.json)
            self.assertTrue((answer.header("WWW-Authenticate") or "").startswith("Basic "))

    def test_wrong_password_and_unknown_user_look_alike(self) -> None:
        wrong = self.world.get("/v2.1/servers", auth=("ann", "wrong"))
        unknown = self.world.get("/v2.1/servers", auth=("bob", "right"))

        self.assertEqual((wrong.status, unknown.status), (401, 401))
        self.assertEqual(wrong.body, unknown.body)

    def test_garbage(self) -> None:
        for header in (
            "Basic",
            "Basic !!!",
            "Basic YW5u",  # no colon
            "Basic /w==",
            "Bearer x",
            "Basic " + "A" * 5000,
        ):
            answer = self.world.get("/v2.1/servers", headers={"Authorization": header})

            self.assertEqual(answer.status, 401, header[:20])

    def test_token_of_keystones_means_nothing(self) -> None:
        answer = self.world.get("/v2.1/servers", headers={"X-Auth-Token": "notused"})

        self.assertEqual(answer.status, 401)

    def test_log_in_comes_before_the_body(self) -> None:
        answer = self.world.ask("POST", console_of(1), data=b"{")

        self.assertEqual(answer.status, 401)


class MannerTests(SynchronousTestCase):
    """
    What every answer bears, the bad ones too.
    """

    def test_strict_headers(self) -> None:
        world = World(users={"ann": "right"})

        for path in ("/", "/v2.1/", "/v2.1/servers", "/nothing", "http://evil.example/"):
            answer = world.get(path)

            self.assertEqual(answer.header("Cache-Control"), "no-store")
            self.assertEqual(answer.header("X-Content-Type-Options"), "nosniff")
            self.assertEqual(answer.header("Referrer-Policy"), "no-referrer")
            self.assertIn("default-src 'none'", answer.header("Content-Security-Policy") or "")
            self.assertIsNone(answer.header("Access-Control-Allow-Origin"))

    def test_headers_that_are_no_text(self) -> None:
        world = World(users={"ann": "right"})

        for name, status in (
            ("X-Auth-Token", 401),
            ("Authorization", 401),
            ("Cookie", 401),
            ("Accept", 200),
            ("OpenStack-API-Version", 200),
            ("X-OpenStack-Nova-API-Version", 400),
        ):
            path = "/v2.1" if status != 401 else "/v2.1/servers"
            for each in (path, "/lobby/guests", "/services/Cloud"):
                answer = world.get(each, headers={name: b"\xff\xfe"})

                self.assertLess(answer.status, 500, (name, each))
                if each == path:
                    self.assertEqual(answer.status, status, name)

    def test_request_has_a_name(self) -> None:
        answers = [World().get("/v2.1/") for _ in range(2)]

        names = [answer.header("X-OpenStack-Request-Id") or "" for answer in answers]
        self.assertRegex(names[0], r"^req-[0-9a-f-]{36}$")
        self.assertNotEqual(*names)

    def test_our_own_mistake_is_told_without_a_traceback(self) -> None:
        world = World()
        world.resource._room = None  # type: ignore[assignment]

        answer = world.get("/")

        self.assertEqual(answer.status, 500)
        self.assertIn("Something went wrong", answer.message)
        self.assertNotIn("NoneType", answer.message)
        self.assertEqual(len(self.flushLoggedErrors(AttributeError)), 1)
