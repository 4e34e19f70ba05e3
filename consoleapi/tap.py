"""
C{twistd consoleapi}: options become an API.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Mapping
from typing import Any

from twisted.application import strports
from twisted.application.service import MultiService
from twisted.internet.interfaces import IReactorTime
from twisted.python import usage

from consoleapi.addresses import Addresses, parse_proxy_url
from consoleapi.attendance import Attendance
from consoleapi.authentication import Anonymous, HttpBasic, IAuthentication
from consoleapi.consoles import Consoles
from consoleapi.directory import Directory
from consoleapi.hearing import Hearing
from consoleapi.listening import is_private
from consoleapi.lobbypage import Lobby, read_files
from consoleapi.openstack import OpenStack
from consoleapi.root import Root
from consoleapi.servers import Servers
from consoleapi.service import ApiService
from consoleapi.threads import Threads
from consoleapi.users import Users, read_users
from consoleapi.web import ApiResource
from consolebus.connect import bus_from_url
from consolebus.ibus import IConsoleBus
from consolesettings.options import SettingsOptions
from groundwork.manners import HostRule, OriginRule
from groundwork.monotonic import MonotonicClock
from groundwork.site import BoundedSite


class ApiOptions(SettingsOptions):
    """
    What an API needs to know; the all-in-one takes them too.  Its composer adds
    C{listen}, one endpoint or a list.
    """

    section = "consoleapi"
    optParameters = [
        ["users", "u", None, "File of who may log in, made by htpasswd -B."],
        ["auth", None, "basic", "How one logs in: basic, or none (on loopback only)."],
        ["proxy-url", None, None, "URL of the console proxy, as browsers reach it."],
        ["url-scheme", None, "http", "ws: give clients ws:// URLs, as OpenStack does."],
    ]
    repeatable = {
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
    ]

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
        super().postOptions()


def make_api(reactor: Any, options: ApiOptions, bus: IConsoleBus) -> tuple[ApiService, ApiResource]:
    """
    Put an API together.

    @raise BadUsersFile: a C{ValueError}, the users can't be had.
    """
    clock = MonotonicClock(reactor)
    threads = Threads(reactor)
    authentication: IAuthentication = Anonymous()
    if options["auth"] == "basic":
        authentication = HttpBasic(Users(clock, read_users(options["users"]), threads.run))
    hearing, resource = make_resource(clock, options, bus, authentication)
    return ApiService(bus, hearing, threads), resource


def make_resource(
    clock: IReactorTime,
    options: Mapping[str, Any],
    bus: IConsoleBus,
    authentication: IAuthentication,
) -> tuple[Hearing, ApiResource]:
    """
    What the web server shows, and what keeps it up to date.
    """
    attendance = Attendance()
    directory = Directory(clock, attendance.forget_host)
    hearing = Hearing(clock, bus, directory, attendance)
    servers = Servers(directory, clock.seconds, time.time)
    consoles = Consoles(bus)
    # The all-in-one also knows the path under which browsers see it.
    prefix = options.get("base-path", "/")
    addresses = Addresses(options["proxy-url"], prefix, options["url-scheme"] == "ws")
    openstack = OpenStack(authentication, hearing, directory, servers, consoles, addresses)
    lobby = Lobby(read_files(), authentication, hearing, directory, attendance, consoles, addresses)
    root = Root(openstack, lobby, addresses)
    hosts, origins = HostRule(options["allowed-host"]), OriginRule(options["allowed-origin"])
    return hearing, ApiResource(root, hosts, origins)


def makeService(options: Options) -> MultiService:
    """Called by C{twistd}."""
    from twisted.internet import reactor

    try:
        bus = bus_from_url(options["bus"], reactor)
        service, resource = make_api(reactor, options, bus)
        listening = strports.service(options["listen"], BoundedSite(resource, reactor))
    except ValueError as error:
        sys.exit(f"consoleapi: {error}")
    together = MultiService()
    service.setServiceParent(together)
    listening.setServiceParent(together)
    return together
