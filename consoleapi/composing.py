"""
Options become an API.
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

from consoleapi.accounts import Accounts
from consoleapi.actions import ActionRoutes
from consoleapi.addresses import Addresses
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
from consoleapi.lobbypage import Lobby, read_files
from consoleapi.openconsoles import OpenConsoleRoutes
from consoleapi.openstack import PREFIXES, OpenStack, ServerRoutes
from consoleapi.policy import read_policy
from consoleapi.ratelimits import RateLimits
from consoleapi.root import Root
from consoleapi.servers import Servers
from consoleapi.service import ApiService
from consoleapi.sessions import SessionAuthentication, Sessions
from consoleapi.slowing import Slowing
from consoleapi.tap import ApiOptions, Options
from consoleapi.threads import Threads
from consoleapi.users import Users, read_users
from consoleapi.web import ApiResource
from consolebus.connect import bus_from_url
from consolebus.ibus import IConsoleBus
from groundwork.listening import listening
from groundwork.manners import HostRule, OriginRule
from groundwork.monotonic import MonotonicClock
from groundwork.settled import settle_when_running
from groundwork.site import BoundedSite


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


def make_service(options: Options) -> MultiService:
    """
    @raise SystemExit: it can't be; with a sentence.
    """
    from twisted.internet import reactor

    settle_when_running(reactor)

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
