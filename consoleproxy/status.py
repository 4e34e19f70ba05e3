"""
What is told to those who watch over a proxy, at an endpoint of its own.

  GET /healthz    200 while it answers at all
  GET /readyz     200, or 503 and why nobody should be sent here now
  GET /metrics    for Prometheus
"""

from __future__ import annotations

from collections.abc import Callable

from twisted.application.service import Service
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.web.resource import Resource
from twisted.web.server import Request

from consoleproxy.metrics import CONTENT_TYPE, Metrics
from consoleproxy.readiness import Readiness
from consoleproxy.tally import Durations
from groundwork.manners import be_strict


class StatusResource(Resource):
    isLeaf = True

    def __init__(self, readiness: Readiness, metrics: Metrics) -> None:
        super().__init__()
        self._readiness = readiness
        self._paths: dict[bytes, Callable[[Request], bytes]] = {
            b"/healthz": lambda request: b"It lives.\n",
            b"/readyz": self._ready,
            b"/metrics": self._metrics,
        }
        self._measures = metrics

    def render(self, request: Request) -> bytes:
        be_strict(request)
        request.setHeader("Content-Type", "text/plain; charset=utf-8")
        answer = self._paths.get(request.path)
        if answer is None:
            request.setResponseCode(404)
            return b"There are /healthz, /readyz and /metrics.\n"
        if request.method not in (b"GET", b"HEAD"):
            request.setResponseCode(405)
            request.setHeader("Allow", "GET, HEAD")
            return b"This can only be read.\n"
        body = answer(request)
        request.setHeader("Content-Length", str(len(body)))
        return body if request.method == b"GET" else b""

    def _ready(self, request: Request) -> bytes:
        why_not = self._readiness.why_not()
        if why_not:
            request.setResponseCode(503)
        return (why_not or "Ready.").encode("ascii") + b"\n"

    def _metrics(self, request: Request) -> bytes:
        request.setHeader("Content-Type", CONTENT_TYPE)
        return self._measures.text()


class Lateness(Service):
    """
    Measures how late the reactor is.

    @cvar EVERY: seconds between two looks.
    """

    EVERY = 0.25

    def __init__(self, clock: IReactorTime, durations: Durations) -> None:
        self._clock = clock
        self._durations = durations
        self._due = 0.0
        self._looking: IDelayedCall | None = None

    def startService(self) -> None:
        super().startService()
        self._wait()

    def stopService(self) -> None:
        super().stopService()
        if self._looking is not None:
            self._looking.cancel()
            self._looking = None

    def _wait(self) -> None:
        self._due = self._clock.seconds() + self.EVERY
        self._looking = self._clock.callLater(self.EVERY, self._look)

    def _look(self) -> None:
        self._durations.add(max(0.0, self._clock.seconds() - self._due))
        self._wait()
