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

SIZES = {"wide": (1280, 720, "dark"), "phone": (360, 740, "light")}


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

        tab.keyboard.press("/")
        tab.keyboard.type("WEB1 running")
        self.row(tab, "off1").wait_for(state="detached")
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

    def test_fits_every_screen(self) -> None:
        SCREENSHOTS.mkdir(parents=True, exist_ok=True)
        for name, (width, height, scheme) in SIZES.items():
            tab = self.lobby(viewport={"width": width, "height": height}, color_scheme=scheme)
            tab.screenshot(path=SCREENSHOTS / f"lobby-{name}.png")

            self.assertLessEqual(tab.evaluate("document.documentElement.scrollWidth"), width)
            self.assertEqual(self.problems, [])
