"""
What Prometheus is told, put together when it asks.

    consoleproxy_grants, _consoles, _viewers, _requests, _waiting, _ready     now
    consoleproxy_bytes_total{to}, consoleproxy_refused_total{why}             since the start
    consoleproxy_attach_seconds, consoleproxy_reactor_late_seconds            histograms
    process_...                                                               the client's own
"""

from __future__ import annotations

from collections.abc import Iterator

from prometheus_client import CollectorRegistry, ProcessCollector, generate_latest
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    Metric,
)
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4
from prometheus_client.registry import Collector

from consoleproxy.connections import Connections
from consoleproxy.grants import Grants
from consoleproxy.readiness import Readiness
from consoleproxy.tally import Durations, Tally

CONTENT_TYPE = CONTENT_TYPE_PLAIN_0_0_4


class Metrics(Collector):
    """
    A registry of its own.
    """

    def __init__(
        self, grants: Grants, connections: Connections, tally: Tally, readiness: Readiness
    ) -> None:
        self._grants = grants
        self._connections = connections
        self._tally = tally
        self._readiness = readiness
        self._registry = CollectorRegistry()
        self._registry.register(self)
        ProcessCollector(registry=self._registry)

    def text(self) -> bytes:
        """@return: all of it, as Prometheus reads it."""
        return generate_latest(self._registry)

    def describe(self) -> list[Metric]:
        # Else the registry would collect once to know the names.
        return []

    def collect(self) -> Iterator[Metric]:
        connections = self._connections
        for name, help, value in (
            ("grants", "Grants that are known.", len(self._grants)),
            ("consoles", "Consoles that somebody is connected to.", connections.consoles),
            ("viewers", "Open WebSockets.", connections.count("socket")),
            ("requests", "Plain requests being answered.", connections.count("request")),
            ("waiting", "Requests that wait for an unknown grant.", self._grants.waiting),
            ("ready", "Whether to send people here.", not self._readiness.why_not()),
        ):
            yield GaugeMetricFamily(f"consoleproxy_{name}", help, value)
        moved = CounterMetricFamily(
            "consoleproxy_bytes", "Bytes through WebSockets.", labels=["to"]
        )
        for to, count in zip(("browser", "console"), connections.moved, strict=True):
            moved.add_metric([to], count)
        yield moved
        refused = CounterMetricFamily(
            "consoleproxy_refused", "Requests that were refused.", labels=["why"]
        )
        for why, count in sorted(self._tally.refused.items()):
            refused.add_metric([why], count)
        yield refused
        yield _histogram(
            "consoleproxy_attach_seconds",
            "From a WebSocket's request to its answer.",
            self._tally.attaching,
        )
        yield _histogram(
            "consoleproxy_reactor_late_seconds",
            "How much later than wanted the reactor came to something.",
            self._tally.lateness,
        )


def _histogram(name: str, help: str, durations: Durations) -> Metric:
    buckets, below = [], 0
    for bound, count in zip((*durations.BOUNDS, "+Inf"), durations.counts, strict=True):
        below += count
        buckets.append((str(bound), below))
    return HistogramMetricFamily(name, help, buckets=buckets, sum_value=durations.total)
