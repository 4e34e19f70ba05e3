"""
How the page looks and reads: on a desk and on a phone, dark and light, to eyes and to axe.
"""

from __future__ import annotations

import tempfile
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from tests.real.page import SCREENSHOTS, Page
from tests.real.pagestage import Stage
from tests.real.parts import ROOT, browser

AXE = ROOT / "ajaxterm/page/node_modules/axe-core/axe.min.js"

SIZES = {"wide": (1280, 800), "phone": (390, 844)}

GUEST = (
    b"\x1b[2J\x1b[H[    0.000000] Linux version 6.1.0-38-amd64\r\n"
    b"[    1.204511] \x1b[33mrandom: crng init done\x1b[m\r\n"
    b"[\x1b[32m  OK  \x1b[m] Reached target \x1b[1mMulti-User System\x1b[m.\r\n"
    b"[\x1b[31mFAILED\x1b[m] Failed to start \x1b[1mexim4.service\x1b[m.\r\n"
    b"See https://wiki.example.test/exim for help.\r\n\r\n"
    b"Debian GNU/Linux 12 web1 ttyS0\r\n\r\nweb1 login: "
)

SMALL = """(least) => [...document.querySelectorAll("button, summary, a, select, textarea")]
  .filter((one) => one.checkVisibility({ visibilityProperty: true }))
  .filter((one) => !one.closest(".xterm") && getComputedStyle(one).pointerEvents !== "none")
  .filter((one) => one.getBoundingClientRect().height < least)
  .map((one) => one.outerHTML.slice(0, 80))"""

OUTSIDE = """() => [...document.querySelectorAll("#bar *, .card, #menu *, dialog *, #keys *")]
  .filter((one) => one.checkVisibility() && !one.closest("svg"))
  .filter((one) => {
    const { left, right, width } = one.getBoundingClientRect();
    return width > 0 && (left < -1 || right > innerWidth + 1);
  })
  .map((one) => one.outerHTML.slice(0, 80))"""


