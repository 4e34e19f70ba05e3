"""
What 1,000 agents with 50 guests each cost the API.

    .venv/bin/python -m bench.guests

They announce themselves over the bus in memory, as they do every 30 s; then guests
are looked up, listed and searched, over the whole stack down to the request's
bytes, while guests change.  Told are the reactor's time (of its
thread, so that a busy machine does not count) for one announcement, for a request
with all of its turns together and for its longest turn, and the memory of a guest.
"""

from __future__ import annotations

import gc
import random
import re
import sys
import time
import tracemalloc
from collections.abc import Callable
from typing import Any

from treq.testing import StubTreq
from twisted.internet.task import Clock

from consoleapi.accounts import Accounts
from consoleapi.audit import Audit
from consoleapi.composing import Parts, make_parts
from consoleapi.policy import Policy, Rule, Standing
from consolebus.memory import MemoryBroker, MemoryBus

HOSTS = 1000
GUESTS = 50
REQUESTS = 1000
FEW = 200

# Sees 5,000 of 50,000.
MEMBER = Policy(
    {"anonymous": Standing("member", rules=(Rule("rw", names=re.compile("guest-0[0-4].*")),))}
)

OPTIONS: dict[str, Any] = {
    "proxy-url": "http://proxy.example:6083/",
    "url-scheme": "http",
    "allowed-host": [],
    "allowed-origin": [],
    "rate-limits": [],
}


class MeasuredClock(Clock):
    """
    Notes how long each call takes, which is a turn of the reactor.
    """

    def __init__(self) -> None:
        super().__init__()
        self.turns: list[float] = []

    def advance(self, amount: float) -> None:
        self.rightNow += amount
        self._sortCalls()
        while self.calls and self.calls[0].getTime() <= self.seconds():
            call = self.calls.pop(0)
            call.called = 1
            began = time.thread_time()
            call.func(*call.args, **call.kw)
            self.turns.append(time.thread_time() - began)


def uuid_of(host: int, number: int) -> str:
    return f"{host:08x}-{number:04x}-4000-8000-{host * 1000 + number:012x}"


def domains_of(host: int) -> list[dict[str, Any]]:
    return [
        {
            "uuid": uuid_of(host, number),
            "name": f"guest-{number:02}-of-{host:04}",
            "state": "running",
            "owner": f"project-{host % 20:02}-of-many",
            "devices": ["serial0"],
        }
        for number in range(GUESTS)
    ]


class Stand:
    """
    An API, and a bus on which agents tell.
    """

    def __init__(self) -> None:
        self.clock = MeasuredClock()
        broker = MemoryBroker(self.clock)
        bus = MemoryBus(broker, self.clock)
        audit = Audit(None, self.clock.seconds, time.time)

        def run(work: Callable[..., Any], *arguments: Any) -> Any:
            raise AssertionError("nothing here needs a thread")

        self.accounts = Accounts(None)
        self.parts: Parts = make_parts(self.clock, OPTIONS, bus, self.accounts, audit, run)
        self.parts.hearing.start()
        bus.start()
        self.agents = MemoryBus(broker, self.clock)
        self.agents.start()
        self.settle()
        self.client = StubTreq(self.parts.resource)

    def settle(self) -> None:
        for _ in range(300):
            self.clock.advance(0)
            if not [c for c in self.clock.calls if c.getTime() <= self.clock.seconds()]:
                return

    def announce(self, host: int, domains: list[dict[str, Any]]) -> float:
        """
        @return: seconds.
        """
        words = {"host": f"host-{host:04}", "address": "10.0.0.1", "away": "", "domains": domains}
        self.agents.fanout("consoleapi", "host_is", words)
        self.clock.turns.clear()
        self.settle()
        return max(self.clock.turns)

    def ask(self, path: str) -> tuple[float, float]:
        """
        @return: seconds in all, and of the longest turn.
        """
        self.clock.turns.clear()
        began = time.thread_time()
        asking = self.client.get(f"http://127.0.0.1{path}")
        first = time.thread_time() - began
        found: list[Any] = []
        asking.addCallback(lambda response: found.append(response.code))
        for _ in range(1000):
            if found:
                break
            self.clock.advance(0)
            self.client.flush()
        assert found == [200], (path, found)
        return first + sum(self.clock.turns), max([first, *self.clock.turns])


