"""
Pasting into the page, small and large.
"""

from __future__ import annotations

from hashlib import sha256
from random import Random
from time import monotonic

from twisted.trial.unittest import SynchronousTestCase

from tests.real.page import Page
from tests.real.pagestage import Stage
from tests.real.parts import browser, until


class PastingTests(SynchronousTestCase):
    """
    What is pasted arrives whole and in order, or is cancelled.
    """

    def setUp(self) -> None:
        self.stage = Stage(self)
        chromium = browser()
        self.browser = chromium.__enter__()
        self.addCleanup(chromium.__exit__, None, None, None)

    def tab(self, upgrades: str = "pass") -> Page:
        door = self.stage.door("ann")
        door.upgrades = upgrades
        page = Page(self.browser.new_context().new_page())
        page.open(door.url)
        return page

    def agree(self, page: Page) -> None:
        page.tab.get_by_role("dialog").get_by_role("button", name="Paste").click()

    def test_one_line(self) -> None:
        """
        A short line goes in without a question, and without Enter.
        """
        page = self.tab()

        page.paste("echo čau ☃")
        self.stage.line.until_typed("echo čau ☃".encode())

        self.assertEqual(page.tab.get_by_role("dialog").count(), 0)

    def test_lines_are_asked_about(self) -> None:
        """
        A shell would run each line: it is shown first, and can be changed, or left.
        """
        page = self.tab()
        page.paste("cd /\nrm -r tmp\n")
        dialog = page.tab.get_by_role("dialog")
        self.assertIn("2 lines", dialog.inner_text())
        self.assertIn("Enter", dialog.inner_text())
        page.tab.keyboard.press("Escape")
        page.paste("cd /\r\nls\x03\x1b[31m")
        self.assertIn("2 control characters left out", dialog.inner_text())
        page.tab.get_by_label("Text to type").fill("pwd\nls")
        self.agree(page)

        self.stage.line.until_typed(b"pwd\rls")
        self.assertEqual(self.stage.line.typed, b"pwd\rls")

    def test_between_brackets(self) -> None:
        """
        A program that asked for brackets gets them, and no text can close them.
        """
        page = self.tab()
        self.stage.line.say(b"\x1b[?2004hready")
        page.until_seen("ready")

        page.paste("ls\x1b[201~rm")
        self.agree(page)

        self.stage.line.until_typed(b"\x1b[201~")
        self.assertEqual(self.stage.line.typed, b"\x1b[200~ls[201~rm\x1b[201~")

    def test_mebibyte(self) -> None:
        """
        1 MiB into a line that takes nothing for a while: progress is shown, what is typed
        meanwhile comes behind it, and all of it is exact; by WebSocket and without.
        """
        random = Random(2)
        text = "".join(random.choices("abcdefgh ☃\n", k=1_000_000))
        wanted = text.replace("\n", "\r").encode()
        for upgrades in ("pass", "refuse"):
            page = self.tab(upgrades)
            before = len(self.stage.line.typed)
            self.stage.line.hold(True)
            page.paste(text)
            self.agree(page)
            card = page.tab.locator(".card", has_text="Pasting")
            card.wait_for()
            page.until_state("progress && progress.total > 1000000")
            page.type("!")
            self.stage.line.hold(False)
            self.stage.line.until_typed(b"!")
            card.wait_for(state="detached")

            typed = self.stage.line.typed[before:]
            self.assertEqual(len(typed), len(wanted) + 1)
            self.assertEqual(sha256(typed[:-1]).hexdigest(), sha256(wanted).hexdigest())
            page.tab.close()

    def test_cancelled(self) -> None:
        """
        A large paste is cancelled on its way: the rest is never typed, and what is typed
        next is.
        """
        for upgrades in ("pass", "refuse"):
            page = self.tab(upgrades)
            before = len(self.stage.line.typed)
            self.stage.line.hold(True)
            page.paste("x" * (1 << 20) + "\n")
            self.agree(page)
            page.tab.locator(".card", has_text="takes no input").wait_for()
            page.tab.locator(".card").get_by_role("button", name="Cancel").click()
            page.until_state("progress === null && uncounted === 0")
            self.stage.line.hold(False)
            page.type("next")
            self.stage.line.until_typed(b"next")

            self.assertLess(len(self.stage.line.typed) - before, 1 << 20)
            page.tab.close()

    def test_paced(self) -> None:
        """
        A guest that drops characters gets them slowly.
        """
        page = self.tab()
        page.tab.locator("#menu-button").click()
        page.tab.locator("#menu").get_by_label("Paste speed").select_option("200")
        page.tab.keyboard.press("Escape")
        began = monotonic()

        page.paste("x" * 300)
        until(lambda: len(self.stage.line.typed) == 300, "all is typed")

        self.assertGreater(monotonic() - began, 1.2)