class LooksTests(SynchronousTestCase):
    """
    Each scene is taken in four ways; the pictures are kept for people.
    """

    skip = None if AXE.exists() else "axe-core is not installed (npm ci in ajaxterm/page)"

    def setUp(self) -> None:
        self.stage = Stage(self, "--input-timeout", "500")
        self.stage.line.say(GUEST)
        chromium = browser()
        self.browser = chromium.__enter__()
        self.addCleanup(chromium.__exit__, None, None, None)
        SCREENSHOTS.mkdir(parents=True, exist_ok=True)
        self.found: list[str] = []

    def tab(
        self, size: str, colours: str, user: str = "ann", mode: str = "rw", seen: str = "login:"
    ) -> Page:
        width, height = SIZES[size]
        context = self.browser.new_context(
            viewport={"width": width, "height": height},
            color_scheme=colours,
            has_touch=size == "phone",
            is_mobile=size == "phone",
            reduced_motion="reduce",
            # For axe alone; that the page keeps to its policy is another test's.
            bypass_csp=True,
        )
        page = Page(context.new_page())
        page.tab.add_init_script(path=AXE)
        page.open(self.stage.door(user, mode).url)
        page.until_seen(seen)
        return page

    def look(self, page: Page, name: str) -> None:
        """
        Take a picture, and ask axe and a ruler.
        """
        page.tab.wait_for_timeout(150)
        page.tab.screenshot(path=SCREENSHOTS / f"page-{name}.png")
        result: dict[str, Any] = page.tab.evaluate("axe.run(document, {iframes: false})")
        for violation in result["violations"]:
            for node in violation["nodes"]:
                words = node["failureSummary"].replace("\n", " ")
                self.found.append(f"{name}: {violation['id']}: {node['html'][:120]}: {words}")
        if "phone" in name:
            self.found += [f"{name}: small: {html}" for html in page.tab.evaluate(SMALL, 40)]
        self.found += [f"{name}: outside: {html}" for html in page.tab.evaluate(OUTSIDE)]

    def in_four_ways(self, scene: Any) -> None:
        for size in SIZES:
            for colours in ("dark", "light"):
                page = self.tab(size, colours)
                scene(page, f"{size}-{colours}")
                page.tab.context.close()
        self.assertEqual(self.found, [], "\n".join(self.found))

    def test_terminal_and_menu(self) -> None:
        """
        The terminal, then with its menu, then with a search.
        """
        self.stage.order(do="abilities", abilities=["break", "sysrq"])

        def scene(page: Page, way: str) -> None:
            page.until_state("roundTrip !== null")
            self.look(page, f"terminal-{way}")
            page.tab.locator("#menu-button").click()
            self.look(page, f"menu-{way}")
            page.tab.keyboard.press("Escape")
            page.tab.keyboard.press("Control+Shift+F")
            page.tab.keyboard.type("start")
            page.tab.locator("#search-count", has_text="1 of 1").wait_for()
            self.look(page, f"search-{way}")

        self.in_four_ways(scene)

    def test_others_and_notices(self) -> None:
        """
        Somebody else has the keyboard; there is a list of who is there, and there are notices;
        all of it without a WebSocket.
        """
        other = self.tab("wide", "dark", "robert.of.the.long.name")
        watching = self.tab("wide", "dark", "eve", "ro")
        other.tab.locator("#keyboard").click()
        other.until_state("keyboard === viewer")
        self.stage.order(
            do="notice",
            name="other-reader",
            message="Somebody reads this console with virsh beside us: each gets a part.",
        )

        def scene(page: Page, way: str) -> None:
            page.until_state("viewers.length === 3 && roundTrip !== null")
            page.tab.locator(".card").wait_for()
            self.look(page, f"others-{way}")
            page.tab.locator("#viewers summary").click()
            self.look(page, f"viewers-{way}")
            page.tab.locator(".xterm-screen").click(position={"x": 9, "y": 300})
            page.type("x")
            page.until_said("has the keyboard")
            self.look(page, f"refused-{way}")

        self.in_four_ways(scene)
        self.look(watching, "watching-wide-dark")
        self.assertEqual(self.found, [], "\n".join(self.found))

    def test_questions(self) -> None:
        """
        A paste to agree to, its progress, a session to end.
        """

        def scene(page: Page, way: str) -> None:
            page.paste("apt update\napt upgrade\nreboot\n")
            self.look(page, f"paste-{way}")
            page.tab.keyboard.press("Escape")
            self.stage.line.hold(True)
            page.paste("x" * 1_000_000 + "\n")
            page.tab.get_by_role("dialog").get_by_role("button", name="Paste").click()
            page.tab.locator(".card", has_text="takes no input").wait_for()
            self.look(page, f"pasting-{way}")
            page.tab.locator(".card").get_by_role("button", name="Cancel").click()
            self.stage.line.hold(False)
            page.until_state("progress === null && uncounted === 0")
            page.menu("End session")
            self.look(page, f"ending-{way}")

        self.in_four_ways(scene)

    def test_leaving(self) -> None:
        """
        A console that is recorded is about to end; then it is ended, and its guest stays logged in.
        """
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.stage = Stage(
            self, "--input-timeout", "50", "--logout", "eof", "--record", folder.name
        )
        self.stage.line.say(GUEST + b"root\r\n\x1b[2J\x1b[Hroot@web1:~# make bzImage\r\n")
        pages = {
            f"{size}-{colours}": self.tab(size, colours, seen="bzImage")
            for size in SIZES
            for colours in ("dark", "light")
        }
        for way, page in pages.items():
            page.until_state("ending !== null && recording")
            self.look(page, f"countdown-{way}")
        page.menu("End session")
        page.tab.get_by_role("dialog").get_by_role("button", name="End session").click()
        for way, page in pages.items():
            page.tab.locator(".card", has_text="Logging out").wait_for()
            self.look(page, f"leaving-{way}")
        for way, page in pages.items():
            page.until_state("name === 'ended'")
            self.look(page, f"left-{way}")
        self.assertEqual(self.found, [], "\n".join(self.found))

    def test_away(self) -> None:
        """
        The guest is down; the server is away; the console has ended.
        """
        pages = {
            f"{size}-{colours}": self.tab(size, colours)
            for size in SIZES
            for colours in ("dark", "light")
        }
        self.stage.order(do="line", state="waiting", message="web1 is shut off.")
        for way, page in pages.items():
            page.until_state("name === 'waiting'")
            self.look(page, f"waiting-{way}")
        for way, page in pages.items():
            page.tab.context.set_offline(True)
            self.stage.cut()
            page.until_state("name === 'reconnecting'")
            page.type("held")
            self.look(page, f"away-{way}")
            page.tab.context.set_offline(False)
            page.until_state("name === 'waiting'")
        for page in pages.values():
            page.until_state("name === 'waiting'")
        self.stage.order(do="finish", reason="closed", message="bob has closed this console.")
        for way, page in pages.items():
            page.until_state("name === 'ended'")
            self.look(page, f"ended-{way}")
        self.assertEqual(self.found, [], "\n".join(self.found))

    def test_bar_stays(self) -> None:
        """
        Whatever is to be said, the terminal keeps its rows and columns, until the end.
        """
        for size in SIZES:
            page = self.tab(size, "dark", f"ann-{size}")
            before = page.tab.evaluate("[ajaxterm.state().rows, ajaxterm.state().columns]")
            self.stage.order(do="line", state="waiting", message="web1 is shut off. " * 10)
            page.until_state("name === 'waiting'")
            self.stage.order(do="notice", name=size, message="Something.")
            page.tab.locator(".card").first.wait_for()
            page.tab.context.set_offline(True)
            self.stage.cut()
            page.until_state("name === 'reconnecting'")
            after = page.tab.evaluate("[ajaxterm.state().rows, ajaxterm.state().columns]")
            self.stage.order(do="line", state="live", message="")
            page.tab.context.close()

            self.assertEqual(after, before)
