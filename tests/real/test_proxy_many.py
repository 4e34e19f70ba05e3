"""
Several proxies that share the work, and come and go.
"""

from __future__ import annotations

import os
import re
import signal
import time
from urllib.parse import urlsplit

import requests
from prometheus_client.parser import text_string_to_metric_families
from twisted.trial.unittest import SynchronousTestCase
from websockets.exceptions import WebSocketException

from tests.rabbit import MISSING as NO_RABBIT
from tests.rabbit import shared_rabbit
from tests.real.daemons import Daemon, Fleet
from tests.real.page import Page
from tests.real.parts import MISSING, PATIENCE, browser, free_port, new_guest, until
from tests.real.viewer import Viewer, exchange

COUNT = "i=1000; while [ $i -lt 9000 ]; do echo $i; i=$((i+1)); done\r"


class Proxy:
    """
    One more proxy of a fleet, with its status at another port.
    """

    def __init__(self, fleet: Fleet, case: SynchronousTestCase) -> None:
        self._fleet, self._case = fleet, case
        self.port, self.status = free_port(), free_port()
        self.start()

    def start(self) -> None:
        words = ["--config", str(self._fleet.settings)]
        for option, port in (("--listen", self.port), ("--status-listen", self.status)):
            words += [option, f"tcp:{port}:interface=127.0.0.1"]
        self.daemon = Daemon(self._case, "consoleproxy", *words)

    def ask(self, path: str) -> requests.Response | None:
        try:
            return requests.get(
                f"http://127.0.0.1:{self.status}/{path}", timeout=PATIENCE, proxies={"http": ""}
            )
        except requests.ConnectionError:
            return None

    def ready(self) -> bool:
        answer = self.ask("readyz")
        return answer is not None and answer.status_code == 200

    def measures(self) -> dict[str, float]:
        answer = self.ask("metrics")
        assert answer is not None
        return {
            sample.name + "".join(f" {v}" for v in sample.labels.values()): sample.value
            for family in text_string_to_metric_families(answer.text)
            for sample in family.samples
        }


class _Many(SynchronousTestCase):
    skip = MISSING or NO_RABBIT
    more = ""

    def setUp(self) -> None:
        self.guest = new_guest(self, "many1")
        self.fleet = Fleet(self, shared_rabbit().url, more=self.more)
        self.fleet.until_active(self.guest)
        self.proxies = [Proxy(self.fleet, self) for _ in range(2)]
        for proxy in self.proxies:
            proxy.daemon.until(proxy.ready, "it is ready")

    def viewer(self, proxy: Proxy) -> Viewer:
        url = self.fleet.api.url(self.guest)
        return Viewer(self, url.replace(str(self.fleet.proxy_port), str(proxy.port)))

    def move(self, viewer: Viewer, proxy: Proxy) -> bool:
        """
        As behind a load balancer, where the same name leads to another one now.
        """
        parts = urlsplit(viewer.place)
        viewer.place = f"http://127.0.0.1:{proxy.port}{parts.path}"
        try:
            viewer.reconnect()
        except (OSError, WebSocketException):
            return False
        return True

    def check(self, viewer: Viewer) -> None:
        """
        Not a byte was lost, none came twice.
        """
        numbers = [int(n) for n in re.findall(rb"^(\d{4})\r?$", viewer.output, re.M)]
        self.assertEqual(numbers, list(range(1000, 9000)))
        self.assertTrue(viewer.hello["resumed"])


