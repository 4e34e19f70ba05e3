"""
Options become a proxy.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

from twisted.application.service import MultiService

from consolebus.connect import bus_from_url
from consolebus.ibus import IConsoleBus
from consoleproxy.carrier import Carrier
from consoleproxy.cookies import KEY_LENGTH, BadKey, Cookies, load_key
from consoleproxy.embedding import embeddable
from consoleproxy.grants import Grants
from consoleproxy.leaving import Leaving
from consoleproxy.readiness import Readiness
from consoleproxy.relay import Relay
from consoleproxy.service import ProxyService
from consoleproxy.tally import Tally
from consoleproxy.tap import Options, ProxyOptions
from consoleproxy.web import ProxyResource
from groundwork.listening import listening
from groundwork.manners import HostRule, OriginRule
from groundwork.monotonic import MonotonicClock
from groundwork.settled import settle_when_running
from groundwork.site import BoundedSite


def make_proxy(
    reactor: Any, options: ProxyOptions, bus: IConsoleBus
) -> tuple[ProxyService, ProxyResource]:
    """
    Put a proxy together.

    @raise BadKey: the cookie key can't be had.
    @raise ValueError: something else that was given can't be used; a sentence.
    """
    clock = MonotonicClock(reactor)
    key = load_key(Path(options["cookie-key"])) if options["cookie-key"] else os.urandom(KEY_LENGTH)
    grants = Grants(clock, lambda name: bus.fanout("compute", "announce", {"grant": name}))
    origins = OriginRule(options["allowed-origin"])
    relay = Relay(reactor, embeddable(options["allowed-origin"]))
    tally = Tally()
    resource = ProxyResource(
        reactor,
        grants,
        Cookies(key, options["base-path"]),
        relay,
        HostRule(options["allowed-host"]),
        origins,
        lambda: bus.connected,
        Carrier(reactor),
        tally,
    )
    readiness = Readiness(clock, lambda: resource.leaving)
    status = None
    if options["status-listen"]:
        # Its library takes 27 ms and 1 MB (measured), which nobody else needs.
        from consoleproxy.metrics import Metrics
        from consoleproxy.status import Lateness, StatusResource

        metrics = Metrics(grants, resource.connections, tally, readiness)
        status = MultiService()
        site = BoundedSite(StatusResource(readiness, metrics), reactor)
        listening(options["status-listen"], site, "--status-listen").setServiceParent(status)
        Lateness(clock, tally.lateness).setServiceParent(status)
    leaving = Leaving(reactor, resource)
    service = ProxyService(clock, bus, grants, relay, resource, readiness, leaving, status)
    return service, resource


def make_service(options: Options) -> MultiService:
    """
    @raise SystemExit: it can't be; with a sentence.
    """
    from twisted.internet import reactor

    settle_when_running(reactor)

    try:
        bus = bus_from_url(options["bus"], reactor)
        service, resource = make_proxy(reactor, options, bus)
        served = listening(
            options["listen"], BoundedSite(resource, reactor, outside=options["outside"])
        )
    except (BadKey, ValueError) as error:
        sys.exit(f"consoleproxy: {error}")
    together = MultiService()
    service.setServiceParent(together)
    served.setServiceParent(together)
    return together
