"""
An agent in memory: its hypervisor, its workshop and the bus are there, but nothing runs.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Mapping
from pathlib import Path
from shutil import rmtree
from typing import Any

from twisted.internet.defer import Deferred, fail, succeed
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from computeagent.agent import Agent
from computeagent.bystanders import Bystander, Pty
from computeagent.domainxml import SerialDevice
from computeagent.guestlog import Before, LogRefused
from computeagent.memoryhost import MemoryHost
from computeagent.rooms import Rooms
from consolebus.memory import MemoryBroker, MemoryBus
from tests.computeagent.descriptions import UUID, domain_xml
from tests.computeagent.fakes import FakeTerminal, FakeWorkshop, Opener

TTL = 600.0
IDLE = 300.0


class Heard:
    """
    What somebody on the bus heard.
    """

    def __init__(self) -> None:
        self.messages: list[tuple[str, Mapping[str, Any]]] = []

    def methods(self, *names: str) -> dict[str, Any]:
        """@return: for C{listen}."""

        def hear(name: str) -> Any:
            return lambda context, **words: self.messages.append((name, words))

        return {name: hear(name) for name in names}

    def of(self, name: str) -> list[Mapping[str, Any]]:
        return [words for method, words in self.messages if method == name]


class AgentTestCase(SynchronousTestCase):
    """
    @ivar api: what an API hears.
    @ivar proxy: what a proxy hears.
    @ivar before: what guests said before; why that can't be read; or what is waited for.
    @ivar since: from where on their logs were read.
    @ivar others: who else reads a line, if anybody does; searched for by the descriptor.
    @ivar lasting: names of guests that are attached to always.
    @cvar started: whether the agent runs when a test begins.
    """

    started = True

    def setUp(self) -> None:
        self.clock = Clock()
        self.hypervisor = MemoryHost()
        self.hypervisor.add(UUID, "web1", domain_xml())
        self.workshop = FakeWorkshop(self.clock)
        self.lasting: set[str] = set()
        self.since: list[int | None] = []
        self.before: Before | LogRefused | Deferred[Before] = Before(b"", True)
        self.others: dict[Pty, Bystander] = {}
        self.opener = Opener()
        self.addCleanup(self.opener.close)
        base = Path(tempfile.mkdtemp(prefix="agent-"))
        self.addCleanup(rmtree, base, ignore_errors=True)
        self.run_directory = base
        self.rooms = Rooms(base)
        self.rooms.prepare()
        self.broker = MemoryBroker(self.clock)
        self.api, self.proxy = Heard(), Heard()
        self.caller = MemoryBus(self.broker, self.clock)
        self.caller.listen("consoleapi", self.api.methods("host_is", "console_is"))
        self.caller.listen("consoleproxy", self.proxy.methods("authorize_console", "revoke_grant"))
        self.caller.start()
        self.make_agent()
        if self.started:
            self.agent.start()
            self.bus.start()
        self.pass_time(0.2)

    def make_agent(self) -> None:
        """
        A new one, in the place of one that is gone if there was one; it is not started.
        """
        self.bus = MemoryBus(self.broker, self.clock)
        self.agent = Agent(
            self.clock,
            self.hypervisor,
            self.bus,
            self.workshop,
            self.rooms,
            self.opener,
            self.search,
            self.remember,
            "h1",
            "192.0.2.1",
            TTL,
            IDLE,
            lambda name: name in self.lasting,
        )

    def search(self, ptys: list[Pty], socats: list[int]) -> Deferred[Mapping[Pty, Bystander]]:
        return succeed({pty: self.others[pty] for pty in ptys if pty in self.others})

    def remember(
        self, device: SerialDevice, uuid: str, descriptor: int, since: int | None
    ) -> Deferred[Before]:
        os.fstat(descriptor)
        self.since.append(since)
        if isinstance(self.before, LogRefused):
            return fail(self.before)
        return succeed(self.before) if isinstance(self.before, Before) else self.before

    def pass_time(self, seconds: float, step: float = 0.1) -> None:
        """
        Let time pass, in which messages are delivered.
        """
        for _ in range(20):
            self.clock.advance(0)
        while seconds > 0:
            self.clock.advance(min(step, seconds))
            seconds -= step
            for _ in range(20):
                self.clock.advance(0)

    def ask(self, method: str, **words: Any) -> Deferred[Any]:
        """
        Call a method of the agent's over the bus.
        """
        answer = self.caller.call("compute.h1", method, words)
        self.pass_time(0)
        return answer

    def get(self, **words: Any) -> Deferred[Any]:
        wanted = {"domain": UUID, "device": None, "mode": "rw", "user": "ann", **words}
        return self.ask("get_console", **wanted)

    def got(self, **words: Any) -> Mapping[str, Any]:
        """
        @return: the answer to C{get_console}.
        """
        answer: Mapping[str, Any] = self.successResultOf(self.get(**words))
        return answer

    def refused(self, kind: type[Exception], method: str = "get_console", **words: Any) -> str:
        """
        @return: the sentence.
        """
        asking = self.get(**words) if method == "get_console" else self.ask(method, **words)
        return str(self.failureResultOf(asking, kind).value)

    @property
    def terminal(self) -> FakeTerminal:
        """The ajaxterm that was started last."""
        return self.workshop.terminals[-1]
