"""
Tests for L{consoleproxy.status}, L{consoleproxy.metrics} and L{consoleproxy.readiness}.
"""

from __future__ import annotations

import re

from prometheus_client.parser import text_string_to_metric_families
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from consoleproxy.metrics import Metrics
from consoleproxy.readiness import Readiness
from consoleproxy.status import Lateness, StatusResource
from consoleproxy.tally import Durations, Tally
from tests.consoleproxy.sockets import PipeTestCase
from tests.consoleproxy.stage import SECRET, TOKEN
from tests.websocket import Wire


class _Status(PipeTestCase):
    def setUp(self) -> None:
        super().setUp()
        resource = self.stage.resource
        self.readiness = Readiness(self.stage.clock, lambda: resource.leaving)
        self.tally = resource._tally
        metrics = Metrics(self.stage.grants, resource.connections, self.tally, self.readiness)
        self.wire = Wire(StatusResource(self.readiness, metrics))

    def ready(self) -> tuple[int, bytes]:
        answer = self.wire.ask("GET", "/readyz")
        return answer.status, answer.body

    def measures(self) -> dict[str, float]:
        """
        @return: all samples, by name and labels.
        """
        text = self.wire.ask("GET", "/metrics").body.decode()
        return {
            sample.name + "".join(f" {v}" for v in sample.labels.values()): sample.value
            for family in text_string_to_metric_families(text)
            for sample in family.samples
        }


class HealthTests(_Status):
    def test_alive(self) -> None:
        """
        Alive it is whenever it answers, ready or not.
        """
        self.assertEqual(self.wire.ask("GET", "/healthz").status, 200)
        self.assertEqual(self.wire.ask("HEAD", "/healthz").body, b"")

    def test_ready(self) -> None:
        """
        Two seconds after it has reached the broker it has heard of all grants; it stays ready
        while the broker comes and goes, until it is stopped.
        """
        self.assertEqual(self.ready(), (503, b"The message broker was not reached yet.\n"))
        self.readiness.connected()
        self.assertEqual(self.ready(), (503, b"The agents are just telling their grants.\n"))
        self.stage.clock.advance(2)
        self.assertEqual(self.ready(), (200, b"Ready.\n"))
        self.readiness.connected()
        self.assertEqual(self.ready()[0], 200)
        self.stage.resource.leaving = True
        self.assertEqual(self.ready(), (503, b"It is being stopped.\n"))

    def test_nothing_else(self) -> None:
        """
        There are three paths, to be read.
        """
        self.assertEqual(self.wire.ask("GET", "/").status, 404)
        self.assertEqual(self.wire.ask("GET", f"/?token={TOKEN}").status, 404)
        self.assertEqual(self.wire.ask("POST", "/metrics").status, 405)


class MetricsTests(_Status):
    def test_measures(self) -> None:
        """
        Prometheus reads who is here, what was moved, and why somebody was refused.
        """
        browser, backend = self.piped()
        backend.say(b"output")
        browser.say(b"key")
        self.settle()
        self.stage.ask("GET", "/nothing")
        self.stage.ask("GET", f"/?token={'W' * 43}")
        self.stage.ask_console(Host="evil.example")

        measures = self.measures()

        for name, value in {
            "consoleproxy_grants": 1,
            "consoleproxy_consoles": 1,
            "consoleproxy_viewers": 1,
            "consoleproxy_requests": 0,
            "consoleproxy_waiting": 0,
            "consoleproxy_ready": 0,
            "consoleproxy_bytes_total browser": 6,
            "consoleproxy_bytes_total console": 3,
            "consoleproxy_refused_total nothing": 1,
            "consoleproxy_refused_total unknown": 1,
            "consoleproxy_refused_total stranger": 1,
            "consoleproxy_attach_seconds_count": 1,
            "consoleproxy_attach_seconds_bucket +Inf": 1,
            "consoleproxy_reactor_late_seconds_count": 0,
        }.items():
            self.assertEqual(measures[name], value, name)
        self.assertGreater(measures["process_resident_memory_bytes"], 1e6)

    def test_nothing_private(self) -> None:
        """
        Neither tokens nor names of grants, users or hosts are in it.
        """
        self.piped()
        text = self.wire.ask("GET", "/metrics").body.decode()

        self.assertEqual(re.findall(rf"{SECRET}|{TOKEN}|g0123|ann|192\.0\.2", text), [])

    def test_two_in_one_process(self) -> None:
        """
        Each proxy has a registry of its own.
        """
        self.setUp()
        self.assertEqual(self.measures()["consoleproxy_grants"], 1)


class DurationsTests(SynchronousTestCase):
    def test_classes(self) -> None:
        """
        A duration is in the first class that is long enough for it.
        """
        durations = Durations()
        for seconds in (0.0, 0.001, 0.0011, 10.0, 11.0):
            durations.add(seconds)

        self.assertEqual(durations.counts, [2, 1, *[0] * 10, 1, 1])
        self.assertAlmostEqual(durations.total, 21.0021)

    def test_lateness(self) -> None:
        """
        A reactor that was kept busy for a second is that much late.
        """
        clock, tally = Clock(), Tally()
        lateness = Lateness(clock, tally.lateness)
        lateness.startService()

        clock.advance(Lateness.EVERY)
        clock.advance(Lateness.EVERY + 1.0)
        lateness.stopService()

        self.assertEqual((sum(tally.lateness.counts), tally.lateness.total), (2, 1.0))
        self.assertEqual(clock.getDelayedCalls(), [])
