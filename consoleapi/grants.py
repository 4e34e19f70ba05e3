"""
Which grants are alive, and what becomes of them when the policy changes.

The proxies are told of every grant, once it is made and again on C{announce};
this listens along, so that it knows the grants of other APIs and of its own
former life as well:

    consoleproxy  authorize_console, revoke_grant     listened to
    compute.HOST  revoke_grant(grant)                 for what somebody has lost

Of what it hears it keeps who, where and in which mode; no secret.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from typing import Any

from twisted.application.internet import TimerService
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger

from consoleapi.accounts import Accounts
from consoleapi.attendance import Attendance
from consoleapi.audit import Audit
from consoleapi.directory import Directory
from consoleapi.policy import READ_WRITE
from consolebus.ibus import BusFailure, Context, IConsoleBus


@dataclass(frozen=True, slots=True)
class Grant:
    console: str
    user: str
    mode: str


class Grants:
    """
    @cvar MOST: remembered; beyond, the oldest are forgotten.
    @cvar EVERY: seconds between two reviews, since guests change owners too.
    """

    MOST = 100_000
    EVERY = 30.0

    _log = Logger()

    def __init__(
        self,
        clock: IReactorTime,
        bus: IConsoleBus,
        accounts: Accounts,
        directory: Directory,
        attendance: Attendance,
        audit: Audit,
    ) -> None:
        self._bus = bus
        self._accounts = accounts
        self._directory = directory
        self._attendance = attendance
        self._audit = audit
        self._grants: OrderedDict[str, Grant] = OrderedDict()
        accounts.when_changed(self.review)
        self.service = TimerService(self.EVERY, self.review)
        self.service.clock = clock

    def start(self) -> None:
        self._bus.listen(
            "consoleproxy",
            {"authorize_console": self.authorize_console, "revoke_grant": self.revoke_grant},
        )

    def authorize_console(self, context: Context, **words: Any) -> None:
        name, grant = (
            words.get("grant"),
            Grant(*(_text(words, k) for k in ("console", "user", "mode"))),
        )
        if isinstance(name, str) and 0 < len(name) <= 100:
            self._grants[name] = grant
            self._grants.move_to_end(name)
        while len(self._grants) > self.MOST:
            self._grants.popitem(last=False)

    def revoke_grant(self, context: Context, grant: object = None, **words: Any) -> None:
        if isinstance(grant, str):
            self._grants.pop(grant, None)

    def review(self) -> None:
        """
        Revoke what nobody would be granted now.
        """
        for name, grant in list(self._grants.items()):
            place = self._attendance.place(grant.console)
            if place is None:
                continue  # not heard of yet, or ended
            host, domain = place
            guest = self._directory.find(domain)
            mode = None if guest is None else self._accounts.mode(grant.user, guest)
            if guest is None or mode == READ_WRITE or mode == grant.mode:
                continue
            revoking = Deferred.fromCoroutine(self._revoke(name, grant, host, domain))
            revoking.addErrback(lambda failure: self._log.failure("while revoking", failure))

    async def _revoke(self, name: str, grant: Grant, host: str, domain: str) -> None:
        try:
            await self._bus.call(f"compute.{host}", "revoke_grant", {"grant": name})
        except BusFailure as failure:
            # It is tried again at the next review.
            self._log.warn(
                "Grant {grant} can't be revoked now: {why}", grant=name, why=failure.message
            )
            return
        self._grants.pop(name, None)
        self._log.info("Grant {grant} of {user} was revoked", grant=name, user=grant.user)
        self._audit.write(
            "revoke",
            user=grant.user,
            guest=domain,
            host=host,
            grant=name,
            console=grant.console,
            why="the user has lost the right to it",
        )


def _text(words: Any, key: str) -> str:
    value = words.get(key)
    return value if isinstance(value, str) and len(value) <= 255 else ""
