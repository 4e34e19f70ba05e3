"""
Logging in at the lobby.
"""

from __future__ import annotations

import bcrypt
from twisted.trial.unittest import SynchronousTestCase

from tests.consoleapi.world import Answer, FakeHost, World, domain, uuid


class SessionTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.world = World(users={"ann": "right", "bob": "b"})
        self.host = FakeHost(self.world, "h1", domain(1, "web1"))
        self.world.start()

    def log_in(self, password: str = "right", **how: object) -> Answer:
        return self.world.post("/lobby/session", {"user": "ann", "password": password}, **how)

    def with_session(self, answer: Answer, csrf: str | None = None) -> dict[str, str]:
        cookie = (answer.header("Set-Cookie") or "").partition(";")[0]
        return {"Cookie": cookie, "X-CSRF-Token": answer.json["csrf"] if csrf is None else csrf}

    def open(self, headers: dict[str, str]) -> int:
        return self.world.post("/lobby/consoles", {"guest": uuid(1)}, headers=headers).status

    def test_cookie(self) -> None:
        cookie = self.log_in().header("Set-Cookie") or ""

        self.assertRegex(cookie, r"^ajaxconsole=[\w-]{43}; Path=/; HttpOnly; SameSite=Lax$")

    def test_cookie_under_tls(self) -> None:
        answer = self.world.post(
            "https://127.0.0.1/lobby/session", {"user": "ann", "password": "right"}
        )

        cookie = answer.header("Set-Cookie") or ""
        self.assertRegex(cookie, r"^__Secure-ajaxconsole=.*; Secure$")

    def test_session(self) -> None:
        headers = self.with_session(self.log_in())

        answer = self.world.get("/lobby/guests", headers=headers)

        self.assertEqual((answer.status, answer.json["user"]), (200, "ann"))
        self.assertEqual(self.open(headers), 200)
        self.assertEqual(self.host.asked[0]["user"], "ann")

    def test_page_that_is_loaded_again(self) -> None:
        nobody = self.world.get("/lobby/session").json
        answer = self.log_in()
        found = self.world.get("/lobby/session", headers=self.with_session(answer)).json

        self.assertEqual(found, {"user": "ann", "csrf": answer.json["csrf"]})
        self.assertEqual(nobody, {"user": None, "csrf": ""})

    def test_without_its_token_it_changes_nothing(self) -> None:
        answer = self.log_in()

        for csrf in ("", "x", "\u00e4"):
            self.assertEqual(self.open(self.with_session(answer, csrf)), 403)
        self.assertEqual(self.host.asked, [])

    def test_session_is_for_the_lobby_alone(self) -> None:
        headers = self.with_session(self.log_in())

        self.assertEqual(self.world.get("/v2.1/servers", headers=headers).status, 401)

    def test_log_out(self) -> None:
        headers = self.with_session(self.log_in())

        answer = self.world.ask("DELETE", "/lobby/session", headers=headers)

        self.assertIn("Max-Age=0", answer.header("Set-Cookie") or "")
        self.assertEqual(self.world.get("/lobby/guests", headers=headers).status, 401)

    def test_foreign_page_logs_nobody_out(self) -> None:
        headers = self.with_session(self.log_in(), "")

        answer = self.world.ask("DELETE", "/lobby/session", headers=headers)

        self.assertEqual(answer.status, 403)
        self.assertEqual(self.world.get("/lobby/guests", headers=headers).status, 200)

    def test_it_ends_unused(self) -> None:
        headers = self.with_session(self.log_in())

        for seconds, status in ((3000, 200), (3000, 200), (3700, 401)):
            self.world.later(seconds)
            self.host.tell()
            self.assertEqual(self.world.get("/lobby/guests", headers=headers).status, status)

    def test_it_ends_with_its_password(self) -> None:
        headers = self.with_session(self.log_in())

        self.world.accounts.users_changed({"ann": bcrypt.hashpw(b"new", bcrypt.gensalt(4))})

        self.assertEqual(self.world.get("/lobby/guests", headers=headers).status, 401)

    def test_wrong_passwords_take_longer_and_longer(self) -> None:
        statuses = [self.log_in("wrong").status for _ in range(4)]
        waiting = self.log_in()
        self.world.later(1)
        right = self.log_in()

        self.assertEqual(statuses, [401, 401, 401, 429])
        self.assertEqual((waiting.status, waiting.header("Retry-After")), (429, "1"))
        self.assertEqual(right.status, 200)

    def test_they_double(self) -> None:
        waits = []
        for _ in range(10):
            answer = self.log_in("wrong")
            if answer.status == 401:
                answer = self.log_in("wrong")
            wait = int(answer.header("Retry-After") or 0)
            waits.append(wait)
            self.world.later(wait)

        self.assertEqual(waits, [0, 1, 2, 4, 8, 16, 32, 60, 60, 60])

    def test_other_users_are_not_kept_out(self) -> None:
        for _ in range(4):
            self.log_in("wrong")

        answer = self.world.get("/v2.1/servers", auth=("bob", "b"))

        self.assertEqual(answer.status, 200)

    def test_odd_bodies(self) -> None:
        for body in ({}, {"user": "ann"}, {"user": 1, "password": "x"}, {"user": "a", "more": 1}):
            self.assertEqual(self.world.post("/lobby/session", body).status, 400)
        self.assertEqual(self.log_in(headers={"Origin": "http://evil.example"}).status, 403)
