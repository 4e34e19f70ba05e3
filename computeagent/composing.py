"""
Options become an agent.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

from twisted.application.service import Service
from twisted.internet.defer import Deferred
from twisted.internet.threads import deferToThreadPool
from twisted.logger import Logger

from computeagent.agent import Agent
from computeagent.attaching import lasting
from computeagent.bystanders import Bystander, Pty, find_bystanders
from computeagent.devices import open_device
from computeagent.domainxml import SerialDevice
from computeagent.guestlog import Before, read_log
from computeagent.libvirthost import LibvirtHost
from computeagent.rooms import Rooms
from computeagent.tap import AgentOptions, Options
from computeagent.workshop import Unfit, Workshop
from consolebus.connect import bus_from_url
from consolebus.ibus import IConsoleBus
from groundwork.settled import settle_when_running


class AgentService(Service):
    """
    An agent and its bus.
    """

    _log = Logger()

    def __init__(
        self,
        agent: Agent,
        bus: IConsoleBus,
        workshop: Workshop,
        leave: bool = False,
        failed: Callable[[], object] = lambda: None,
    ) -> None:
        """
        @param leave: whether the consoles go on when it is stopped.
        @param failed: called if it can't go on with what was left to it.
        """
        self._failed = failed
        self._leave = leave
        self._agent = agent
        self._bus = bus
        self._workshop = workshop

    def startService(self) -> None:
        super().startService()
        self._workshop.open()
        self._agent.start(self._failed)
        self._bus.start().addErrback(lambda f: self._log.failure("while starting the bus", f))

    def stopService(self) -> Deferred[None]:
        super().stopService()
        return Deferred.fromCoroutine(self._stop())

    async def _stop(self) -> None:
        try:
            await self._agent.stop(self._leave)
        finally:  # whatever went wrong there, the children must not be forgotten
            try:
                await self._bus.stop()
            finally:
                await self._workshop.close(self._leave)


def make_agent(reactor: Any, options: AgentOptions, bus: IConsoleBus) -> AgentService:
    """
    Put an agent together.

    @raise Unfit: this host lacks something; the sentence says what.
    """
    workshop = Workshop(
        reactor,
        options["address"],
        options["portrange"],
        options["idle-timeout"],
        options["child-user"],
        options["terminal-log-level"],
        options["spawn"] == "fork",
        _handed_down(options),
    )
    rooms = Rooms(Path(options["run"]))
    try:
        rooms.prepare()
    except OSError as error:
        raise Unfit(f"the runtime directory can't be used: {error}") from None

    def opener(device: SerialDevice, uuid: str) -> Deferred[int]:
        return deferToThreadPool(reactor, reactor.getThreadPool(), open_device, device, uuid)

    def search(ptys: Collection[Pty], socats: Collection[int]) -> Deferred[Mapping[Pty, Bystander]]:
        return deferToThreadPool(
            reactor, reactor.getThreadPool(), find_bystanders, ptys, os.getpid(), socats
        )

    def remember(
        device: SerialDevice, uuid: str, descriptor: int, since: int | None
    ) -> Deferred[Before]:
        return deferToThreadPool(
            reactor,
            reactor.getThreadPool(),
            read_log,
            device.log,
            uuid,
            descriptor,
            options["scrollback"],
            since,
            device.appends,
        )

    agent = Agent(
        reactor,
        LibvirtHost(reactor, options["connect"]),
        bus,
        workshop,
        rooms,
        opener,
        search,
        remember,
        options["host"],
        options["address"],
        options["token-ttl"],
        options["idle-timeout"],
        lasting(options["attach"], options["attach-guest"]),
    )
    # One that answers nobody must not live; who supervises it starts another.
    return AgentService(
        agent,
        bus,
        workshop,
        options["at-stop"] == "leave",
        lambda: reactor.callLater(0, reactor.stop),
    )


def _handed_down(options: AgentOptions) -> Sequence[str]:
    """@return: the options of ours that are each ajaxterm's."""
    words: list[str] = []
    for name in ("input-timeout", "watch-timeout", "logout", "logout-grace", "scrollback"):
        words.append(f"--{name}={options[name]}")
    if options["record"]:
        words += [f"--record={options['record']}", f"--record-most={options['record-most']}"]
        if options["record-input"]:
            words.append("--record-input")
    return words


def make_service(options: Options) -> AgentService:
    """
    @raise SystemExit: it can't be; with a sentence.
    """
    from twisted.internet import reactor

    settle_when_running(reactor)

    def refused(topic: str) -> None:
        AgentService._log.critical(
            "Another agent answers as {topic} on this bus: give this one another --host",
            topic=topic,
        )
        reactor.stop()

    try:
        bus = bus_from_url(options["bus"], reactor, refused)
        return make_agent(reactor, options, bus)
    except (Unfit, ValueError) as error:
        sys.exit(f"computeagent: {error}")
