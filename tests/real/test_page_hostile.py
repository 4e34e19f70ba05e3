"""
Guests that send what a terminal should not do.
"""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from tests.real.page import Page
from tests.real.pagestage import Stage
from tests.real.parts import browser, until


class HostileTests(SynchronousTestCase):
    """
    What a guest says changes the terminal's text, and nothing else.
    """

    def setUp(self) -> None:
        self.stage = Stage(self)
        chromium = browser()
        self.browser = chromium.__enter__()
        self.addCleanup(chromium.__exit__, None, None, None)

    def tab(self, user: str = "ann") -> Page:
        context = self.browser.new_context(permissions=["clipboard-read", "clipboard-write"])
        page = Page(context.new_page())
        page.open(self.stage.door(user).url)
        return page

    def say(self, page: Page, output: bytes) -> None:
        """
        And wait until it is shown.
        """
        self.stage.line.say(output + b"\r\nsaid-%d\r\n" % len(output))
        page.until_seen(f"^said-{len(output)}")

    def test_title_window_clipboard(self) -> None:
        """
        It can't name the page, move the window, or reach the clipboard.
        """
        page = self.tab()
        page.tab.evaluate("navigator.clipboard.writeText('mine')")
        size = page.tab.evaluate("[innerWidth, innerHeight, ajaxterm.state().rows]")

        self.say(page, b"\x1b]0;hacked\x07\x1b]2;hacked\x07")
        self.say(page, b"\x1b]52;c;aGFja2Vk\x07\x1b]52;c;?\x07")
        self.say(page, b"\x1b[8;5;20t\x1b[3;0;0t\x1b[21t\x1b[18t\x1b[14t\x1b[20t")

        self.assertEqual(page.tab.title(), "web1 serial0 – console")
        self.assertEqual(page.tab.evaluate("navigator.clipboard.readText()"), "mine")
        self.assertEqual(
            page.tab.evaluate("[innerWidth, innerHeight, ajaxterm.state().rows]"), size
        )
        self.assertEqual(self.stage.line.typed, b"")
        self.assertEqual(page.problems, [])

    def test_questions(self) -> None:
        """
        Of two tabs one answers, once; whoever comes later answers nothing of the replay.
        """
        ann, bob = self.tab("ann"), self.tab("bob")
        ann.until_state("viewers.length === 2")
        self.say(ann, b"\x1b[5n")
        bob.until_seen("^said")
        self.stage.line.until_typed(b"\x1b[0n")
        eve = self.tab("eve")
        eve.until_seen("^said")
        ann.tab.reload()
        ann.until_seen("^said")
        eve.type("x")
        self.stage.line.until_typed(b"x")

        self.assertEqual(self.stage.line.typed, b"\x1b[0nx")

    def test_links(self) -> None:
        """
        A link opens after a question, or by Ctrl+click, and knows nothing of this page; one
        behind other words always asks, and is shown; one that is not of the web does nothing.
        """
        page = self.tab()
        page.tab.context.route(
            "http://example.test/**", lambda route: route.fulfill(body="elsewhere")
        )
        self.say(
            page,
            b"\x1b[2J\x1b[Hhttp://example.test/plain\r\n"
            b"\x1b]8;;http://example.test/behind\x07http://nice.test/\x1b]8;;\x07\r\n"
            b"\x1b]8;;javascript:alert(1)\x07javascript\x1b]8;;\x07",
        )

        def click(row: int, *modifiers: str) -> None:
            screen = page.tab.locator(".xterm-screen")
            box = screen.bounding_box()
            assert box is not None
            height = box["height"] / page.state()["rows"]
            place = {"x": 40.0, "y": height * (row + 0.5)}
            screen.hover(position={"x": 300.0, "y": height * 10})
            screen.hover(position=place)
            page.tab.wait_for_timeout(100)
            screen.click(position=place, modifiers=list(modifiers))

        dialog = page.tab.get_by_role("dialog")
        click(0)
        self.assertIn("http://example.test/plain", dialog.inner_text())
        page.tab.keyboard.press("Escape")
        self.assertEqual(len(page.tab.context.pages), 1)
        with page.tab.context.expect_page() as opened:
            click(0, "Control")
        elsewhere = opened.value
        elsewhere.wait_for_load_state()
        self.assertEqual(elsewhere.evaluate("[window.opener, document.referrer]"), [None, ""])
        elsewhere.close()
        click(1, "Control")
        self.assertIn("http://example.test/behind", dialog.inner_text())
        with page.tab.context.expect_page() as opened:
            dialog.get_by_role("button", name="Open").click()
        self.assertEqual(opened.value.url, "http://example.test/behind")
        opened.value.close()
        click(2, "Control")
        self.assertEqual(dialog.count(), 0)
        self.assertEqual(len(page.tab.context.pages), 1)

    def test_words_of_others(self) -> None:
        """
        A notice, or a name, is text: no markup, no turned letters.
        """
        page = self.tab("<b>ann</b>\u202e")
        self.stage.order(do="notice", name="x", message="<img src=x onerror=alert(1)>\u202eabc")
        card = page.tab.locator(".card")
        card.wait_for()

        self.assertEqual(card.locator("p").first.inner_text(), "<img src=x onerror=alert(1)> abc")
        page.tab.locator("#viewers summary").click()
        self.assertIn("<b>ann</b> (you)", page.tab.locator("#viewers li").inner_text())
        self.assertEqual(page.problems, [])

    def test_flood(self) -> None:
        """
        Garbage of all kinds leaves a terminal that works.
        """
        page = self.tab()
        garbage = bytes(range(256)) * 400
        self.stage.line.say(garbage + b"\x18\x1bc")
        self.say(page, b"still here")
        page.until_seen("^still here")
        before = len(self.stage.line.typed)

        page.type("x")

        until(lambda: len(self.stage.line.typed) > before, "it can be typed")
        self.assertEqual(page.problems, [])
