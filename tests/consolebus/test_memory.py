"""
Tests for L{consolebus.memory}.
"""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase, TestCase
from zope.interface.verify import verifyObject

from consolebus.carrier import ICarrier
from consolebus.ibus import BusAway, DeadlineExceeded, IConsoleBus, NobodyThere
from consolebus.memory import MemoryBroker, MemoryBus
from tests.consolebus.contract import BusContract, Mailbox


class MemoryContractTests(BusContract, TestCase):
    """
    The memory bus keeps the contract.
    """

    def setUp(self) -> None:
        from twisted.internet import reactor

        self.reactor = reactor
        self.broker = MemoryBroker(self.reactor)

    def make_bus(self, on_refused: Any = None) -> IConsoleBus:
        return MemoryBus(self.broker, self.reactor, on_refused)


class MemoryTests(SynchronousTestCase):
    """
    What takes long, or takes a broker that goes away.
    """

    def setUp(self) -> None:
        self.clock = Clock()
        self.broker = MemoryBroker(self.clock)

    def settle(self) -> None:
        """
        Let everything happen that is to happen now.
        """
        for _ in range(10):
            self.clock.advance(0)

    def bus(self, on_refused: Any = None) -> MemoryBus:
        bus = MemoryBus(self.broker, self.clock, on_refused)
        started = bus.start()
        self.settle()
        self.successResultOf(started)
        return bus

    def test_interfaces(self) -> None:
        """
        It provides what it says.
        """
        bus = MemoryBus(self.broker, self.clock)

        self.assertTrue(verifyObject(IConsoleBus, bus))
        self.assertTrue(verifyObject(ICarrier, bus._carrier))

    def test_deadline(self) -> None:
        """
        A call ends when its time is over, not before.
        """
        server, client = self.bus(), self.bus()
        server.serve("compute.one", {"never": lambda context: Deferred()})

        calling = client.call("compute.one", "never", {}, timeout=7)
        self.settle()
        self.clock.advance(6.9)
        self.assertNoResult(calling)
        self.clock.advance(0.2)

        self.failureResultOf(calling, DeadlineExceeded)

    def test_stale_calls_are_not_carried_out(self) -> None:
        """
        What reaches the server after the caller has given up is dropped.
        """
        server, client, mailbox = self.bus(), self.bus(), Mailbox()
        server.serve("compute.one", {"take": mailbox.take})

        calling = client.call("compute.one", "take", {}, timeout=5)
        self.clock.advance(6)

        self.failureResultOf(calling, DeadlineExceeded)
        self.assertEqual(mailbox.received, [])

    def test_away(self) -> None:
        """
        While the broker is away, calls fail at once, also those under way.
        """
        server, client = self.bus(), self.bus()
        server.serve("compute.one", {"never": lambda context: Deferred()})

        calling = client.call("compute.one", "never", {})
        self.settle()
        self.broker.away()

        self.failureResultOf(calling, BusAway)
        self.failureResultOf(client.call("compute.one", "never", {}), BusAway)
        self.assertFalse(client.connected)

    def test_start_fires_while_away(self) -> None:
        """
        A daemon starts without its broker, and connects when it is there.
        """
        self.broker.away()
        bus = self.bus()
        self.assertFalse(bus.connected)

        self.broker.back()
        self.settle()

        self.assertTrue(bus.connected)

    def test_back(self) -> None:
        """
        When the broker is back, topics are served and heard again, what was
        cast meanwhile arrives once and in order, and the daemons are told.
        """
        server, client, mailbox, greetings = self.bus(), self.bus(), Mailbox(), []
        server.serve("compute.one", {"take": mailbox.take})
        server.listen("all", {"take": mailbox.take})
        client.when_connected(lambda: greetings.append(client.connected))
        self.broker.away()
        client.cast("compute.one", "take", {"number": 1})
        client.fanout("all", "take", {"number": 2})
        client.cast("compute.one", "take", {"number": 3})
        self.settle()

        self.broker.back()
        self.settle()

        self.assertEqual(mailbox.received, [{"number": n} for n in (1, 2, 3)])
        self.assertEqual(greetings, [True, True])

    def test_unconfirmed_casts_are_sent_again(self) -> None:
        """
        A cast made in the very moment in which the connection breaks is not
        lost.
        """
        server, client, mailbox = self.bus(), self.bus(), Mailbox()
        server.serve("compute.one", {"take": mailbox.take})

        client.cast("compute.one", "take", {})
        self.broker.away()
        self.settle()
        self.broker.back()
        self.settle()

        self.assertEqual(mailbox.received, [{}])

    def test_old_casts_are_dropped(self) -> None:
        """
        What was cast more than a minute before the broker is back is stale.
        """
        server, client, mailbox = self.bus(), self.bus(), Mailbox()
        server.serve("compute.one", {"take": mailbox.take})
        self.broker.away()
        client.cast("compute.one", "take", {"number": 1})
        self.clock.advance(61)
        client.cast("compute.one", "take", {"number": 2})

        self.broker.back()
        self.settle()

        self.assertEqual(mailbox.received, [{"number": 2}])

    def test_second_server_is_refused_after_three_heartbeats(self) -> None:
        """
        A topic that another serves is asked for again for 15 seconds; then
        the daemon is told, and the first one serves on.
        """
        refused: list[str] = []
        first, second = self.bus(), self.bus(refused.append)
        first.serve("compute.one", {"who": lambda context: "first"})
        second.serve("compute.one", {"who": lambda context: "second"})

        self.clock.pump([1] * 14)
        self.assertEqual(refused, [])
        self.clock.pump([1] * 2)

        self.assertEqual(refused, ["compute.one"])
        calling = second.call("compute.one", "who", {})
        self.settle()
        self.assertEqual(self.successResultOf(calling), "first")

    def test_ghost_is_waited_for(self) -> None:
        """
        A topic that becomes free in that time is taken.
        """
        refused: list[str] = []
        first, second = self.bus(), self.bus(refused.append)
        first.serve("compute.one", {"who": lambda context: "first"})
        second.serve("compute.one", {"who": lambda context: "second"})

        self.clock.pump([1] * 5)
        first.stop()
        self.settle()
        self.failureResultOf(self.calling(second), NobodyThere)
        self.clock.pump([1] * 20)

        self.assertEqual(self.successResultOf(self.calling(second)), "second")
        self.assertEqual(refused, [])

    def calling(self, bus: MemoryBus) -> Any:
        calling = bus.call("compute.one", "who", {})
        self.settle()
        return calling

    def test_stop_does_not_wait_for_ever(self) -> None:
        """
        A method that hangs holds a daemon up for 5 seconds.
        """
        server, client = self.bus(), self.bus()
        server.serve("compute.one", {"never": lambda context: Deferred()})
        calling = client.call("compute.one", "never", {})
        self.settle()

        stopping = server.stop()
        self.clock.advance(4.9)
        self.assertNoResult(stopping)
        self.clock.advance(0.2)

        self.successResultOf(stopping)
        self.assertNoResult(calling)
        calling.addErrback(lambda _: None)

    def test_too_many_calls(self) -> None:
        """
        No more than 1000 calls wait at once.
        """
        client = self.bus()
        calls = [client.call("compute.one", "never", {}) for _ in range(1001)]
        for call in calls:
            call.addErrback(lambda failure: failure.value.message)

        self.assertIn("1000", self.successResultOf(calls[1000]))
