"""
The page of a console in a real browser.
"""

from __future__ import annotations

from typing import Any

from demo.guest import PASSWORD, USER
from tests.real.known import known
from tests.real.parts import PATIENCE, ROOT

SCREENSHOTS = ROOT / ".work/screenshots"
"""Where the tests keep what they saw."""

STATE = (
    "name, reason, message, way, mode, viewer, viewers, keyboard, ending, notices, held, unsent,"
    " uncounted, offset, roundTrip, recording, rows, columns, progress"
)

PASTE = """(text) => {
  const data = new DataTransfer();
  data.setData("text/plain", text);
  const how = { clipboardData: data, bubbles: true, cancelable: true };
  const event = new ClipboardEvent("paste", how);
  document.querySelector(".xterm-helper-textarea").dispatchEvent(event);
}"""


class Page:
    """
    A console's page in a tab.
    """

    def __init__(self, tab: Any) -> None:
        tab.set_default_timeout(PATIENCE * 1000)
        self.tab = tab
        self.problems: list[str] = []
        tab.on("pageerror", lambda error: self.problems.append(str(error)))
        tab.on(
            "console",
            lambda said: self.problems.append(said.text) if said.type == "error" else None,
        )

    def open(self, url: str) -> None:
        self.tab.goto(url)
        self.until_connected()

    def until_connected(self) -> None:
        self.tab.wait_for_function("() => window.ajaxterm?.state().name === 'connected'")
        for cookie in self.tab.context.cookies():
            known.add("cookie", cookie["value"])

    def state(self) -> dict[str, Any]:
        """
        As the page says itself.
        """
        found: dict[str, Any] = self.tab.evaluate("ajaxterm.state()")
        return found

    def until_state(self, condition: str) -> None:
        """
        @param condition: in JavaScript, over the fields of the page's state.
        """
        self.tab.wait_for_function(
            f"() => {{ const {{{STATE}}} = window.ajaxterm.state(); return {condition}; }}"
        )

    def until_said(self, words: str) -> None:
        """
        What the page says for a moment, at the lower edge.
        """
        self.tab.locator("#notice", has_text=words).wait_for()

    def menu(self, item: str) -> None:
        """
        Press an item of the menu.
        """
        self.tab.locator("#menu-button").click()
        self.tab.locator("#menu").get_by_role("button", name=item).click()

    def until_seen(self, pattern: str) -> None:
        self.tab.wait_for_function(
            "(pattern) => new RegExp(pattern, 'm').test(window.ajaxterm.text())", arg=pattern
        )

    def text(self) -> str:
        return str(self.tab.evaluate("window.ajaxterm.text()"))

    def type(self, keys: str) -> None:
        self.tab.keyboard.type(keys)

    def paste(self, text: str) -> None:
        """
        As by the browser's own menu.
        """
        self.tab.evaluate(PASTE, text)

    def log_in(self) -> None:
        """
        A getty whose prompt nobody saw is woken by Enter.
        """
        if "login:" not in self.text():
            self.tab.keyboard.press("Enter")
        self.until_seen("login:")
        self.type(f"{USER}\n")
        self.until_seen("Password:")
        self.type(f"{PASSWORD}\n")
        self.until_seen("# ?$")
