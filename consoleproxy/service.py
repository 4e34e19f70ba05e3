"""
The proxy on the bus: it learns grants, and forgets them when told.
"""

from __future__ import annotations

import re
from ipaddress import ip_address

from twisted.application.service import IService, Service
from twisted.internet.defer import Deferred, maybeDeferred
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.logger import Logger

from consolebus.ibus import BadArguments, Context, IConsoleBus
from consoleproxy.grants import Grant, Grants, well_formed_name
from consoleproxy.leaving import Leaving
from consoleproxy.readiness import Readiness
from consoleproxy.relay import Relay
from consoleproxy.web import ProxyResource

LONGEST = 1e9
"""Seconds that a grant can live."""

_ADDRESS = re.compile(r"[0-9A-Fa-f.:]+(?:%[A-Za-z0-9._-]+)?")


def _want(fits: bool, sentence: str) -> None:
    if not fits:
        raise BadArguments(sentence)


def grant_from(words: dict[str, object]) -> Grant:
    """
    Read a grant as it comes over the bus.

    @raise BadArguments: it is none.
    """
    texts = {}
    for name in ("grant", "console", "digest", "host", "secret", "user"):
        value = words.get(name)
        _want(isinstance(value, str) and len(value) <= 255, f"{name} is a text")
        texts[name] = str(value)
    port = words.get("port")
    if type(port) is not int or not 0 < port < 65536:  # True is an int, but no port
        raise BadArguments("port is a TCP port")
    lifetime = words.get("expires_in")
    if isinstance(lifetime, bool) or not isinstance(lifetime, (int, float)):
        raise BadArguments("expires_in is a number of seconds")
    if not 0 < lifetime <= LONGEST:
        raise BadArguments("expires_in is a number of seconds")
    _want(well_formed_name(texts["grant"]), "grant is g and 16 hex digits")
    _want(re.fullmatch("[0-9a-f]{64}", texts["digest"]) is not None, "digest is a SHA-256 in hex")
    _want(
        re.fullmatch("[A-Za-z0-9_-]{20,100}", texts["secret"]) is not None,
        "secret is 20 to 100 characters of URL-safe base64",
    )
    try:
        ip_address(texts["host"])
    except ValueError:
        raise BadArguments("host is an IP address") from None
    # As a zone, ip_address takes anything; and this goes into the head of a request.
    _want(_ADDRESS.fullmatch(texts["host"]) is not None, "host is an IP address")
    return Grant(
        texts["grant"],
        texts["console"],
        texts["digest"],
        texts["host"],
        port,
        texts["secret"],
        texts["user"],
        float(lifetime),
    )


class ProxyService(Service):
    """
    @cvar SWEEP_EVERY: seconds between two rounds.
    @cvar SWEEP_PAUSE: seconds between two steps of one.
    """

    SWEEP_EVERY = 5.0
    SWEEP_PAUSE = 0.005

    _log = Logger()

    def __init__(
        self,
        clock: IReactorTime,
        bus: IConsoleBus,
        grants: Grants,
        relay: Relay,
        resource: ProxyResource,
        readiness: Readiness,
        leaving: Leaving,
        status: IService | None = None,
    ) -> None:
        """
        @param status: what tells how we are; it goes on until everybody has left.
        """
        self._clock = clock
        self._bus = bus
        self._grants = grants
        self._relay = relay
        self._resource = resource
        self._sweeping: IDelayedCall | None = None
        self._readiness = readiness
        self._leaving = leaving
        self._status = status

    def startService(self) -> None:
        super().startService()
        if self._status is not None:
            self._status.startService()
        self._bus.listen(
            "consoleproxy",
            {"authorize_console": self.authorize_console, "revoke_grant": self.revoke_grant},
        )
        self._bus.when_connected(self._connected)
        self._sweep()
        self._bus.start().addErrback(lambda f: self._log.failure("while starting the bus", f))

    def stopService(self) -> Deferred[None]:
        super().stopService()
        return Deferred.fromCoroutine(self._stop())

    async def _stop(self) -> None:
        if self._sweeping is not None:
            self._sweeping.cancel()
        await self._leaving.leave()
        self._resource.cut_all()
        await self._relay.close()
        await self._bus.stop()
        if self._status is not None:
            await maybeDeferred(self._status.stopService)

    def authorize_console(self, context: Context, **words: object) -> None:
        grant = grant_from(words)
        self._grants.authorize(grant)
        self._log.debug("Grant {grant} for {user}", grant=grant.name, user=grant.user)

    def revoke_grant(self, context: Context, grant: str) -> None:
        _want(isinstance(grant, str) and well_formed_name(grant), "grant is g and 16 hex digits")
        self._grants.revoke(grant)
        self._log.debug("Grant {grant} is over", grant=grant)

    def _connected(self) -> None:
        self._readiness.connected()
        self._grants.settling(self._readiness.SETTLING)
        self._bus.fanout("compute", "announce", {})

    def _sweep(self) -> None:
        try:
            more = self._grants.sweep()
        except Exception:
            self._log.failure("while sweeping")
            more = False
        delay = self.SWEEP_PAUSE if more else self.SWEEP_EVERY
        self._sweeping = self._clock.callLater(delay, self._sweep)