def told(what: str, seconds: list[float]) -> None:
    ordered = sorted(seconds)
    p50, p99 = (ordered[int(len(ordered) * share)] * 1000 for share in (0.50, 0.99))
    sys.stdout.write(f"{what:52} p50 {p50:8.3f} ms   p99 {p99:8.3f} ms\n")


def main() -> None:
    stand = Stand()
    every = [domains_of(host) for host in range(HOSTS)]
    # What the messages leave behind besides is in the next figures already.
    gc.collect()
    tracemalloc.start()
    before = tracemalloc.get_traced_memory()[0]
    for host, domains in enumerate(every):
        stand.announce(host, domains)
    gc.collect()
    memory = (tracemalloc.get_traced_memory()[0] - before) / (HOSTS * GUESTS)
    tracemalloc.stop()
    sys.stdout.write(f"{HOSTS} hosts, {HOSTS * GUESTS} guests: {memory:.0f} bytes each\n")
    gc.collect()
    gc.freeze()

    again = [stand.announce(host, domains) for host, domains in enumerate(every)]
    told("an announcement, nothing new", again)
    for domains in every:
        domains[0]["state"] = "paused" if domains[0]["state"] == "running" else "running"
    told("an announcement, one guest changed", [stand.announce(h, d) for h, d in enumerate(every)])

    # Who finds nothing waits no more for agents to introduce themselves.
    stand.clock.advance(stand.parts.hearing.SETTLING)
    for what, paths in kinds().items():
        ask_all(stand, every, what, paths)
    stand.accounts.policy_changed(MEMBER)
    for what, paths in kinds_of_member().items():
        ask_all(stand, every, what, paths)


def kinds() -> dict[str, list[str]]:
    chosen = random.Random(1)
    guests = [(chosen.randrange(HOSTS), chosen.randrange(GUESTS)) for _ in range(REQUESTS)]
    ids, few = [uuid_of(host, number) for host, number in guests], guests[:FEW]
    page = "/v2.1/servers/detail"
    return {
        "lookup: servers/UUID": [f"/v2.1/servers/{each}" for each in ids],
        "list: servers?limit=50&marker=": [f"/v2.1/servers?limit=50&marker={each}" for each in ids],
        "list: servers/detail?limit=50&marker=": [f"{page}?limit=50&marker={each}" for each in ids],
        "list: servers/detail?marker=, a page of 400, the longest": [
            f"{page}?marker={uuid_of(h, n * 48 // GUESTS)}" for h, n in few
        ],
        "find: servers/detail?name=": [f"{page}?name=guest-{n:02}-of-{h:04}" for h, n in guests],
        "    as a regular expression": [f"{page}?name=^guest-{n:02}-.*{h:04}$" for h, n in few],
        "    as one without a word, and nothing fits": [
            f"{page}?name=[x-z]{n % 9}$" for _, n in few
        ],
        "find: servers/detail?status=PAUSED": [f"{page}?status=PAUSED"] * FEW,
        "find: servers/detail?host=": [f"{page}?host=host-{h:04}" for h, _ in few],
        "the lobby": ["/lobby/guests"] * FEW,
        "    with a filter that fits one": [
            f"/lobby/guests?filter=guest-{n:02}-of-{h:04}" for h, n in few
        ],
        "    with one that fits some 15": [
            f"/lobby/guests?filter={h:04}%20-{n:02}" for h, n in few
        ],
        "    with one that fits nearly all": ["/lobby/guests?filter=run"] * FEW,
    }


def kinds_of_member() -> dict[str, list[str]]:
    return {
        "a member's page of 400": ["/v2.1/servers/detail"] * FEW,
        "a member's lobby": ["/lobby/guests"] * FEW,
        "    with a filter": ["/lobby/guests?filter=of-01"] * FEW,
    }


def ask_all(stand: Stand, every: list[list[dict[str, Any]]], what: str, paths: list[str]) -> None:
    """
    Before each request one guest of some host changes.
    """
    measured = []
    for number, path in enumerate(paths):
        host = number * 7 % HOSTS
        guest = every[host][number % GUESTS]
        guest["state"] = "running" if guest["state"] == "paused" else "paused"
        stand.announce(host, every[host])
        measured.append(stand.ask(path))
    told(what, [whole for whole, _ in measured])
    told("    its longest turn of the reactor", [turn for _, turn in measured])


if __name__ == "__main__":
    main()
