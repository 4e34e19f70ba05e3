"""
A grant that is over, at every proxy.
"""

from __future__ import annotations

import os
import re
import signal
import time
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from tests.rabbit import MISSING as NO_RABBIT
from tests.rabbit import shared_rabbit
from tests.real.daemons import Daemon, Fleet
from tests.real.page import Page
from tests.real.parts import MISSING, browser, free_port, new_guest
from tests.real.revoke import revoke
from tests.real.viewer import Viewer, exchange


class RevocationTests(SynchronousTestCase):
    """
    Two proxies, one grant.
    """

    skip = MISSING or NO_RABBIT

    def setUp(self) -> None:
        self.guest = new_guest(self, "revoked1")
        self.fleet = Fleet(self, shared_rabbit().url)
        self.fleet.until_active(self.guest)
        port = free_port()
        listen = f"tcp:{port}:interface=127.0.0.1"
        words = ("--config", str(self.fleet.settings), "--listen", listen)
        self.second = Daemon(self, "consoleproxy", *words)
        self.url = self.fleet.api.url(self.guest)
        self.elsewhere = self.url.replace(str(self.fleet.proxy_port), str(port))
        self.second.until(self.is_known_elsewhere, "the second proxy knows the grant")

    def is_known_elsewhere(self) -> bool:
        try:
            return exchange(self.elsewhere).status_code == 303
        except OSError:
            return False

    def revoke(self, viewer: Viewer) -> float:
        match = re.search("g[0-9a-f]{16}", viewer.place)
        assert match is not None
        return revoke(shared_rabbit().url, self.fleet.host, match[0])

    def test_at_every_proxy(self) -> None:
        """
        Its viewers are told and closed; those of another grant go on.
        """
        viewers = [Viewer(self, self.url), Viewer(self, self.elsewhere)]
        other = Viewer(self, self.fleet.api.url(self.guest))

        asked = self.revoke(viewers[0])
        for viewer in viewers:
            self.assertEqual(viewer.until_closed(), 4003)
            self.assertEqual(viewer.event("end"), self.end_of(viewer))
        took = time.monotonic() - asked

        other.type("\r")
        seen = len(other.output)
        other.until(lambda: len(other.output) > seen, "it goes on")
        self.assertEqual(
            [exchange(url).status_code for url in (self.url, self.elsewhere)], [403] * 2
        )
        # A second is promised, on a machine that is not as busy as this may be.
        self.assertLess(took, 10)

    def end_of(self, viewer: Viewer) -> dict[str, Any]:
        end = viewer.event("end")
        assert end is not None
        return {**end, "reason": "revoked", "retry": False}

    def test_page_does_not_come_back(self) -> None:
        """
        The page says so, and asks for nothing more; its link says what to do.
        """
        viewer = Viewer(self, self.url)
        with browser() as chromium:
            page = Page(chromium.new_page())
            page.open(self.elsewhere)
            self.revoke(viewer)
            page.until_state("name === 'ended'")
            asked: list[str] = []
            page.tab.on("request", lambda request: asked.append(request.url))
            page.tab.on("websocket", lambda socket: asked.append(socket.url))
            page.tab.wait_for_timeout(3000)

            self.assertEqual(page.state()["reason"], "revoked")
            self.assertEqual(asked, [])
            answer = page.tab.goto(self.elsewhere)
            self.assertEqual(answer.status, 403)
            page.tab.get_by_text("Ask for the console again").wait_for()

    def test_stuck_console(self) -> None:
        """
        A console that can't say goodbye does not keep anybody in.
        """
        viewers = [Viewer(self, self.url), Viewer(self, self.elsewhere)]
        [terminal] = self.fleet.agent.children("ajaxterm")
        os.kill(terminal, signal.SIGSTOP)
        try:
            self.revoke(viewers[0])
            self.assertEqual([viewer.until_closed() for viewer in viewers], [1006, 1006])
        finally:
            os.kill(terminal, signal.SIGCONT)
