"""
Several people at one console, each in a tab of Chromium.
"""

from __future__ import annotations

from typing import Any

import requests
from twisted.trial.unittest import SynchronousTestCase
from websockets.sync.client import connect

from tests.real.page import Page
from tests.real.pagestage import Stage
from tests.real.parts import PATIENCE, browser, until


class SharingTests(SynchronousTestCase):
    """
    Who is there, who types, and what the others see of it.
    """

    def setUp(self) -> None:
        self.stage = Stage(self)
        chromium = browser()
        self.browser = chromium.__enter__()
        self.addCleanup(chromium.__exit__, None, None, None)

    def tab(self, user: str, mode: str = "rw") -> Page:
        page = Page(self.browser.new_context().new_page())
        page.open(self.stage.door(user, mode).url)
        return page

    def keyboard(self, page: Page) -> str:
        return str(page.tab.locator("#keyboard").inner_text())

    def test_takeover(self) -> None:
        """
        Bob takes the keyboard from Ann and says so by that; what Ann types then goes nowhere,
        and she is told; she takes it back, and gives it to all.
        """
        ann, bob = self.tab("ann"), self.tab("bob")
        ann.until_state("viewers.length === 2")
        ann.type("a")
        bob.type("b")
        until(lambda: sorted(self.stage.line.typed) == [97, 98], "both can type")

        bob.tab.locator("#keyboard").click()
        ann.until_said("bob (v2) has taken the keyboard.")
        self.assertEqual((self.keyboard(ann), self.keyboard(bob)), ("bob", "Yours"))
        self.assertIn("dimmed", ann.tab.locator("#terminal").get_attribute("class"))
        ann.tab.locator(".xterm-helper-textarea").focus()
        ann.type("lost")
        ann.until_said("bob (v2) has the keyboard")
        bob.type("B")
        self.stage.line.until_typed(b"B")
        self.assertNotIn(b"l", self.stage.line.typed)

        ann.tab.locator("#keyboard").click()
        bob.until_said("ann (v1) has taken the keyboard.")
        ann.type("A")
        self.stage.line.until_typed(b"A")
        ann.tab.locator("#keyboard").click()
        bob.until_said("ann (v1) has given the keyboard back to all.")
        self.assertEqual((self.keyboard(ann), self.keyboard(bob)), ("Shared", "Shared"))
        self.assertEqual(ann.problems + bob.problems, [])

    def test_given_by_the_list(self) -> None:
        """
        Who has the keyboard gives it to one of the others, in the list of those who are there.
        """
        ann, bob, eve = self.tab("ann"), self.tab("bob"), self.tab("eve", "ro")
        ann.until_state("viewers.length === 3")
        ann.tab.locator("#keyboard").click()
        ann.until_state("keyboard === viewer")

        ann.tab.locator("#viewers summary").click()
        lines = ann.tab.locator("#viewers li").all_inner_texts()
        ann.tab.get_by_role("button", name="Give keyboard").click()

        bob.until_said("ann (v1) has given you the keyboard.")
        eve.until_said("ann (v1) has given the keyboard to bob (v2).")
        self.assertEqual(
            [" ".join(line.split()) for line in lines],
            ["ann (you) has the keyboard", "bob may type Give keyboard", "eve read-only"],
        )

    def test_watching_is_all(self) -> None:
        """
        Who may only watch can't type, by the page or past it.
        """
        door = self.stage.door("eve", "ro")
        eve = Page(self.browser.new_context().new_page())
        eve.open(door.url)
        eve.type("from the page")
        eve.until_said("Read-only")

        base = door.direct.replace("http:", "ws:")
        wanted: Any = ["ajaxterm.v1"]
        with connect(f"{base}ws", subprotocols=wanted) as forged:
            forged.send('{"do": "attach", "resume": null, "offset": null}')
            forged.send(b"by a WebSocket")
            forged.send('{"do": "take_keyboard"}')
            said = ""
            while "take_keyboard" not in said:
                said += str(forged.recv(PATIENCE))
        first = requests.post(f"{door.direct}poll", json={"seen": 0, "wait": 0}, timeout=PATIENCE)
        key = first.text.partition('"resume":"')[2].partition('"')[0]
        refused = requests.post(
            f"{door.direct}input",
            data=b"by a request",
            headers={"X-Ajaxterm-Resume": key, "X-Ajaxterm-At": "0"},
            timeout=PATIENCE,
        )

        self.assertEqual(said.count('"refused"'), 2, said)
        self.assertEqual(refused.status_code, 403)
        ann = self.tab("ann")
        ann.type("x")
        self.stage.line.until_typed(b"x")
        self.assertEqual(self.stage.line.typed, b"x")

    def test_end_session(self) -> None:
        """
        Who ends the session is asked first; then it ends for everybody.
        """
        ann, bob = self.tab("ann"), self.tab("bob")

        ann.menu("End session")
        ann.tab.keyboard.press("Escape")
        self.assertEqual(ann.state()["name"], "connected")
        ann.menu("End session")
        ann.tab.get_by_role("dialog").get_by_role("button", name="End session").click()

        ann.until_state("name === 'ended'")
        bob.until_state("name === 'ended'")
        self.assertIn("ann", bob.tab.locator("#detail").inner_text())

    def test_notices_last(self) -> None:
        """
        What the agent has found lasts, can be put away, and be had again.
        """
        ann = self.tab("ann")
        self.stage.order(do="notice", name="other-reader", message="virsh console reads as well.")
        card = ann.tab.locator(".card", has_text="virsh console reads as well.")
        card.wait_for()

        card.get_by_role("button", name="Close").click()
        self.assertEqual(card.count(), 0)
        ann.tab.get_by_role("button", name="1 notice").click()
        card.wait_for()
        self.stage.order(do="notice", name="other-reader", message="")

        card.wait_for(state="detached")

    def test_break_and_sysrq_where_they_can_be(self) -> None:
        """
        Neither is there until the guest's device can take it; then the agent hears of it.
        """
        ann = self.tab("ann")
        self.assertFalse(ann.tab.locator("#menu", has_text="Send BREAK").is_visible())
        self.stage.order(do="abilities", abilities=["break", "sysrq"])
        ann.tab.wait_for_function("() => window.ajaxterm.state().abilities.includes('break')")

        ann.menu("Send BREAK")
        heard = self.stage.until_told("wish")
        ann.tab.locator("#menu-button").click()
        ann.tab.get_by_label("Magic SysRq").select_option("b")
        ann.tab.get_by_role("button", name="Send", exact=True).click()
        ann.tab.get_by_role("dialog").get_by_role("button", name="Send").click()
        again = self.stage.until_told("wish")

        self.assertEqual((heard["what"], heard["user"]), ("break", "ann"))
        self.assertEqual((again["what"], again["key"]), ("sysrq", "b"))


class CountdownTests(SynchronousTestCase):
    """
    A console that ends since nobody types says so before.
    """

    def test_stay(self) -> None:
        """
        Its tab counts down; I{Stay} calls it off.
        """
        with browser() as chromium:
            stage = Stage(self, "--input-timeout", "4")
            page = Page(chromium.new_context().new_page())
            page.open(stage.door("ann").url)
            card = page.tab.locator(".card", has_text="Nobody has typed here")
            card.wait_for()
            page.tab.get_by_role("button", name="Stay").click()
            card.wait_for(state="detached")

            self.assertEqual(page.state()["name"], "connected")
            page.until_state("name === 'ended' && reason === 'input'")
