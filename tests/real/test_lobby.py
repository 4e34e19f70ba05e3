"""
The lobby in a real browser.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import bcrypt
from twisted.trial.unittest import SynchronousTestCase

from demo.guest import Guest
from tests.real.daemons import AllInOne
from tests.real.known import known
from tests.real.page import SCREENSHOTS, Page
from tests.real.parts import MISSING, PATIENCE, browser, new_guest, shared_libvirt
from tests.real.viewer import Viewer, token_of

SIZES = {
    "wide-dark": (1280, 720, "dark"),
    "wide-light": (1280, 720, "light"),
    "phone-dark": (360, 740, "dark"),
    "phone-light": (360, 740, "light"),
}

_TABS = 60
"""Presses of Tab, at the most, to come to anything on the page."""


class LobbyTests(SynchronousTestCase):
    """
    What a user sees who knows no more than the address.
    """

    skip = MISSING

    def setUp(self) -> None:
        password = known.add("password", os.urandom(8).hex())
        self.login = ("ann", password)
        self.guest = new_guest(self, "web1")
        self.off = Guest(shared_libvirt(), "off1")
        self.off.define()
        self.addCleanup(self.off.undefine)
        users = Path(self.mktemp())
        users.write_text(f"ann:{bcrypt.hashpw(password.encode(), bcrypt.gensalt(4)).decode()}\n")
        self.console = AllInOne(self, "--users", str(users.absolute()), auth=self.login)
        self.console.until_active(self.guest)
        self.console.until(lambda: self.console.api.status(self.off) == "SHUTOFF", "off1 is known")
        chromium = browser()
        self.chromium = chromium.__enter__()
        self.addCleanup(chromium.__exit__, None, None, None)

    def login_page(self, **how: Any) -> Any:
        """
        @return: a tab with the lobby's form in it.
        """
        context = self.chromium.new_context(**how)
        context.set_default_timeout(PATIENCE * 1000)
        tab = context.new_page()
        self.problems: list[str] = []
        tab.on("pageerror", lambda error: self.problems.append(str(error)))
        tab.on(
            "console",
            lambda said: self.problems.append(said.text) if said.type == "error" else None,
        )
        tab.goto(self.console.api.root)
        tab.get_by_label("User").wait_for()
        return tab

    def lobby(self, **how: Any) -> Any:
        """
        @return: a tab with the lobby's table in it.
        """
        tab = self.login_page(**how)
        name, password = self.login
        tab.keyboard.type(name)
        tab.keyboard.press("Tab")
        tab.keyboard.type(password)
        tab.keyboard.press("Enter")
        self.row(tab, "web1").wait_for()
        for cookie in tab.context.cookies():
            known.add("session", cookie["value"])
        return tab

    def row(self, tab: Any, name: str) -> Any:
        return tab.get_by_role("row").filter(has=tab.get_by_text(name, exact=True))

    def guest_host(self) -> str:
        shown = self.console.api.get(f"v2.1/servers/{self.guest.uuid}").json()["server"]
        return str(shown["OS-EXT-SRV-ATTR:host"])

    def test_button_opens_the_console_in_a_tab(self) -> None:
        tab = self.lobby()

        with tab.context.expect_page() as opened:
            tab.get_by_role("button", name=f"Open console of web1 on {self.guest_host()}").click()
        page = Page(opened.value)
        page.until_connected()
        page.log_in()

        self.row(tab, "web1").get_by_text("open, 1 viewer: ann").wait_for()
        self.assertNotIn("token", opened.value.url)
        self.assertIsNone(opened.value.evaluate("window.opener"))
        self.assertEqual((self.problems, page.problems), ([], []))

    def test_guest_that_is_off_says_why_and_follows(self) -> None:
        """
        It is started elsewhere, and the page, untouched, comes to offer it.
        """
        tab = self.lobby()
        row = self.row(tab, "off1")
        button = row.get_by_role("button", name="Open console")
        self.assertTrue(button.is_disabled())
        self.assertIn("The guest is not running", row.inner_text())

        self.off.start()
        self.addCleanup(self.off.destroy)

        row.get_by_text("running", exact=True).wait_for()
        self.assertTrue(button.is_enabled())

    def test_filter(self) -> None:
        tab = self.lobby()

        tab.keyboard.press("Shift+Tab")
        tab.keyboard.press("/")
        tab.keyboard.type("WEB1 running")
        self.row(tab, "off1").wait_for(state="detached")
        self.assertTrue(self.row(tab, "web1").is_visible())
        tab.keyboard.type(" nonsense")
        tab.get_by_text("No guest fits").wait_for()
        tab.get_by_role("button", name="Clear the filter").click()

        self.row(tab, "off1").wait_for()

    def test_refusal_is_said_at_the_guest(self) -> None:
        """
        It went down after the page had last asked.
        """
        tab = self.lobby()
        tab.route("**/lobby/guests*", lambda route: None)
        self.guest.destroy()

        with tab.context.expect_page() as opened:
            self.row(tab, "web1").get_by_role("button", name="Open console").click()
        self.row(tab, "web1").get_by_text("is not running").wait_for()

        self.assertTrue(opened.value.is_closed())

    def test_tab_that_was_kept_from_opening_is_offered(self) -> None:
        tab = self.lobby()
        tab.evaluate("window.open = () => null")

        self.row(tab, "web1").get_by_role("button", name="Open console").click()
        link = tab.get_by_role("link", name="open the console of web1")
        link.wait_for()
        with tab.context.expect_page() as opened:
            link.click()

        Page(opened.value).until_connected()

    def test_server_that_goes_away_and_comes_back(self) -> None:
        """
        What is shown stays, marked as perhaps out of date.
        """
        tab = self.lobby()
        tab.context.set_offline(True)
        tab.get_by_role("alert").get_by_text("The server does not answer").wait_for()
        self.assertTrue(self.row(tab, "web1").is_visible())

        tab.context.set_offline(False)

        tab.get_by_role("alert").wait_for(state="hidden")

    def shot(self, tab: Any, name: str) -> None:
        SCREENSHOTS.mkdir(parents=True, exist_ok=True)
        tab.screenshot(path=SCREENSHOTS / f"lobby-{name}.png")

    def accessible(self, tab: Any) -> None:
        from axe_playwright_python.sync_playwright import Axe

        found = Axe().run(tab)
        self.assertEqual(found.violations_count, 0, found.generate_report())

    def someone_watches(self) -> Viewer:
        """
        @return: a viewer of web1, so that its row is a full one.
        """
        viewer = Viewer(self, self.console.api.url(self.guest))
        return viewer

    def test_fits_every_screen(self) -> None:
        """
        In both themes, without a word cut off, and for those who can't see it.
        """
        self.someone_watches()
        for name, (width, height, scheme) in SIZES.items():
            how = {"viewport": {"width": width, "height": height}, "color_scheme": scheme}
            tab = self.login_page(**how)
            self.accessible(tab)
            self.shot(tab, f"login-{name}")
            self.assertEqual(self.problems, [])
            tab.context.close()
            tab = self.lobby(**how)
            self.row(tab, "web1").get_by_text("open, 1 viewer: ann").wait_for()
            self.shot(tab, name)

            self.accessible(tab)
            self.assertLessEqual(tab.evaluate("document.documentElement.scrollWidth"), width)
            self.assertEqual(self.problems, [])
            tab.context.close()

    def tab_to(self, tab: Any, name: str) -> None:
        """
        Press Tab until what has that name has the focus.
        """
        passed = []
        for _ in range(_TABS):
            tab.keyboard.press("Tab")
            passed.append(tab.evaluate("document.activeElement.textContent"))
            if passed[-1].startswith(name):
                return
        raise AssertionError(f"no way by Tab to {name!r}, but {passed[:10]}")

    def test_by_keyboard_alone(self) -> None:
        """
        Log in, filter, open, watch, copy a link, end, log out; the mouse is never used.
        """
        tab = self.lobby()
        tab.context.grant_permissions(["clipboard-read", "clipboard-write"])
        tab.keyboard.type("web1")
        self.row(tab, "off1").wait_for(state="detached")

        self.tab_to(tab, "Open console")
        with tab.context.expect_page() as opened:
            tab.keyboard.press("Enter")
        page = Page(opened.value)
        page.until_connected()
        page.tab.close()
        tab.bring_to_front()
        self.tab_to(tab, "Watch")
        with tab.context.expect_page() as opened:
            tab.keyboard.press("Space")
        watching = Page(opened.value)
        watching.until_connected()
        tab.bring_to_front()
        self.tab_to(tab, "Copy link")
        tab.keyboard.press("Enter")
        self.row(tab, "web1").get_by_text("can watch").wait_for()
        url = tab.evaluate("navigator.clipboard.readText()")
        token_of(url)
        colleague = Viewer(self, url)
        self.assertEqual(colleague.hello["mode"], "ro")
        self.shot(tab, "shared")

        self.tab_to(tab, "End")
        tab.keyboard.press("Enter")
        self.row(tab, "web1").get_by_role("button", name="End for all?").wait_for()
        self.assertIsNone(colleague.closed)
        tab.keyboard.press("Enter")
        self.row(tab, "web1").get_by_text("The console was ended").wait_for()
        self.assertEqual(colleague.until_closed(), 1000)
        self.tab_to(tab, "Log out")
        tab.keyboard.press("Enter")
        tab.get_by_label("User").wait_for()
        self.assertTrue(tab.evaluate("document.activeElement.id") == "login-user")
        self.assertEqual(self.problems, [])

    def test_wrong_password(self) -> None:
        tab = self.login_page()
        tab.keyboard.type("ann")
        tab.keyboard.press("Tab")
        tab.keyboard.type("wrong-password")
        tab.keyboard.press("Enter")

        tab.get_by_role("alert").get_by_text("The user name or the password is wrong").wait_for()
        self.assertEqual(tab.evaluate("document.activeElement.id"), "login-password")
        self.accessible(tab)

    def test_loaded_again_it_is_still_logged_in(self) -> None:
        tab = self.lobby()

        tab.reload()

        self.row(tab, "web1").wait_for()
        self.assertFalse(tab.get_by_label("Password").is_visible())
        self.assertEqual(self.problems, [])