class ManyTests(_Many):
    def test_one_is_killed(self) -> None:
        """
        Its viewers go on through another one, which has known their grants all the time.
        """
        first, second = self.proxies
        viewer = self.viewer(first)
        viewer.log_in(self.guest)
        viewer.type(COUNT)
        at = viewer.until_seen("1500")
        first.daemon.kill()
        viewer.until_closed()
        self.assertTrue(self.move(viewer, second))
        viewer.until_seen("8999", at)

        self.check(viewer)

    def test_one_is_stopped(self) -> None:
        """
        Its viewers are told to go elsewhere; it is not ready meanwhile, answers nobody new,
        and ends within a few seconds. Nobody loses a byte.
        """
        first, second = self.proxies
        viewer, stays = self.viewer(first), self.viewer(second)
        viewer.log_in(self.guest)
        viewer.type(COUNT)
        at = viewer.until_seen("1500")
        began = time.monotonic()
        os.kill(first.daemon.pid, signal.SIGTERM)
        self.assertEqual(viewer.until_closed(), 1001)
        end = viewer.event("end")
        assert end is not None
        self.assertEqual((end["reason"], end["retry"]), ("leaving", True))
        self.assertTrue(self.move(viewer, second))
        viewer.until_seen("8999", at)
        until(lambda: first.ask("healthz") is None, "it has ended")

        self.assertLess(time.monotonic() - began, PATIENCE / 2)
        self.check(viewer)
        self.assertIsNone(stays.closed)

    def test_restarted_one_learns_all(self) -> None:
        """
        A cookie that it does not know yet waits until the agents have told it; so does not
        even the first viewer come in vain.
        """
        first, _ = self.proxies
        viewer = self.viewer(first)
        first.daemon.kill()
        viewer.until_closed()
        first.start()
        first.daemon.until(lambda: first.ask("healthz") is not None, "it lives")
        page = requests.get(
            viewer.place, headers=viewer.headers, timeout=PATIENCE, proxies={"http": ""}
        )

        self.assertEqual(page.status_code, 200)
        first.daemon.until(first.ready, "it is ready")
        self.assertTrue(self.move(viewer, first))

    def test_page_goes_on(self) -> None:
        """
        The page comes back by itself when its proxy was stopped and started, without an error.
        """
        first, _ = self.proxies
        with browser() as chromium:
            page = Page(chromium.new_page())
            url = self.fleet.api.url(self.guest)
            page.open(url.replace(str(self.fleet.proxy_port), str(first.port)))
            page.log_in()
            page.type("echo before-$((6*7))\n")
            page.until_seen("^before-42")
            first.daemon.stop()
            page.until_state("name !== 'connected'")
            reason = page.state()["reason"]
            first.start()
            page.until_connected()
            page.type("echo after-$((6*7))\n")
            page.until_seen("^after-42")

            self.assertEqual(page.state()["way"], "websocket")
            self.assertIn(reason, ("leaving", "unreachable"))

    def test_measures(self) -> None:
        """
        Whoever watches sees viewers come and go, and why somebody was refused.
        """
        first, second = self.proxies
        viewer = self.viewer(first)
        viewer.log_in(self.guest)
        wrong = exchange(f"http://127.0.0.1:{first.port}/?token={'W' * 43}")
        measures = first.measures()

        self.assertEqual(wrong.status_code, 403)
        self.assertEqual(measures["consoleproxy_viewers"], 1)
        self.assertEqual(measures["consoleproxy_consoles"], 1)
        self.assertEqual(measures["consoleproxy_refused_total unknown"], 1)
        self.assertEqual(measures["consoleproxy_attach_seconds_count"], 1)
        self.assertGreater(measures["consoleproxy_bytes_total browser"], len(viewer.output))
        self.assertGreater(measures["consoleproxy_bytes_total console"], 0)
        self.assertGreater(measures["consoleproxy_reactor_late_seconds_count"], 4)
        self.assertEqual(second.measures()["consoleproxy_viewers"], 0)
        self.assertGreaterEqual(second.measures()["consoleproxy_grants"], 1)
        viewer.close()
        until(lambda: first.measures()["consoleproxy_viewers"] == 0, "it is seen to leave")


class ForgottenTests(_Many):
    """
    With links that live for three seconds.
    """

    more = "token-ttl = 3"

    def test_used_elsewhere(self) -> None:
        """
        A grant in use through one proxy is forgotten by the other; who comes there with its
        cookie is let in all the same, since its agent is asked.
        """
        first, second = self.proxies
        viewer = self.viewer(first)
        viewer.log_in(self.guest)
        until(lambda: second.measures()["consoleproxy_grants"] == 0, "it is forgotten there")
        first.daemon.kill()
        viewer.until_closed()

        self.assertTrue(self.move(viewer, second))
        viewer.type("echo on-$((6*7))\r")
        viewer.until_seen("on-42")

    def test_not_used(self) -> None:
        """
        Where nobody was attached for so long, it is over, and says so.
        """
        first, second = self.proxies
        viewer = self.viewer(first)
        viewer.close()
        for proxy in self.proxies:
            until(lambda: proxy.measures()["consoleproxy_grants"] == 0, "it is forgotten")  # noqa: B023

        for proxy in (second, first):
            place = viewer.place.replace(str(first.port), str(proxy.port))
            answer = requests.get(
                place, headers=viewer.headers, timeout=PATIENCE, proxies={"http": ""}
            )
            self.assertEqual(answer.status_code, 403)
            self.assertIn("Ask for ", answer.text)
