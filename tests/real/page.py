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

    def until_seen(self, pattern: str) -> None:
        self.tab.wait_for_function(
            "(pattern) => new RegExp(pattern, 'm').test(window.ajaxterm.text())", arg=pattern
        )

    def text(self) -> str:
        return str(self.tab.evaluate("window.ajaxterm.text()"))

    def type(self, keys: str) -> None:
        self.tab.keyboard.type(keys)

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
