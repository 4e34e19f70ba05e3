"""
The URL of a console, as OpenStack's clients ask for it.
"""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from consolebus.ibus import BadArguments, Broken, Conflict, NotFound, Refused, Unavailable
from tests.consoleapi.world import (
    DIGEST,
    GRANT,
    SECRET,
    SERIAL,
    TOKEN,
    Answer,
    FakeHost,
    World,
    console_of,
    domain,
    uuid,
)

ANN = ("ann", "right")


class ConsoleTestCase(SynchronousTestCase):
    def setUp(self) -> None:
        self.world = World(users=dict([ANN]))
        self.host = FakeHost(self.world, "h1", domain(1, "web1"))
        self.world.start()

    def ask(self, path: str = console_of(1), body: Any = SERIAL, **how: Any) -> Answer:
        return self.world.post(path, body, auth=ANN, **how)

    def asking(self, path: str) -> list[Answer]:
        return self.world.asking("POST", path, json=SERIAL, auth=ANN)


class OpenTests(ConsoleTestCase):
    """
    What is asked of the host, told the proxies, and answered.
    """

    def test_url(self) -> None:
        answer = self.ask()

        url = f"http://proxy.example:6083/?token={TOKEN}"
        self.assertEqual(answer.status, 200)
        self.assertEqual(
            answer.json, {"remote_console": {"protocol": "serial", "type": "serial", "url": url}}
        )

    def test_agent_is_asked_for_the_user(self) -> None:
        answer = self.ask()

        self.assertEqual(
            self.host.asked, [{"domain": uuid(1), "device": None, "mode": "rw", "user": "ann"}]
        )
        (context,) = self.host.contexts
        self.assertEqual(context.user, "ann")
        self.assertEqual(context.request_id, answer.header("X-OpenStack-Request-Id"))

    def test_proxies_learn_the_digest_and_not_the_token(self) -> None:
        self.ask()

        self.assertEqual(
            self.world.authorized,
            [
                {
                    "grant": GRANT,
                    "console": "c1",
                    "digest": DIGEST,
                    "host": "10.0.0.1",
                    "port": 10000,
                    "secret": SECRET,
                    "mode": "rw",
                    "user": "ann",
                    "expires_in": 600.0,
                }
            ],
        )

    def test_action_of_before_2_6(self) -> None:
        action = {"os-getSerialConsole": {"type": "serial"}}

        answer = self.ask(f"/v2.1/servers/{uuid(1)}/action", action)

        url = f"http://proxy.example:6083/?token={TOKEN}"
        self.assertEqual(answer.json, {"console": {"type": "serial", "url": url}})

    def test_websocket_urls_where_they_are_wanted(self) -> None:
        for proxy, expected in (("http://p/", "ws://p/"), ("https://p/x/", "wss://p/x/")):
            world = World(proxy_url=proxy, url_scheme="ws")
            FakeHost(world, "h1", domain(1, "web1"))
            world.start()

            url = world.post(console_of(1), SERIAL).json["remote_console"]["url"]

            self.assertEqual(url, f"{expected}?token={TOKEN}")

    def test_url_under_our_own_name_where_the_proxy_shares_our_port(self) -> None:
        world = World(proxy_url=None, base_path="/consoles/")
        FakeHost(world, "h1", domain(1, "web1"))
        world.start()

        answer = world.post(f"http://api.example:8080{console_of(1)}", SERIAL)

        url = answer.json["remote_console"]["url"]
        self.assertEqual(url, f"http://api.example:8080/consoles/?token={TOKEN}")

    def test_guest_on_its_way_is_asked_of_the_host_where_it_runs(self) -> None:
        there = FakeHost(self.world, "h2", domain(1, "web1"))
        self.host.domains = [domain(1, "web1", "shutoff")]
        self.host.tell()
        there.tell()
        self.world.settle()

        self.ask()

        self.assertEqual((len(self.host.asked), len(there.asked)), (0, 1))

    def test_guest_that_becomes_known_right_after_the_start(self) -> None:
        late = FakeHost(self.world, "late")
        late.domains = [domain(7, "late")]
        answers = self.asking(console_of(7))

        late.tell()

        self.assertEqual(self.world.answered(answers).status, 200)

    def test_waiting_for_a_guest_ends(self) -> None:
        answers = self.asking(console_of(7))
        self.assertEqual(answers, [])

        self.world.later(2.1)

        self.assertEqual(self.world.answered(answers).status, 404)

    def test_who_leaves_is_not_answered(self) -> None:
        self.host.pending = Deferred()
        asking = self.world.client.post(f"http://127.0.0.1{console_of(1)}", json=SERIAL, auth=ANN)
        self.world.settle()

        asking.cancel()
        self.failureResultOf(asking)
        self.host.pending.callback(self.host.answer)
        self.world.settle()

        self.assertEqual(len(self.host.asked), 1)

    def test_log_knows_no_secret(self) -> None:
        from twisted.logger import formatEvent, globalLogPublisher

        events: list[Any] = []
        globalLogPublisher.addObserver(events.append)
        self.addCleanup(globalLogPublisher.removeObserver, events.append)

        self.ask()
        self.world.post(console_of(1), SERIAL, auth=("ann", "wrong-password"))
        self.world.post(console_of(1), SERIAL, auth=("typed-into-the-wrong-field", "x"))

        said = " ".join(f"{formatEvent(event)} {event}" for event in events)
        self.assertIn("a console of web1", said)
        for secret in (TOKEN, SECRET, "wrong-password", "typed-into-the-wrong-field"):
            self.assertNotIn(secret, said)


