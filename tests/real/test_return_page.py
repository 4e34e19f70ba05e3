"""
A guest goes and comes back under one tab of a real browser.
"""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from tests.real.daemons import AllInOne
from tests.real.page import SCREENSHOTS, Page
from tests.real.parts import MISSING, browser, new_guest

TIMES = 3


class TabTests(SynchronousTestCase):
    """
    Nobody touches the tab.
    """

    skip = MISSING

    def test_tab_comes_back(self) -> None:
        """
        Destroyed and started three times: each time the tab says that the guest is off, keeps
        what was on it, and shows the next login prompt below.
        """
        guest = new_guest(self, "tab1")
        console = AllInOne(self)
        console.until_active(guest)
        chromium = browser()
        opened = chromium.__enter__()
        self.addCleanup(chromium.__exit__, None, None, None)
        page = Page(opened.new_context(viewport={"width": 1000, "height": 600}).new_page())
        page.open(console.api.url(guest))
        page.log_in()
        page.type("echo kept-$((6*7))\n")
        page.until_seen("^kept-42")
        for number in range(TIMES):
            guest.destroy()
            page.tab.wait_for_function("() => window.ajaxterm.state().name === 'waiting'")
            if not number:
                SCREENSHOTS.mkdir(parents=True, exist_ok=True)
                page.tab.screenshot(path=SCREENSHOTS / "guest-is-off.png")
            guest.start()
            page.until_connected()
            page.until_seen("tab1 login: ?$")
            page.tab.wait_for_function(
                "(count) => window.ajaxterm.text().split('guest of ajaxconsole').length > count",
                arg=number + 2,
            )

        page.until_seen("^kept-42")
        page.log_in()
        self.assertEqual(page.problems, [])
