"""
C{twistd consoleproxy}: options become a proxy.
"""

from __future__ import annotations

import os
import re
import sys
from pathlib import Path
from typing import Any

from twisted.application.service import MultiService
from twisted.python import usage

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
from consoleproxy.web import ProxyResource
from consolesettings.options import SettingsOptions
from groundwork.listening import listening
from groundwork.manners import HostRule, OriginRule
from groundwork.monotonic import MonotonicClock
from groundwork.outside import KINDS, Outside
from groundwork.site import BoundedSite


class ProxyOptions(SettingsOptions):
    """
    What a proxy needs to know; the all-in-one takes them too.
    """

    section = "consoleproxy"
    optParameters = [
        ["cookie-key", None, None, "File with the key that all proxies share; made if missing."],
        ["base-path", None, "/", "Path of this server's root as browsers see it."],
        ["status-listen", None, None, "Endpoint for /healthz, /readyz and /metrics."],
        ["trusted-header", None, KINDS[0], "What trusted proxies write: x-forwarded or forwarded."],
    ]
    repeatable = {
        "trusted-proxy": "Address or network of a reverse proxy that tells who asks, or unix",
        "allowed-host": "A name under which browsers reach this server",
        "allowed-origin": "An origin whose pages may open consoles, such as https://horizon.example",
    }

    def postOptions(self) -> None:
        if not re.fullmatch(r"/(?:[A-Za-z0-9._~-]+/)*", self["base-path"]):
            raise usage.UsageError("--base-path begins and ends with a slash, such as /consoles/")
        if self["base-path"] == "/console/":
            raise usage.UsageError("--base-path /console/ is below us already; take another one")
        try:
            self["outside"] = Outside(
                self["trusted-proxy"],
                self["trusted-header"],
                self["base-path"],
                HostRule(self["allowed-host"]),
            )
        except ValueError as error:
            raise usage.UsageError(str(error)) from None


class Options(ProxyOptions):
    """
    C{twistd consoleproxy}.
    """

    synopsis = "[options]"
    longdesc = (
        "Takes the console URLs that the API hands out: exchanges their token for a cookie and "
        "carries the bytes between browsers and the consoles on the hosts."
    )
    optParameters = [
        ["bus", "b", None, "URL of the bus: amqp://USER:PASSWORD@HOST:PORT/VHOST"],
        ["listen", "l", "tcp:6083:interface=127.0.0.1", "Endpoint to listen on."],
    ]

    def postOptions(self) -> None:
        super().postOptions()
        if not self["bus"] or self["bus"].startswith("memory"):
            raise usage.UsageError(
                "--bus: a proxy of its own needs a broker, amqp://...; "
                "for one host without one there is 'ajaxconsole up'"
            )


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


def makeService(options: Options) -> MultiService:
    """Called by C{twistd}."""
    from twisted.internet import reactor

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
