"""
An API with hosts around it, all in memory, and a client that asks it.
"""

from __future__ import annotations

import json
from base64 import b64encode
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from hashlib import sha256
from typing import Any

import bcrypt
from treq.testing import StubTreq
from twisted.internet.defer import Deferred, execute
from twisted.internet.task import Clock

from consoleapi import ratelimits
from consoleapi.accounts import Accounts
from consoleapi.audit import Audit
from consoleapi.composing import make_parts
from consoleapi.keys import Keys
from consoleapi.policy import Policy
from consoleapi.ratelimits import parse_limit
from consoleapi.users import Users
from consolebus.ibus import BusFailure, Conflict, Context
from consolebus.memory import MemoryBroker, MemoryBus

TOKEN = "token-" + "t" * 37
SECRET = "secret-" + "s" * 36
DIGEST = sha256(TOKEN.encode()).hexdigest()
GRANT = "g0123456789abcdef"

SETTINGS: Mapping[str, Any] = {
    "proxy-url": "http://proxy.example:6083/",
    "url-scheme": "http",
    "allowed-host": ["api.example"],
    "allowed-origin": [],
    "rate-limits": [parse_limit(text) for text in ratelimits.DEFAULTS],
}

NOW = 1_800_000_000.0

SERIAL = {"remote_console": {"protocol": "serial", "type": "serial"}}


def uuid(number: int) -> str:
    return f"{number:08x}-aaaa-4bbb-8ccc-0123456789ab"


def console_of(number: int) -> str:
    return f"/v2.1/servers/{uuid(number)}/remote-consoles"


def domain(number: int, name: str, state: str = "running", *devices: str) -> dict[str, Any]:
    return {
        "uuid": uuid(number),
        "name": name,
        "state": state,
        "owner": "",
        "devices": list(devices or ("serial0",)),
    }


@dataclass(frozen=True)
class Answer:
    status: int
    headers: Any
    body: bytes

    @cached_property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def message(self) -> str:
        """
        Of a fault, as OpenStack words it.
        """
        (fault,) = self.json.values()
        assert fault["code"] == self.status
        return str(fault["message"])

    def header(self, name: str) -> str | None:
        values = self.headers.getRawHeaders(name)
        return None if values is None else ", ".join(values)


class FakeHost:
    """
    What an agent shows on the bus.

    @ivar asked: the arguments of every C{get_console}.
    @ivar failure: what C{get_console} raises, if anything.
    @ivar pending: what it returns instead of C{answer}, if anything.
    @ivar output: what its guests said; C{None} where no console is open.
    @ivar closed: the consoles that it was told to end.
    @ivar revoked: the grants that it was told to revoke.
    @ivar consoles: names to the guest and the viewers, as C{list_consoles} and
        C{list_viewers} tell.
    @ivar states: of those that are not live.
    @ivar listings: what C{list_consoles} answers, or raises, before it tells that.
    @ivar unseen: what C{list_viewers} raises, by console.
    """

    def __init__(self, world: World, name: str, *domains: dict[str, Any]) -> None:
        self.name = name
        self.domains: list[dict[str, Any]] | None = list(domains)
        self.away = ""
        self.asked: list[dict[str, Any]] = []
        self.contexts: list[Context] = []
        self.failure: BusFailure | None = None
        self.pending: Deferred[Any] | None = None
        self.answer: Any = {
            "grant": GRANT,
            "console": "c1",
            "token": TOKEN,
            "host": "10.0.0.1",
            "port": 10000,
            "secret": SECRET,
            "mode": "rw",
            "device": "serial0",
            "expires_in": 600.0,
        }
        self.consoles: dict[str, tuple[str, list[str]]] = {}
        self.states: dict[str, str] = {}
        self.listings: list[Any] = []
        self.unseen: dict[str, BusFailure] = {}
        self.output: bytes | None = b""
        self.closed: list[str] = []
        self.revoked: list[str] = []
        self.bus = MemoryBus(world.broker, world.clock)
        self.bus.serve(
            f"compute.{name}",
            {
                "get_console": self.get_console,
                "list_consoles": self.list_consoles,
                "list_viewers": self.list_viewers,
                "close_console": self.close_console,
                "get_output": self.get_output,
                "revoke_grant": self.revoke_grant,
            },
        )
        self.bus.listen("compute", {"announce": lambda context: self.tell()})
        self.bus.start()
        world.settle()

    def tell(self) -> None:
        self.bus.fanout(
            "consoleapi",
            "host_is",
            {"host": self.name, "address": "10.0.0.1", "away": self.away, "domains": self.domains},
        )

    def console_is(self, event: str, console: str, number: int, **more: Any) -> None:
        self.bus.fanout(
            "consoleapi",
            "console_is",
            {
                "event": event,
                "host": self.name,
                "console": console,
                "domain": uuid(number),
                "name": "whatever",
                "device": "serial0",
                "state": "live",
                **more,
            },
        )

    def get_console(
        self, context: Context, domain: str, device: str | None, mode: str, user: str
    ) -> Any:
        self.contexts.append(context)
        self.asked.append({"domain": domain, "device": device, "mode": mode, "user": user})
        if self.failure is not None:
            raise self.failure
        return self.answer if self.pending is None else self.pending

    def list_consoles(self, context: Context) -> Any:
        if self.listings:
            listing = self.listings.pop(0)
            if isinstance(listing, BusFailure):
                raise listing
            return listing
        return {
            "consoles": [
                {
                    "console": name,
                    "domain": where,
                    "device": "serial0",
                    "state": self.states.get(name, "live"),
                }
                for name, (where, _) in self.consoles.items()
            ]
        }

    def list_viewers(self, context: Context, console: str) -> Any:
        if console in self.unseen:
            raise self.unseen[console]
        viewers = self.consoles[console][1]
        return {"viewers": [{"name": n, "user": f"user of {n}", "mode": "rw"} for n in viewers]}

    def close_console(self, context: Context, console: str) -> Any:
        self.closed.append(console)
        return {}

    def get_output(self, context: Context, domain: str, device: Any, length: int) -> Any:
        if self.output is None:
            raise Conflict("no console of that guest is open, so nothing was recorded")
        return {"output": b64encode(self.output[-length:]).decode(), "offset": 0}

    def revoke_grant(self, context: Context, grant: str) -> Any:
        self.revoked.append(grant)
        return {"known": True}


