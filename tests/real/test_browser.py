"""
The whole way in a real browser: a real guest, and everything of ours up.
"""

from __future__ import annotations

import http.server
import re
import threading

from twisted.trial.unittest import SynchronousTestCase

from tests.real.daemons import AllInOne
from tests.real.page import SCREENSHOTS, Page
from tests.real.parts import MISSING, browser, new_guest


class BrowserTests(SynchronousTestCase):
    """
    What a user sees.
    """

    skip = MISSING

    def setUp(self) -> None:
        self.guest = new_guest(self, "web1")
        self.console = AllInOne(self)
        self.console.until_active(self.guest)
        chromium = browser()
        self.browser = chromium.__enter__()
        self.addCleanup(chromium.__exit__, None, None, None)

    def tab(self) -> Page:
        """
        As of a browser that was never here.
        """
        context = self.browser.new_context(viewport={"width": 1000, "height": 600})
        return Page(context.new_page())

    def test_login(self) -> None:
        """
        The URL leads to the guest's prompt; the token goes out of the address;
        after logging in, the guest does sums.
        """
        page = self.tab()
        url = self.console.api.url(self.guest)
        page.open(url)
        page.log_in()
        page.type("echo $((6*7))\n")
        page.until_seen("^42$")
        SCREENSHOTS.mkdir(parents=True, exist_ok=True)
        page.tab.screenshot(path=SCREENSHOTS / "login.png")

        self.assertNotIn("token", page.tab.url)
        self.assertRegex(page.tab.url, r"/console/g[0-9a-f]{16}/$")
        self.assertIn("web1", page.tab.title())
        self.assertEqual(page.problems, [])
        # And again, since it is not used up: a bookmark, a second tab.
        page.tab.reload()
        page.until_connected()
        page.until_seen("^42$")

    def test_link_on_another_site(self) -> None:
        """
        Browsers withhold some cookies after a click on another site; not this one.
        """
        page = self.tab()
        url = self.console.api.url(self.guest)
        page.tab.goto(self.other_site(f'<a href="{url}">the console</a>'))
        page.tab.click("a")
        page.until_connected()
        page.log_in()

        self.assertEqual(page.problems, [])

    def test_two_browsers_share(self) -> None:
        """
        Both see the same, whoever types; and one socat and one ajaxterm exist.
        """
        first, second = self.tab(), self.tab()
        first.open(self.console.api.url(self.guest))
        second.open(self.console.api.url(self.guest))
        first.log_in()
        second.until_seen("# ?$")
        first.type("echo first-$((1+1))\n")
        second.until_seen("^first-2$")
        second.type("echo second-$((1+1))\n")
        first.until_seen("^second-2$")

        def same(page: Page) -> str:
            return re.sub(r"\s+$", "", page.text())

        first.until_seen("^second-2\n.*# ?$")
        second.until_seen("^second-2\n.*# ?$")
        self.assertEqual(same(first), same(second))
        self.assertEqual(first.tab.evaluate("window.ajaxterm.state().viewers.length"), 2)
        self.assertEqual(len(self.console.children("socat")), 1)
        self.assertEqual(len(self.console.children("ajaxterm")), 1)

    def test_refused_url(self) -> None:
        """
        A URL that is wrong leads to a page that says what to do.
        """
        page = self.tab()
        answer = page.tab.goto(f"http://127.0.0.1:{self.console.port}/?token=wrong")

        self.assertEqual(answer.status, 403)
        self.assertIn("again", page.tab.inner_text("body"))

    def other_site(self, body: str) -> str:
        """
        @return: the URL of a page on a site that is not ours: C{localhost}, while
            we are C{127.0.0.1}.
        """

        class Site(http.server.BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self.send_response(200)
                self.send_header("Content-Type", "text/html")
                self.end_headers()
                self.wfile.write(f"<!doctype html><title>Elsewhere</title>{body}".encode())

            def log_message(self, *words: object) -> None:
                pass

        server = http.server.HTTPServer(("127.0.0.1", 0), Site)
        serving = threading.Thread(target=server.serve_forever, args=(0.05,))
        serving.start()
        self.addCleanup(server.server_close)
        self.addCleanup(serving.join)
        self.addCleanup(server.shutdown)
        return f"http://localhost:{server.server_port}/"
