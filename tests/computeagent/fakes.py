"""
A workshop whose children are none, under the contract of the real one
(L{tests.computeagent.workshopcontract}).
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from typing import Any

from twisted.internet.defer import Deferred, TimeoutError, fail, succeed
from twisted.internet.interfaces import IReactorTime

from computeagent.domainxml import SerialDevice
from computeagent.orders import OrderFailed, TerminalGone
from computeagent.pids import Running
from computeagent.rooms import Room
from computeagent.workshop import Terminal

HOST, FIRST_PORT = "127.0.0.1", 10001


class FakeChild:
    """
    A process that runs until it is told, or let, to end.

    @ivar stubborn: whether it takes no heed of L{end}.
    @ivar asked: how often it was asked to end.
    """

    def __init__(self, pid: int) -> None:
        self.pid = pid
        self.started = 1000 + pid
        self.stubborn = False
        self.asked = 0
        self._how: str | None = None
        self._waiting: list[Deferred[str]] = []

    @property
    def runs(self) -> bool:
        return self._how is None

    def is_(self, process: Running) -> bool:
        return (self.pid, self.started) == (process.pid, process.started)

    def when_ended(self) -> Deferred[str]:
        if self._how is not None:
            return succeed(self._how)
        done: Deferred[str] = Deferred()
        self._waiting.append(done)
        return done

    def end(self) -> None:
        self.asked += 1
        if not self.stubborn:
            self.die("signal 15")

    def let_be(self) -> None:
        self._waiting.clear()

    def die(self, how: str = "signal 9") -> None:
        """The test ends it."""
        if self._how is None:
            self._how = how
            waiting, self._waiting = self._waiting, []
            for one in waiting:
                one.callback(how)


class FakeTerminal:
    """
    An ajaxterm as far as orders go; what an agent holds as C{orders}.

    @ivar given: the orders, with their words.
    @ivar answers: by order; an exception is raised, a C{Deferred} waited for.
    @ivar finishes: whether C{finish} makes it end, as a real one does after 0.2 s.
    """

    def __init__(
        self, clock: IReactorTime, child: FakeChild, told: Callable[[Mapping[str, Any]], None]
    ) -> None:
        self._clock = clock
        self.told = told
        self.child = child
        self.given: list[tuple[str, Mapping[str, Any]]] = []
        self.answers: dict[str, Any] = {}
        self.finishes = True
        self.left = False

    def give(self, order: str, **words: object) -> Deferred[Mapping[str, Any]]:
        if not self.child.runs:
            return fail(TerminalGone())
        self.given.append((order, words))
        answer = self.answers.get(order, {})
        if order == "finish" and self.finishes:
            self._clock.callLater(0.2, self.child.die, "status 0")
        if isinstance(answer, Deferred):
            return answer
        return fail(answer) if isinstance(answer, Exception) else succeed(answer)

    def leave(self) -> None:
        self.left = True

    def orders(self, name: str) -> list[Mapping[str, Any]]:
        """@return: the words of all orders of that name."""
        return [words for order, words in self.given if order == name]

    def tell(self, event: str, **words: object) -> None:
        """It says something unasked."""
        self.told({"event": event, **words})

    def end(self, reason: str) -> None:
        """It ends by itself, as of idleness."""
        self.answers["grant"] = OrderFailed("this console has ended")
        self.tell("ended", reason=reason)
        self._clock.callLater(0.2, self.child.die, "status 0")


class FakeWorkshop:
    """
    @ivar terminals: those that were started, in order.
    @ivar socats: those that were joined.
    @ivar devices: the descriptors that were handed to them.
    @ivar wanted: the ports that were wished for.
    @ivar lasting: whether each terminal stays when nobody is there.
    @ivar starting: what L{start_terminal} raises, or a C{Deferred} it waits for.
    @ivar joining: what L{join} raises.
    @ivar mute: how many of the terminals to come answer too late.
    @ivar same_device: whether adopted socats have the device that is opened anew.
    """

    def __init__(self, clock: IReactorTime) -> None:
        self._clock = clock
        self.terminals: list[FakeTerminal] = []
        self.socats: list[FakeChild] = []
        self.devices: list[int] = []
        self.titles: list[str] = []
        self.wanted: list[int | None] = []
        self.lasting: list[bool] = []
        self.starting: Exception | Deferred[None] | None = None
        self.joining: Exception | None = None
        self.mute = 0
        self.same_device = True

    @property
    def running(self) -> list[FakeChild]:
        """The children that have not ended."""
        children = [terminal.child for terminal in self.terminals] + self.socats
        return [child for child in children if child.runs]

    def start_terminal(
        self,
        room: Room,
        title: str,
        told: Callable[[Mapping[str, Any]], None],
        port: int | None = None,
        lasts: bool = False,
    ) -> Deferred[Terminal]:
        self.wanted.append(port)
        self.lasting.append(lasts)
        if isinstance(self.starting, Exception):
            raise self.starting
        orders = FakeTerminal(self._clock, FakeChild(100 + len(self.terminals)), told)
        if self.mute:
            self.mute -= 1
            orders.answers["grants"] = TimeoutError()
        self.terminals.append(orders)
        self.titles.append(title)
        if port is None:
            port = FIRST_PORT + len(self.terminals) - 1
        terminal = Terminal(HOST, port, orders.child, orders)
        started: Deferred[Terminal] = Deferred()
        if self.starting is None:
            started.callback(terminal)
        else:
            self.starting.addCallback(lambda _: terminal).chainDeferred(started)
        return started

    def adopt_terminal(
        self,
        room: Room,
        title: str,
        told: Callable[[Mapping[str, Any]], None],
        process: Running,
        host: str,
        port: int,
    ) -> Deferred[Terminal]:
        found = [one for one in self.terminals if one.child.runs and one.child.is_(process)]
        if not found:
            return fail(TerminalGone())
        found[0].told = told
        return succeed(Terminal(host, port, found[0].child, found[0]))

    def adopt_socat(self, title: str, process: Running) -> FakeChild | None:
        return next((one for one in self.socats if one.runs and one.is_(process)), None)

    def has_open(self, socat: FakeChild, device: int) -> bool:
        return self.same_device

    def join(self, room: Room, title: str, device: int) -> FakeChild:
        if self.joining is not None:
            raise self.joining
        self.devices.append(device)
        self.socats.append(FakeChild(200 + len(self.socats)))
        return self.socats[-1]


class Opener:
    """
    Opens devices: a new pty for each, whose other end stands for the guest's.

    @ivar opened: what was asked for.
    @ivar descriptors: what was opened; -1 in C{guests} is a guest's end that is gone.
    @ivar failing: what is raised instead; or a C{Deferred} that is waited for.
    """

    def __init__(self) -> None:
        self.opened: list[tuple[SerialDevice, str]] = []
        self.failing: Exception | Deferred[None] | None = None
        self.descriptors: list[int] = []
        self.guests: list[int] = []

    def __call__(self, device: SerialDevice, uuid: str) -> Deferred[int]:
        self.opened.append((device, uuid))
        if isinstance(self.failing, Exception):
            return fail(self.failing)
        if self.failing is not None:
            return self.failing.addCallback(lambda _: self._open())
        return succeed(self._open())

    def _open(self) -> int:
        guest, device = os.openpty()
        self.guests.append(guest)
        self.descriptors.append(device)
        return device

    def close(self) -> None:
        for number in range(len(self.guests)):
            self.hang_up(number)

    def hang_up(self, number: int) -> None:
        """The guest's QEMU is gone."""
        if self.guests[number] >= 0:
            os.close(self.guests[number])
            self.guests[number] = -1