class FailureTests(ConsoleTestCase):
    """
    Where it can't be opened, a sentence says why.
    """

    def test_what_an_agent_says(self) -> None:
        for failure, status, kind, message in (
            (NotFound("there is no guest x"), 404, "itemNotFound", "There is no guest x."),
            (
                Conflict("guest web1 is not running (shutoff); start it, then ask again"),
                409,
                "conflictingRequest",
                "Guest web1 is not running (shutoff); start it, then ask again.",
            ),
            (Unavailable("no port left"), 503, "serviceUnavailable", "No port left."),
            (BadArguments("mode is odd!"), 400, "badRequest", "Mode is odd!"),
            (Refused("not you"), 403, "forbidden", "Not you."),
            (Broken("it broke"), 500, "computeFault", "It broke."),
        ):
            self.host.failure = failure

            answer = self.ask()

            self.assertEqual((answer.status, answer.message), (status, message))
            self.assertEqual(list(answer.json), [kind])
        self.assertEqual(self.world.authorized, [])

    def test_no_agent(self) -> None:
        self.host.bus.stop()
        self.world.settle()

        answer = self.ask()

        self.assertEqual(answer.status, 503)
        self.assertIn("agent on host h1 does not answer", answer.message)

    def test_broker_away(self) -> None:
        self.world.broker.away()

        known, unknown = self.ask(), self.ask(console_of(7))

        self.assertEqual((known.status, unknown.status), (503, 503))
        self.assertIn("The message broker can't be reached now", known.message)
        self.assertIn("The message broker can't be reached now", unknown.message)

    def test_broker_back(self) -> None:
        self.world.broker.away()
        self.world.broker.back()
        self.world.settle()

        self.assertEqual(self.ask().status, 200)

    def test_host_that_hangs(self) -> None:
        self.host.pending = Deferred()
        answers = self.asking(console_of(1))

        self.world.later(19)
        self.assertEqual(answers, [])
        self.world.later(2)

        answer = self.world.answered(answers)
        self.assertEqual(answer.status, 504)
        self.assertIn("Host h1 did not answer within 20 seconds", answer.message)

    def test_answer_that_makes_no_sense(self) -> None:
        good = self.host.answer
        for bad in (
            None,
            {},
            [],
            {**good, "token": "x y"},
            {**good, "token": 7},
            {**good, "port": "10000"},
            {**good, "port": True},
            {**good, "secret": None},
        ):
            self.host.answer = bad

            answer = self.ask()

            self.assertEqual(answer.status, 500, bad)
            self.assertIn("makes no sense", answer.message)
        self.assertEqual(self.world.authorized, [])

    def test_bodies(self) -> None:
        for body, words in (
            (b"{", "not JSON"),
            (b"\xff", "not JSON"),
            (b"[" * 20000, "not JSON"),
            (b"NaN", "not JSON"),
            (b"[]", "not a JSON object"),
            (b"{}", "'remote_console' is a required property"),
            (b'{"remote_console": {"protocol": "serial"}}', "'type' is a required property"),
            (
                b'{"remote_console": {"protocol": "serial", "type": "serial", "x": 1}}',
                "Additional properties",
            ),
            (b'{"remote_console": {"protocol": "smoke", "type": "serial"}}', "not one of"),
            (
                b'{"remote_console": {"protocol": "vnc", "type": "novnc"}}',
                "Unavailable console type vnc",
            ),
            (
                b'{"remote_console": {"protocol": "serial", "type": "novnc"}}',
                "Unavailable console type novnc",
            ),
        ):
            kind = {"Content-Type": "application/json"}

            answer = self.world.ask("POST", console_of(1), data=body, headers=kind, auth=ANN)

            self.assertEqual(answer.status, 400, body[:50])
            self.assertIn(words, answer.message)
        self.assertEqual(self.host.asked, [])

    def test_actions(self) -> None:
        for body, words in (
            ({"reboot": {"type": "HARD"}}, "There is no such action: reboot"),
            ({}, "one property"),
            ({"a": 1, "b": 2}, "one property"),
            ({"os-getSerialConsole": None}, "not of type 'object'"),
            ({"os-getSerialConsole": {"type": "vnc"}}, "not one of"),
        ):
            answer = self.ask(f"/v2.1/servers/{uuid(1)}/action", body)

            self.assertEqual(answer.status, 400, body)
            self.assertIn(words, answer.message)

    def test_long_body(self) -> None:
        self.assertEqual(self.ask(body={"x": "y" * 70000}).status, 413)

    def test_other_methods(self) -> None:
        for method in ("GET", "PUT", "DELETE", "OPTIONS", "BREW"):
            answer = self.world.ask(method, console_of(1), auth=ANN)

            self.assertEqual((answer.status, answer.header("Allow")), (405, "POST"))


