"""
The page where the network breaks WebSockets.
"""

from __future__ import annotations

from hashlib import sha256
from random import Random

from twisted.trial.unittest import SynchronousTestCase

from tests.real.daemons import AllInOne
from tests.real.page import Page
from tests.real.pagestage import Door, Stage
from tests.real.parts import MISSING, browser, new_guest, until


class FallbackTests(SynchronousTestCase):
    """
    It goes on by plain requests, says so, and loses nothing.
    """

    def setUp(self) -> None:
        self.stage = Stage(self)
        chromium = browser()
        self.browser = chromium.__enter__()
        self.addCleanup(chromium.__exit__, None, None, None)

    def tab(self, door: Door) -> Page:
        page = Page(self.browser.new_context().new_page())
        page.open(door.url)
        return page

    def test_refused_upgrades(self) -> None:
        """
        No WebSocket comes up: the page works by long-poll from its first second, and says it;
        what is shown and what is typed is exact, also over connections that are cut.
        """
        door = self.stage.door("ann")
        door.upgrades = "refuse"
        page = self.tab(door)
        page.until_state("way === 'poll' && roundTrip !== null")
        self.assertTrue(page.tab.get_by_text("Without WebSocket").is_visible())

        random = Random(1)
        typed = "".join(random.choices("abcdefghij ", k=300))
        shown = "".join(random.choices("KLMNOPQRST", k=30_000))
        for part in range(10):
            self.stage.line.say(shown[part * 3000 :][:3000].encode() + b"\r\n")
            page.type(typed[part * 30 :][:30])
            if part % 3 == 1:
                door.cut()
        self.stage.line.until_typed(typed[-20:].encode())
        page.until_state("offset === 30020")

        self.assertEqual(self.stage.line.typed.decode(), typed)
        text = "".join(page.text().split())
        self.assertEqual(sha256(text.encode()).hexdigest(), sha256(shown.encode()).hexdigest())
        self.assertEqual(page.state()["way"], "poll")

    def test_early_breaks(self) -> None:
        """
        WebSockets come up, and are cut at once: after two of them the page does without.
        """
        door = self.stage.door("ann")
        door.upgrades = "break"
        page = self.tab(door)

        page.until_state("way === 'poll' && name === 'connected'")
        door.upgrades = "pass"
        page.type("x")

        self.stage.line.until_typed(b"x")
        self.assertEqual(door.upgraded, 2)

    def test_back_to_a_websocket(self) -> None:
        """
        When the network lets WebSockets through again, the page finds out by itself; nobody
        sees anything of it, but the mark is gone.
        """
        door = self.stage.door("ann")
        door.upgrades = "refuse"
        page = Page(self.browser.new_context().new_page())
        page.tab.clock.install()
        page.open(door.url)
        page.until_state("way === 'poll'")
        page.type("before ")
        self.stage.line.until_typed(b"before ")

        door.upgrades = "pass"
        for _ in range(32):
            page.tab.clock.run_for(1000)
        until(lambda: door.upgraded == 1, "a WebSocket is tried")
        page.tab.clock.resume()
        page.until_state("way === 'websocket' && name === 'connected'")
        page.type("after")

        self.stage.line.until_typed(b"after")
        self.assertEqual(self.stage.line.typed, b"before after")
        self.assertFalse(page.tab.get_by_text("Without WebSocket").is_visible())

    def test_keyboard_and_countdown_by_requests(self) -> None:
        """
        All else works as well: somebody by WebSocket takes the keyboard from somebody without.
        """
        door = self.stage.door("ann")
        door.upgrades = "refuse"
        ann, bob = self.tab(door), self.tab(self.stage.door("bob"))
        ann.until_state("viewers.length === 2")

        bob.tab.locator("#keyboard").click()
        ann.until_said("bob (v2) has taken the keyboard.")
        ann.tab.locator("#keyboard").click()
        bob.until_said("ann (v1) has taken the keyboard.")
        ann.type("mine")

        self.stage.line.until_typed(b"mine")


class ThroughTheProxyTests(SynchronousTestCase):
    """
    The same through everything of ours, to a real guest.
    """

    skip = MISSING

    def test_without_websockets(self) -> None:
        """
        A browser whose WebSockets are forbidden logs in at a guest.
        """
        guest = new_guest(self, "web1")
        console = AllInOne(self)
        console.until_active(guest)
        with browser() as chromium:
            page = Page(chromium.new_context().new_page())
            page.tab.add_init_script(
                "window.WebSocket = class { constructor() { throw new Error('forbidden'); } };"
            )
            page.open(console.api.url(guest))
            page.log_in()
            page.type("echo $((6*7))\n")
            page.until_seen("^42$")

            self.assertEqual(page.state()["way"], "poll")
            self.assertEqual(page.problems, [])
