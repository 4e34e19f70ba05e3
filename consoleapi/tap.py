"""
C{twistd consoleapi}: options become an API.
"""

from __future__ import annotations

import signal
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import FrameType
from typing import Any

from twisted.application.service import MultiService
from twisted.internet.interfaces import IReactorTime
from twisted.python import usage

from consoleapi import ratelimits
from consoleapi.accounts import Accounts
from consoleapi.actions import ActionRoutes
from consoleapi.addresses import Addresses, parse_proxy_url
from consoleapi.attendance import Attendance
from consoleapi.audit import Audit
from consoleapi.authentication import Anonymous, Credentials, IAuthentication
from consoleapi.consoles import Consoles
from consoleapi.description import read_description
from consoleapi.desk import Desk
from consoleapi.directory import Directory
from consoleapi.ec2 import Ec2
from consoleapi.files import Reread, Run
from consoleapi.grants import Grants
from consoleapi.hearing import Hearing
from consoleapi.keys import read_keys
from consoleapi.listening import is_private
from consoleapi.lobbypage import Lobby, read_files
from consoleapi.openconsoles import OpenConsoleRoutes
from consoleapi.openstack import PREFIXES, OpenStack, ServerRoutes
from consoleapi.policy import read_policy
from consoleapi.ratelimits import RateLimits, parse_limit
from consoleapi.root import Root
from consoleapi.servers import Servers
from consoleapi.service import ApiService
from consoleapi.sessions import SessionAuthentication, Sessions
from consoleapi.slowing import Slowing
from consoleapi.threads import Threads
from consoleapi.users import Users, read_users
from consoleapi.web import ApiResource
from consolebus.connect import bus_from_url
from consolebus.ibus import IConsoleBus
from consolesettings.options import SettingsOptions
from groundwork.listening import listening
from groundwork.manners import HostRule, OriginRule
from groundwork.monotonic import MonotonicClock
from groundwork.outside import KINDS, Outside
from groundwork.site import BoundedSite


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


@dataclass(frozen=True, slots=True)
class Parts:
    """
    What an API is made of.
    """

    hearing: Hearing
    grants: Grants
    root: Root
    resource: ApiResource


def make_api(reactor: Any, options: ApiOptions, bus: IConsoleBus) -> tuple[ApiService, ApiResource]:
    """
    Put an API together.

    @raise ValueError: a file can't be used.
    """
    clock = MonotonicClock(reactor)
    # Of their own, so that a flood of passwords does not keep files from being read.
    threads, readers = Threads(reactor), Threads(reactor)
    users: Users | None = None
    if options["auth"] == "basic":
        users = Users(clock, read_users(options["users"]), threads.run)
    accounts = Accounts(users)
    reread = [
        Reread(clock, readers.run, options[name], read, changed)
        for name, read, changed in (
            ("users", read_users, accounts.users_changed),
            ("keys", read_keys, accounts.keys_changed),
            ("policy", read_policy, accounts.policy_changed),
        )
        if options[name]
    ]
    for file in reread:
        file.load()
    try:
        audit = Audit(options["audit-log"], clock.seconds, time.time)
    except OSError as error:
        raise ValueError(f"--audit-log: {options['audit-log']}: {error.strerror}") from None
    reopen_on_hangup(reactor, audit.reopen)
    parts = make_parts(clock, options, bus, accounts, audit, threads.run)
    service = ApiService(
        bus,
        parts.hearing,
        parts.grants,
        audit,
        threads,
        readers,
        *(file.service for file in reread),
    )
    return service, parts.resource


def make_parts(
    clock: IReactorTime,
    options: Mapping[str, Any],
    bus: IConsoleBus,
    accounts: Accounts,
    audit: Audit,
    run: Run,
    calendar: Callable[[], float] = time.time,
) -> Parts:
    """
    What the web server shows, and what keeps it up to date.

    @param calendar: tells the calendar's seconds.
    """
    attendance = Attendance()
    directory = Directory(clock, attendance.forget_host)
    hearing = Hearing(clock, bus, directory, attendance, audit.happened)
    grants = Grants(clock, bus, accounts, directory, attendance, audit)
    desk = Desk(clock, accounts, hearing, directory, Consoles(bus), audit)
    # The all-in-one also knows the path under which browsers see it.
    prefix = options.get("base-path", "/")
    addresses = Addresses(options["proxy-url"], prefix, options["url-scheme"] == "ws")
    limits = RateLimits(clock.seconds, calendar, options["rate-limits"])
    slowing = Slowing(clock.seconds)
    credentials = Credentials(accounts, slowing, audit)
    authentication: IAuthentication = credentials if accounts.users is not None else Anonymous()
    rooms = (
        ServerRoutes(desk, Servers(directory, clock.seconds, calendar), limits, addresses),
        ActionRoutes(desk, addresses),
        OpenConsoleRoutes(desk, addresses),
    )
    routes = [route for prefix in PREFIXES for room in rooms for route in room.routes(prefix)]
    sessions = Sessions(clock.seconds, accounts, prefix)
    visitors = SessionAuthentication(sessions, authentication)
    lobby = Lobby(
        read_files(),
        visitors,
        credentials,
        sessions,
        directory,
        attendance,
        desk,
        addresses,
    )
    ec2 = Ec2(accounts, slowing, run, calendar, limits, desk, addresses, audit)
    root = Root(
        OpenStack(authentication, limits, routes),
        lobby,
        ec2.routes(),
        visitors,
        limits,
        addresses,
        read_description(),
    )
    hosts, origins = HostRule(options["allowed-host"]), OriginRule(options["allowed-origin"])
    return Parts(hearing, grants, root, ApiResource(root, hosts, origins))


def reopen_on_hangup(reactor: Any, reopen: Callable[[], None]) -> None:
    """
    Call C{reopen} on SIGHUP, besides who is called on it already.
    """
    before = signal.getsignal(signal.SIGHUP)

    def came(number: int, frame: FrameType | None) -> None:
        reactor.callFromThread(reopen)
        if callable(before):
            before(number, frame)

    try:
        signal.signal(signal.SIGHUP, came)
    except ValueError:
        pass  # not in the main thread, so not as a daemon


def makeService(options: Options) -> MultiService:
    """Called by C{twistd}."""
    from twisted.internet import reactor

    try:
        bus = bus_from_url(options["bus"], reactor)
        service, resource = make_api(reactor, options, bus)
        served = listening(
            options["listen"], BoundedSite(resource, reactor, outside=options["outside"])
        )
    except ValueError as error:
        sys.exit(f"consoleapi: {error}")
    together = MultiService()
    service.setServiceParent(together)
    served.setServiceParent(together)
    return together