class World:
    """
    @ivar authorized: what the proxies were told.
    """

    def __init__(
        self,
        *,
        users: Mapping[str, str] | None = None,
        policy: Policy | None = None,
        keys: Keys | None = None,
        audit: str | None = None,
        **settings: Any,
    ) -> None:
        """
        @param users: passwords by name; everybody is let in without.
        @param policy: without one, all may do everything.
        @param audit: the path of the audit log.
        """
        self.clock = Clock()
        self.broker = MemoryBroker(self.clock)
        self.bus = MemoryBus(self.broker, self.clock)
        passwords: Users | None = None
        if users is not None:
            hashes = {
                name: bcrypt.hashpw(password.encode(), bcrypt.gensalt(4))
                for name, password in users.items()
            }
            passwords = Users(self.clock, hashes, execute)
        self.accounts = Accounts(passwords)
        if policy is not None:
            self.accounts.policy_changed(policy)
        if keys is not None:
            self.accounts.keys_changed(keys)
        self.audit = Audit(audit, self.clock.seconds, lambda: NOW + self.clock.seconds())
        options = {**SETTINGS, **{name.replace("_", "-"): v for name, v in settings.items()}}
        parts = make_parts(
            self.clock, options, self.bus, self.accounts, self.audit, execute, self.now
        )
        self.hearing, self.grants, self.root = parts.hearing, parts.grants, parts.root
        self.resource = parts.resource
        self.authorized: list[dict[str, Any]] = []
        proxy = MemoryBus(self.broker, self.clock)
        proxy.listen(
            "consoleproxy",
            {"authorize_console": lambda context, **words: self.authorized.append(words)},
        )
        proxy.start()
        self.client = StubTreq(self.resource)

    def start(self) -> None:
        """
        Start the API, and hear of what there is.
        """
        self.hearing.start()
        self.grants.start()
        self.bus.start()
        self.settle()

    def settle(self) -> None:
        """
        Let everything happen that needs no time.
        """
        for _ in range(50):
            self.clock.advance(0)

    def now(self) -> float:
        """
        The calendar's time.
        """
        return NOW + self.clock.seconds()

    def later(self, seconds: float) -> None:
        self.clock.advance(seconds)
        self.settle()

    def asking(self, method: str, path: str, **how: Any) -> list[Answer]:
        """
        Begin to ask.

        @return: where the answer will be.
        """
        url = path if path.startswith("http") else f"http://127.0.0.1{path}"
        answers: list[Answer] = []

        def came(response: Any) -> None:
            content = self.client.content(response)
            content.addCallback(
                lambda body: answers.append(Answer(response.code, response.headers, body))
            )

        asking = self.client.request(method, url, allow_redirects=False, **how)
        asking.addCallback(came)
        asking.addErrback(lambda failure: failure.raiseException())
        self.settle()
        self.client.flush()
        return answers

    def answered(self, answers: list[Answer]) -> Answer:
        """
        @return: what C{asking} has begun to wait for.
        """
        self.settle()
        self.client.flush()
        (answer,) = answers
        return answer

    def ask(self, method: str, path: str, **how: Any) -> Answer:
        return self.answered(self.asking(method, path, **how))

    def get(self, path: str, **how: Any) -> Answer:
        return self.ask("GET", path, **how)

    def post(self, path: str, value: Any, **how: Any) -> Answer:
        return self.ask("POST", path, json=value, **how)
