"""
Tests for the door of an ajaxterm that stands alone: token, cookie, Host and Origin.
"""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from ajaxterm.web import OwnDoor
from tests.ajaxterm.stage import Stage
from tests.websocket import SocketClient

HOST = {"Host": "127.0.0.1:8080"}
COOKIE = {"Cookie": "ajaxterm-8080=good", **HOST}
OURS = "http://127.0.0.1:8080"


class OwnDoorTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.stage = Stage(door=lambda grants: OwnDoor(grants, 8080, ["console.example"]))
        self.stage.grant("good")

    def status(self, path: str, **headers: str) -> int:
        return self.stage.ask("GET", path, headers={**HOST, **headers}).status

    def dial(self, target: str = "/ws", **headers: str) -> SocketClient:
        host = headers.pop("Host", "127.0.0.1:8080")
        client = SocketClient(target, headers, host=host)
        self.stage.wire.connect(client)
        return client

    def test_token_becomes_a_cookie(self) -> None:
        """
        The printed URL leads to the page; the token is out of the address bar then.
        """
        answer = self.stage.ask("GET", "/?token=good", headers=HOST)

        self.assertEqual((answer.status, answer.headers["location"]), (303, "./"))
        cookie = answer.headers["set-cookie"]
        self.assertEqual(cookie, "ajaxterm-8080=good; HttpOnly; SameSite=Lax; Path=/")
        self.assertEqual(self.status("/", Cookie=cookie.partition(";")[0]), 200)

    def test_wrong_token(self) -> None:
        """
        403, and no cookie.
        """
        for path in ("/?token=wrong", "/?token=", "/?token=good&token=good", "/", "/log"):
            answer = self.stage.ask("GET", path, headers=HOST)
            self.assertEqual(answer.status, 403)
            self.assertNotIn("set-cookie", answer.headers)

    def test_cookie_opens_everything(self) -> None:
        """
        Page, files and log come by the cookie.
        """
        for path in ("/", "/assets/page-1.js", "/log"):
            self.assertEqual(self.stage.ask("GET", path, headers=COOKIE).status, 200)

    def test_cookie_among_others(self) -> None:
        """
        Cookies of other programs on this machine come along, some of them malformed.
        """
        for line in (
            "a=1; ajaxterm-8080=good; b=2",
            'x={"a": "b, c"}; ajaxterm-8080=good',
            "nonsense; =; ajaxterm-8080=good",
            'ajaxterm-8080="good"',
            "ajaxterm-8080=old; ajaxterm-8080=good",
        ):
            self.assertEqual(self.status("/", Cookie=line), 200, line)
        for line in ("ajaxterm-8081=good", "ajaxterm=good", "xajaxterm-8080=good", "good"):
            self.assertEqual(self.status("/", Cookie=line), 403, line)

    def test_token_beside_an_old_cookie(self) -> None:
        """
        A cookie that an earlier ajaxterm left on the same port does not shut out a token.
        """
        self.assertEqual(self.status("/log?token=good", Cookie="ajaxterm-8080=old"), 200)

    def test_foreign_host_is_refused(self) -> None:
        """
        A page at evil.example whose name suddenly means 127.0.0.1 gets nothing (DNS
        rebinding), not even with the token.
        """
        for host in ("evil.example:8080", "evil.example", "127.0.0.1.evil.example", ""):
            for path in ("/", "/log", "/?token=good", "/ws"):
                answer = self.stage.ask("GET", path, headers={**COOKIE, "Host": host})
                self.assertIn(answer.status, (400, 403), (host, path))
                self.assertNotIn("set-cookie", answer.headers)
        self.assertEqual(self.dial(Host="evil.example", Cookie=COOKIE["Cookie"]).refused, 403)

    def test_our_hosts(self) -> None:
        """
        Addresses, localhost and the name that we listen on are ours.
        """
        for host in ("127.0.0.1:8080", "localhost:8080", "[::1]:8080", "console.example:8080"):
            answer = self.stage.ask("GET", "/", headers={**COOKIE, "Host": host})
            self.assertEqual(answer.status, 200, host)

    def test_foreign_page_opens_no_socket(self) -> None:
        """
        A page of another origin, though its user has the cookie, is refused.
        """
        for origin in (
            "http://evil.example",
            "http://127.0.0.1:9999",
            "null",
            "",
            f"{OURS}/",
            f"{OURS}.evil.example",
        ):
            client = self.dial(Cookie=COOKIE["Cookie"], Origin=origin)
            self.assertEqual(client.refused, 403, origin)
        self.assertEqual(self.stage.session.viewers(), [])

    def test_our_page_opens_a_socket(self) -> None:
        """
        Our own page is welcome, and what is no browser too.
        """
        self.assertEqual(self.dial(Cookie=COOKIE["Cookie"], Origin=OURS).accepted, "")
        self.assertEqual(self.dial(Cookie=COOKIE["Cookie"]).accepted, "")

    def test_socket_by_token(self) -> None:
        """
        A client without cookies attaches by the URL itself, at either path.
        """
        for target in ("/?token=good", "/ws?token=good"):
            self.assertEqual(self.dial(target).accepted, "")
        self.assertEqual(self.dial("/?token=wrong").refused, 403)
