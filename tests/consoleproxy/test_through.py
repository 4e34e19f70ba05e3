"""
Tests of the proxy with a real terminal behind it: from the URL to the guest's line, only the
sockets false.
"""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from ajaxterm.frames import PLAIN, V1
from tests.ajaxterm.stage import Stage as TerminalStage
from tests.consoleproxy.stage import HOST, NAME, PORT, SECRET, TOKEN, Stage, some_grant


class ThroughTests(SynchronousTestCase):
    """
    A viewer behind the proxy is one like any other.
    """

    def setUp(self) -> None:
        self.stage = Stage()
        self.terminal = TerminalStage()
        self.stage.grants.authorize(some_grant())
        self.terminal.grant(SECRET)
        site = self.terminal.wire.site
        self.stage.clock.serve(HOST, PORT, lambda: site.buildProtocol(None))

    def settle(self) -> None:
        """
        Let both machines come to rest.
        """
        for _ in range(3):
            self.terminal.clock.flush()
            self.stage.clock.flush()

    def test_page(self) -> None:
        """
        The URL leads to the page, with the page's own policy and not the proxy's.
        """
        exchanged = self.stage.ask("GET", f"/?token={TOKEN}")
        cookie = exchanged.headers["set-cookie"].partition(";")[0]

        page = self.stage.ask("GET", f"/{exchanged.headers['location']}", {"Cookie": cookie})

        self.assertEqual((page.status, page.body), (200, b"<html>"))
        self.assertIn("script-src 'self'", page.headers["content-security-policy"])

    def test_files_of_the_page(self) -> None:
        """
        They come compressed, for good, and the terminal's own.
        """
        cookie = self.stage.cookie()
        asked = {"Cookie": cookie, "Accept-Encoding": "gzip, deflate, br"}

        answer = self.stage.ask("GET", f"/console/{NAME}/assets/page-1.css", asked)

        self.assertEqual((answer.status, answer.body), (200, b"css in brotli"))
        self.assertEqual(answer.headers["content-encoding"], "br")
        self.assertEqual(answer.headers["vary"], "Accept-Encoding")
        self.assertIn("immutable", answer.headers["cache-control"])

    def test_files_of_another_release(self) -> None:
        """
        A page whose terminal was followed by one of another release finds a file gone, and that
        is not kept: the next view has the new page with its files.
        """
        cookie = {"Cookie": self.stage.cookie()}

        answer = self.stage.ask("GET", f"/console/{NAME}/assets/page-0.css", cookie)

        self.assertEqual(answer.status, 404)
        self.assertEqual(answer.headers["cache-control"], "no-store")
        page = self.stage.ask("GET", f"/console/{NAME}/", cookie)
        self.assertEqual(page.headers["cache-control"], "no-store")

    def test_typing(self) -> None:
        """
        What the guest says is shown, what is typed arrives.
        """
        client = self.stage.socket(protocols=[V1])
        client.attach()
        self.settle()

        self.terminal.session.output(b"login: ")
        client.send(b"root\r")
        self.settle()

        self.assertEqual(client.accepted, V1)
        self.assertEqual(client.output, b"login: ")
        self.assertEqual(self.terminal.line.typed, b"root\r")

    def test_by_url_alone(self) -> None:
        """
        A client of nova-serialproxy types at the guest by the URL and nothing else.
        """
        client = self.stage.socket(f"/?token={TOKEN}", [PLAIN], Cookie="")

        client.send(b"root\r")
        self.terminal.session.output(b"login: ")
        self.settle()

        self.assertEqual(client.accepted, PLAIN)
        self.assertEqual(client.output, b"login: ")
        self.assertEqual(self.terminal.line.typed, b"root\r")

    def test_revoked_in_the_terminal(self) -> None:
        """
        The terminal tells a viewer whose grant is revoked; the proxy lets it.
        """
        client = self.stage.socket(protocols=[V1])
        client.attach()
        self.settle()

        self.terminal.session.revoke("g-" + SECRET)
        self.stage.grants.revoke(NAME)
        self.settle()

        self.assertEqual(client.closed, 4003)
        self.assertFalse(client.event("end")["retry"])

    def test_other_secret(self) -> None:
        """
        A grant that only the proxy knows opens nothing: the terminal decides.
        """
        self.stage.grants.authorize(some_grant(secret="another-secret-entirely"))

        client = self.stage.socket(protocols=[V1])

        self.assertEqual(client.refused, 403)
        self.assertEqual(self.stage.ask_console().status, 403)
