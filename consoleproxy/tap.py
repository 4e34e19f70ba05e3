"""
C{twistd consoleproxy}: what it can be told.  (What comes of it is L{consoleproxy.composing}.)
"""

from __future__ import annotations

import re

from twisted.application.service import IService
from twisted.python import usage

from consolesettings.options import SettingsOptions
from groundwork.manners import HostRule
from groundwork.outside import KINDS, Outside
from groundwork.tls import spare_tls


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


def makeService(options: Options) -> IService:
    """Called by C{twistd}."""
    spare_tls(options["bus"], options["listen"], options["status-listen"])

    from consoleproxy.composing import make_service

    return make_service(options)