class ForgeryTests(ConsoleTestCase):
    """
    What a page elsewhere can make a browser send opens nothing.
    """

    BODY = b'{"remote_console": {"protocol": "serial", "type": "serial"}}'

    def test_only_json_opens_anything(self) -> None:
        for kind in (
            None,
            "text/plain",
            "application/x-www-form-urlencoded",
            "application/jsonp",
        ):
            headers = {} if kind is None else {"Content-Type": kind}

            answer = self.world.ask(
                "POST", console_of(1), data=self.BODY, headers=headers, auth=ANN
            )

            self.assertEqual(answer.status, 415, kind)
        self.assertEqual(self.host.asked, [])

    def test_form_with_parts_opens_nothing(self) -> None:
        kind = {"Content-Type": "multipart/form-data; boundary=x"}
        body = b'--x\r\nContent-Disposition: form-data; name="a"\r\n\r\nb\r\n--x--\r\n'

        answer = self.world.ask("POST", console_of(1), data=body, headers=kind, auth=ANN)

        self.assertEqual(answer.status, 415)
        self.assertEqual(self.host.asked, [])

    def test_json_with_a_charset_is_json(self) -> None:
        kind = {"Content-Type": "Application/JSON; charset=utf-8"}

        answer = self.world.ask("POST", console_of(1), data=self.BODY, headers=kind, auth=ANN)

        self.assertEqual(answer.status, 200)

    def test_foreign_page(self) -> None:
        answer = self.ask(headers={"Origin": "http://evil.example"})

        self.assertEqual(answer.status, 403)
        self.assertEqual(self.host.asked, [])

    def test_allowed_page(self) -> None:
        world = World(allowed_origin=["https://horizon.example"])
        FakeHost(world, "h1", domain(1, "web1"))
        world.start()

        answer = world.post(console_of(1), SERIAL, headers={"Origin": "https://horizon.example"})

        self.assertEqual(answer.status, 200)

    def test_name_that_is_not_ours(self) -> None:
        """
        As after DNS rebinding.
        """
        answer = self.ask(f"http://evil.example{console_of(1)}")

        self.assertEqual(answer.status, 403)
        self.assertIn("--allowed-host", answer.message)
