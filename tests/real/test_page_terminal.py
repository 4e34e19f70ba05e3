"""
What one can do in the page besides typing.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from tests.real.page import Page
from tests.real.pagestage import Stage
from tests.real.parts import browser

PHONE = {"viewport": {"width": 390, "height": 844}, "has_touch": True, "is_mobile": True}


class TerminalTests(SynchronousTestCase):
    """
    All of it under the strict policy: what Chromium complains of fails the test.
    """

    def setUp(self) -> None:
        self.stage = Stage(self)
        self.door = self.stage.door("ann")
        chromium = browser()
        self.browser = chromium.__enter__()
        self.addCleanup(chromium.__exit__, None, None, None)

    def tab(self, **how: Any) -> Page:
        context = self.browser.new_context(permissions=["clipboard-read", "clipboard-write"], **how)
        page = Page(context.new_page())
        page.open(self.door.url)
        self.addCleanup(lambda: self.assertEqual(page.problems, []))
        return page

    def say(self, page: Page, output: str) -> None:
        self.stage.line.say(output.encode() + b"\r\nsaid.")
        page.until_seen("^said\\.$")

    def test_search(self) -> None:
        """
        Ctrl-Shift-F finds what was scrolled away, forwards and backwards; Escape leaves.
        """
        page = self.tab()
        self.say(page, "".join(f"line {n}\r\n" for n in range(300)))

        page.tab.keyboard.press("Control+Shift+F")
        page.tab.keyboard.type("LINE 7")
        count = page.tab.locator("#search-count")
        count.get_by_text("of 11").wait_for()
        page.tab.keyboard.press("Enter")
        page.tab.keyboard.press("Shift+Enter")
        page.tab.get_by_role("button", name="Match case").click()
        count.get_by_text("Not found").wait_for()
        page.tab.get_by_role("button", name="Match case").click()
        page.tab.get_by_role("button", name="Regular expression").click()
        page.tab.get_by_label("Find in the terminal").fill("line [12]9$")
        count.get_by_text("of 2").wait_for()
        page.tab.get_by_label("Find in the terminal").fill("line (")
        count.get_by_text("No expression").wait_for()
        page.tab.keyboard.press("Escape")
        page.type("x")

        self.stage.line.until_typed(b"x")
        self.assertEqual(self.stage.line.typed, b"x")

    def test_copy(self) -> None:
        """
        By Ctrl-Shift-C, by Ctrl-Insert, and by the menu; nothing of it is typed.
        """
        page = self.tab()
        self.say(page, "copy-this-word")
        for by in ("Control+Shift+C", "Control+Insert", "menu"):
            page.tab.evaluate("navigator.clipboard.writeText('nothing')")
            page.tab.locator(".xterm-screen").dblclick(position={"x": 30, "y": 8})
            if by == "menu":
                page.menu("Copy")
            else:
                page.tab.keyboard.press(by)
            page.until_said("Copied.")
            copied = page.tab.evaluate("navigator.clipboard.readText()")
            self.assertEqual(copied, "copy-this-word")

        self.assertEqual(self.stage.line.typed, b"")

    def test_paste(self) -> None:
        """
        By Ctrl-Shift-V, by Shift-Insert, and by the menu.
        """
        page = self.tab()
        for number, by in enumerate(("Control+Shift+V", "Shift+Insert", "menu")):
            page.tab.evaluate("(text) => navigator.clipboard.writeText(text)", f"paste{number}")
            if by == "menu":
                page.menu("Paste")
            else:
                page.tab.keyboard.press(by)
            self.stage.line.until_typed(f"paste{number}".encode())

        self.assertEqual(self.stage.line.typed, b"paste0paste1paste2")

    def test_select_text(self) -> None:
        """
        All text can be had in a field, where fingers can select it.
        """
        page = self.tab(**PHONE)
        self.say(page, "first")

        page.menu("Select text")
        shown = page.tab.get_by_role("textbox", name="Text of the terminal").input_value()
        page.tab.get_by_role("button", name="Copy all").click()
        page.until_said("Copied.")

        self.assertEqual(shown, "first\nsaid.")
        self.assertEqual(page.tab.evaluate("navigator.clipboard.readText()"), shown)

    def test_likings_are_remembered(self) -> None:
        """
        Text size, colours and the row of keys are as they were, after loading again.
        """
        page = self.tab(color_scheme="dark")
        rows = page.state()["rows"]
        background = "getComputedStyle(document.body).backgroundColor"
        dark = page.tab.evaluate(background)

        for _ in range(3):
            page.tab.keyboard.press("Control+Shift+Period")
        page.tab.keyboard.press("Control+Shift+Comma")
        page.menu("Light")
        page.tab.get_by_label("Row of keys").check()
        page.tab.keyboard.press("Escape")
        page.tab.reload()
        page.until_connected()

        self.assertLess(page.state()["rows"], rows)
        self.assertNotEqual(page.tab.evaluate(background), dark)
        self.assertTrue(page.tab.get_by_role("button", name="Esc").is_visible())
        page.tab.locator("#menu-button").click()
        self.assertEqual(page.tab.locator("#menu output").inner_text(), "16")
        self.assertEqual(self.stage.line.typed, b"")

    def test_screen_reader_mode(self) -> None:
        """
        What the guest says can be read out.
        """
        page = self.tab()
        page.tab.locator("#menu-button").click()
        page.tab.get_by_label("Screen reader mode").check()
        page.tab.keyboard.press("Escape")
        self.say(page, "to be read")

        page.tab.locator(".xterm-accessibility-tree", has_text="to be read").wait_for()

    def test_log(self) -> None:
        """
        The log can be downloaded, byte for byte, under the console's name.
        """
        page = self.tab()
        self.say(page, "\x1b[31mčau\x1b[m")
        page.tab.locator("#menu-button").click()
        with page.tab.expect_download() as download:
            page.tab.get_by_text("Download the log").click()

        self.assertEqual(download.value.suggested_filename, "web1-serial0.log")
        self.assertEqual(
            Path(download.value.path()).read_bytes(),
            "\x1b[31mčau\x1b[m\r\nsaid.".encode(),
        )

    def test_tell_size_and_full_screen(self) -> None:
        """
        The guest is told the size, without Enter; the page fills the screen.
        """
        page = self.tab()
        state = page.state()

        page.menu("Tell the guest my size")
        wanted = f"stty rows {state['rows']} columns {state['columns']}"
        self.stage.line.until_typed(wanted.encode())
        page.menu("Full screen")

        page.tab.wait_for_function("() => document.fullscreenElement !== null")

    def test_row_of_keys(self) -> None:
        """
        On a phone: the keys it lacks, Ctrl for the next key, arrows as the program wants them.
        """
        page = self.tab(**PHONE)

        def tap(name: str) -> None:
            page.tab.locator("#keys").get_by_role("button", name=name, exact=True).tap()

        for name in ("Esc", "Tab", "| (vertical bar)", "~ (tilde)", "PgUp", "Up"):
            tap(name)
        tap("Ctrl, for the next key")
        page.type("cc")
        tap("Ctrl, for the next key")
        tap("Left")
        self.stage.line.until_typed(b"\x1b\t|~\x1b[5~\x1b[A\x03c\x1b[1;5D")
        self.say(page, "\x1b[?1h")
        tap("Down")
        self.stage.line.until_typed(b"\x1bOB")

        self.assertTrue(page.tab.evaluate("document.activeElement.matches('.xterm *')"))

    def test_finger_scrolls(self) -> None:
        """
        A finger goes through what was scrolled away.
        """
        page = self.tab(**PHONE)
        self.say(page, "".join(f"line {n}\r\n" for n in range(300)))
        rows = page.tab.locator(".xterm-rows")
        rows.get_by_text("line 299").wait_for()

        page.tab.evaluate(
            """() => {
              const target = document.querySelector(".xterm-screen");
              const at = (type, clientY) => {
                const touch = new Touch({ identifier: 1, target, clientX: 100, clientY });
                const how = { touches: [touch], bubbles: true, cancelable: true };
                target.dispatchEvent(new TouchEvent(type, how));
              };
              at("touchstart", 200);
              for (let y = 200; y <= 600; y += 20) at("touchmove", y);
            }"""
        )

        rows.get_by_text("line 299").wait_for(state="detached")
        self.assertEqual(self.stage.line.typed, b"")

    def test_all_by_keyboard(self) -> None:
        """
        Ctrl-F6 to the bar, Tab to the menu, arrows through it, Escape back to the guest.
        """
        page = self.tab()
        page.tab.keyboard.press("Control+F6")
        for _ in range(10):
            if page.tab.evaluate("document.activeElement.id") == "menu-button":
                break
            page.tab.keyboard.press("Tab")
        page.tab.keyboard.press("Enter")
        page.tab.keyboard.press("ArrowDown")
        page.tab.keyboard.press("ArrowDown")
        focused = page.tab.evaluate("document.activeElement.textContent")
        page.tab.keyboard.press("Escape")
        page.tab.wait_for_function("() => document.activeElement.matches('.xterm *')")
        page.type("x")

        self.stage.line.until_typed(b"x")
        self.assertEqual(focused, "Select text …")
        self.assertEqual(self.stage.line.typed, b"x")
