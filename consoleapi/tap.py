"""
C{twistd consoleapi}: what it can be told.  (What comes of it is L{consoleapi.composing}.)
"""

from __future__ import annotations

from twisted.application.service import IService
from twisted.python import usage

from consoleapi import ratelimits
from consoleapi.addresses import parse_proxy_url
from consoleapi.listening import is_private
from consoleapi.ratelimits import parse_limit
from consolesettings.options import SettingsOptions
from groundwork.manners import HostRule
from groundwork.outside import KINDS, Outside
from groundwork.tls import spare_tls


class ApiOptions(SettingsOptions):
    """
    What an API needs to know; the all-in-one takes them too.  Its composer adds
    C{listen}, one endpoint or a list.
    """

    section = "consoleapi"
    optParameters = [
        ["users", "u", None, "File of who may log in, made by htpasswd -B."],
        ["policy", None, None, "TOML file of who may do what; without, all may do everything."],
        ["keys", None, None, "TOML file of API tokens and EC2 keys, readable by us alone."],
        ["audit-log", None, None, "File for one JSON line about each thing done."],
        ["auth", None, "basic", "How one logs in: basic, or none (on loopback only)."],
        ["proxy-url", None, None, "URL of the console proxy, as browsers reach it."],
        ["url-scheme", None, "http", "ws: give clients ws:// URLs, as OpenStack does."],
    ]
    repeatable = {
        "rate-limit": "How often a user may ask, such as 'POST .*/action 60/minute', or none",
        "allowed-host": "A name under which browsers reach this server",
        "allowed-origin": "An origin whose pages may open consoles, such as https://horizon.example",
    }

    def postOptions(self) -> None:
        listens = self["listen"]
        if self["auth"] == "none":
            for endpoint in [listens] if isinstance(listens, str) else listens:
                if not is_private(endpoint):
                    raise usage.UsageError(
                        f"--auth none would let everybody in who reaches {endpoint}; listen on "
                        "loopback (interface=127.0.0.1) or a unix socket, or give --users FILE"
                    )
        elif self["auth"] != "basic":
            raise usage.UsageError("--auth is basic or none")
        elif not self["users"]:
            raise usage.UsageError(
                "--users FILE says who may log in; make it by: htpasswd -B -c FILE NAME "
                "(or, on loopback: --auth none)"
            )
        try:
            self["rate-limits"] = [
                parse_limit(text)
                for text in self["rate-limit"] or ratelimits.DEFAULTS
                if text != "none"
            ]
        except ValueError as error:
            raise usage.UsageError(f"--rate-limit: {error}") from None
        if self["url-scheme"] not in ("http", "ws"):
            raise usage.UsageError("--url-scheme is http or ws")
        if self["proxy-url"] is not None:
            try:
                self["proxy-url"] = parse_proxy_url(self["proxy-url"])
            except ValueError as error:
                raise usage.UsageError(f"--proxy-url: {error}") from None


class Options(ApiOptions):
    """
    C{twistd consoleapi}.
    """

    synopsis = "[options]"
    longdesc = (
        "Tells OpenStack's clients and, with a page of its own, browsers which guests there are, "
        "and hands out the URLs of their consoles."
    )
    optParameters = [
        ["bus", "b", None, "URL of the bus: amqp://USER:PASSWORD@HOST:PORT/VHOST"],
        ["listen", "l", "tcp:8774:interface=127.0.0.1", "Endpoint to listen on."],
        ["trusted-header", None, KINDS[0], "What trusted proxies write: x-forwarded or forwarded."],
    ]
    repeatable = {
        **ApiOptions.repeatable,
        "trusted-proxy": "Address or network of a reverse proxy that tells who asks, or unix",
    }

    def postOptions(self) -> None:
        if not self["bus"] or self["bus"].startswith("memory"):
            raise usage.UsageError(
                "--bus: an API of its own needs a broker, amqp://...; "
                "for one host without one there is 'ajaxconsole up'"
            )
        if not self["proxy-url"]:
            raise usage.UsageError(
                "--proxy-url: where browsers reach the console proxy, such as "
                "http://127.0.0.1:6083/"
            )
        try:
            hosts = HostRule(self["allowed-host"])
            trusted = self["trusted-proxy"], self["trusted-header"]
            self["outside"] = Outside(*trusted, hosts=hosts)
        except ValueError as error:
            raise usage.UsageError(str(error)) from None
        super().postOptions()


def makeService(options: Options) -> IService:
    """Called by C{twistd}."""
    spare_tls(options["bus"], options["listen"])

    from consoleapi.composing import make_service

    return make_service(options)
