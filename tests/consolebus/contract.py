"""
What every bus does: one suite, run over each provider.
"""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.task import deferLater

from consolebus.ibus import (
    BadArguments,
    Broken,
    BusAway,
    Conflict,
    Context,
    DeadlineExceeded,
    IConsoleBus,
    NobodyThere,
    NotFound,
)


class Mailbox:
    """
    A method that remembers what it was called with, and a way to wait for it.
    """

    def __init__(self) -> None:
        self.received: list[dict[str, Any]] = []
        self._waiting: list[tuple[int, Deferred[None]]] = []

    def take(self, context: Context, **args: Any) -> None:
        self.received.append(args)
        for count, waiting in list(self._waiting):
            if len(self.received) >= count:
                self._waiting.remove((count, waiting))
                waiting.callback(None)

    async def until(self, count: int) -> list[dict[str, Any]]:
        if len(self.received) < count:
            waiting: Deferred[None] = Deferred()
            self._waiting.append((count, waiting))
            await waiting
        return self.received


class BusContract:
    """
    Mixed into a trial C{TestCase} whose C{reactor} is a real one and whose
    C{make_bus} returns another, unstarted bus at the same broker each time.
    """

    timeout = 30
    reactor: Any
    assertEqual: Any
    assertTrue: Any
    assertFalse: Any
    assertIn: Any
    assertNotIn: Any
    assertIsInstance: Any
    assertRaises: Any
    addCleanup: Any
    flushLoggedErrors: Any

    def make_bus(self, on_refused: Any = None) -> IConsoleBus:
        raise NotImplementedError

    async def bus(self, on_refused: Any = None) -> IConsoleBus:
        """
        A bus that is connected, and left at the test's end.
        """
        bus = self.make_bus(on_refused)
        self.addCleanup(bus.stop)
        await bus.start()
        self.assertTrue(bus.connected)
        return bus

    async def failure(self, calling: Any, kind: type[Exception]) -> Any:
        try:
            result = await calling
        except kind as failure:
            return failure
        raise AssertionError(f"{result!r} instead of {kind.__name__}")

    async def test_call_is_answered(self) -> None:
        """
        The caller gets what the method returned, whatever JSON it is.
        """
        server, client = await self.bus(), await self.bus()
        server.serve("compute.one", {"echo": lambda context, said: said})
        said = {"text": "grüß \u2603 \x00", "list": [1, 2.5, None, True], "": {}}

        result = await self.served(client, "compute.one", "echo", {"said": said})

        self.assertEqual(result, said)

    async def served(self, client: IConsoleBus, topic: str, method: str, args: Any) -> Any:
        """
        Call as soon as C{topic}, which a connected bus has just begun to
        serve, is there.
        """
        while True:
            try:
                return await client.call(topic, method, args)
            except NobodyThere:
                await deferLater(self.reactor, 0.01)

    async def test_topics_served_before_start(self) -> None:
        """
        Once C{start} has fired, whatever was declared before is served.
        """
        server, client = self.make_bus(), await self.bus()
        self.addCleanup(server.stop)
        server.serve("compute.one", {"double": lambda context, number: number * 2})
        await server.start()

        result = await client.call("compute.one", "double", {"number": 21})

        self.assertEqual(result, 42)

    async def test_methods_may_take_time(self) -> None:
        """
        A coroutine and a Deferred are waited for, each on its own.
        """
        server, client = self.make_bus(), await self.bus()
        self.addCleanup(server.stop)
        gate: Deferred[str] = Deferred()

        async def slow(context: Context) -> str:
            return await gate

        server.serve("compute.one", {"slow": slow, "later": lambda context: self.later("later")})
        await server.start()

        waiting = client.call("compute.one", "slow", {})
        quick = await client.call("compute.one", "later", {})
        gate.callback("at last")

        self.assertEqual((quick, await waiting), ("later", "at last"))

    def later(self, result: Any) -> Deferred[Any]:
        return deferLater(self.reactor, 0.01, lambda: result)

    async def test_context_travels(self) -> None:
        """
        The method learns who asked, and under which request.
        """
        server, client = self.make_bus(), await self.bus()
        self.addCleanup(server.stop)
        server.serve("who", {"asks": lambda context: [context.request_id, context.user]})
        await server.start()

        result = await client.call("who", "asks", {}, Context("req-7", "ann"))

        self.assertEqual(result, ["req-7", "ann"])

    async def test_failures_cross(self) -> None:
        """
        A known failure arrives as itself, also a daemon's own kind of it.
        """
        server, client = self.make_bus(), await self.bus()
        self.addCleanup(server.stop)

        class NoSuchGuest(NotFound):
            pass

        async def missing(context: Context) -> None:
            raise NoSuchGuest("There is no such guest.")

        def busy(context: Context) -> None:
            raise Conflict("The guest is being migrated.")

        server.serve("compute.one", {"missing": missing, "busy": busy})
        await server.start()

        first = await self.failure(client.call("compute.one", "missing", {}), NotFound)
        second = await self.failure(client.call("compute.one", "busy", {}), Conflict)

        self.assertEqual(first.message, "There is no such guest.")
        self.assertEqual(second.message, "The guest is being migrated.")

    async def test_unknown_exception_is_broken(self) -> None:
        """
        A bug on the other side is told as one, without its traceback; the
        traceback is in that side's log.
        """
        server, client = self.make_bus(), await self.bus()
        self.addCleanup(server.stop)

        def bug(context: Context) -> None:
            raise ZeroDivisionError("secret-7f3a")

        server.serve("compute.one", {"bug": bug})
        await server.start()

        failure = await self.failure(client.call("compute.one", "bug", {}), Broken)

        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)
        self.assertNotIn("secret-7f3a", failure.message)
        self.assertNotIn("Zero", failure.message)

    async def test_result_that_is_no_json_is_broken(self) -> None:
        """
        A method that answers bytes has a bug.
        """
        server, client = self.make_bus(), await self.bus()
        self.addCleanup(server.stop)
        server.serve("compute.one", {"raw": lambda context: b"\x00"})
        await server.start()

        failure = await self.failure(client.call("compute.one", "raw", {}), Broken)

        self.assertIn("compute.one", failure.message)

    async def test_wrong_arguments_are_refused(self) -> None:
        """
        Missing, unknown and doubled arguments, and unknown methods, never
        reach a method; the topic is served on.
        """
        server, client = self.make_bus(), await self.bus()
        self.addCleanup(server.stop)
        server.serve("compute.one", {"of": lambda context, domain, mode="rw": [domain, mode]})
        await server.start()

        for args in ({}, {"domain": 1, "more": 2}, {"domain": 1, "context": 2}):
            await self.failure(client.call("compute.one", "of", args), BadArguments)
        await self.failure(client.call("compute.one", "no_such", {}), BadArguments)

        self.assertEqual(await client.call("compute.one", "of", {"domain": 1}), [1, "rw"])

    async def test_what_is_no_json_is_not_sent(self) -> None:
        """
        Our own mistake is told at once, to the one who made it.
        """
        client = await self.bus()

        await self.failure(client.call("compute.one", "of", {"domain": object()}), BadArguments)
        await self.failure(client.call("compute.one", "of", {"text": "x" * 2**20}), BadArguments)
        await self.failure(client.call("not a t\u00f6pic", "of", {}), BadArguments)
        with self.assertRaises(BadArguments):
            client.cast("compute.one", "of", {"domain": b""})

    async def test_nobody_there(self) -> None:
        """
        A call to a host without an agent ends long before its deadline.
        """
        client = await self.bus()
        before = self.reactor.seconds()

        failure = await self.failure(
            client.call("compute.none", "get_console", {}, timeout=20), NobodyThere
        )

        self.assertTrue(self.reactor.seconds() - before < 5)
        self.assertIn("compute.none", failure.message)

    async def test_no_longer_there(self) -> None:
        """
        A daemon that has left is gone at once.
        """
        server, client = self.make_bus(), await self.bus()
        server.serve("compute.one", {"double": lambda context, number: number * 2})
        await server.start()
        await client.call("compute.one", "double", {"number": 1})

        await server.stop()

        await self.failure(client.call("compute.one", "double", {"number": 1}), NobodyThere)

    async def test_deadline(self) -> None:
        """
        Who does not answer in time is not waited for; a late answer harms
        nobody.
        """
        server, client = self.make_bus(), await self.bus()
        self.addCleanup(server.stop)
        gate: Deferred[str] = Deferred()
        server.serve("compute.one", {"slow": lambda context: gate, "quick": lambda context: 1})
        await server.start()

        waiting = client.call("compute.one", "slow", {}, timeout=0.2)
        await self.failure(waiting, DeadlineExceeded)
        gate.callback("too late")

        self.assertEqual(await client.call("compute.one", "quick", {}), 1)

    async def test_cancelled_call_is_forgotten(self) -> None:
        """
        A browser that went away leaves nothing behind in the bus.
        """
        server, client = self.make_bus(), await self.bus()
        self.addCleanup(server.stop)
        gate: Deferred[str] = Deferred()
        server.serve("compute.one", {"slow": lambda context: gate, "quick": lambda context: 1})
        await server.start()

        waiting = client.call("compute.one", "slow", {})
        waiting.addErrback(lambda _: None)
        waiting.cancel()
        gate.callback("nobody waits")

        self.assertEqual(await client.call("compute.one", "quick", {}), 1)

    async def test_cast_reaches_the_one_that_serves(self) -> None:
        """
        In the order in which they were made.
        """
        server, client, mailbox = self.make_bus(), await self.bus(), Mailbox()
        self.addCleanup(server.stop)
        server.serve("compute.one", {"take": mailbox.take})
        await server.start()

        for number in range(50):
            client.cast("compute.one", "take", {"number": number})

        self.assertEqual(await mailbox.until(50), [{"number": n} for n in range(50)])

    async def test_fanout_reaches_everyone(self) -> None:
        """
        All who listen, the sender too, and nobody else; one who serves the
        same topic gets none of it.
        """
        mailboxes = [Mailbox() for _ in range(4)]
        buses = [self.make_bus() for _ in range(4)]
        for bus, mailbox in zip(buses[:3], mailboxes, strict=False):
            bus.listen("compute", {"take": mailbox.take})
        buses[3].serve("compute", {"take": mailboxes[3].take})
        for bus in buses:
            self.addCleanup(bus.stop)
            await bus.start()

        buses[0].fanout("compute", "take", {"text": "announce"})
        buses[0].cast("compute", "take", {"text": "cast"})

        for mailbox in mailboxes[:3]:
            self.assertEqual(await mailbox.until(1), [{"text": "announce"}])
        self.assertEqual(await mailboxes[3].until(1), [{"text": "cast"}])

    async def test_broken_listener_hears_on(self) -> None:
        """
        One that fails on a fan-out still gets the next one.
        """
        bus, mailbox = self.make_bus(), Mailbox()
        self.addCleanup(bus.stop)

        def bug(context: Context) -> None:
            raise ZeroDivisionError

        bus.listen("compute", {"take": mailbox.take, "bug": bug})
        await bus.start()

        bus.fanout("compute", "bug", {})
        bus.fanout("compute", "no_such", {})
        bus.fanout("compute", "take", {"number": 1, "context": 2})
        bus.fanout("compute", "take", {"number": 1})

        self.assertEqual(await mailbox.until(1), [{"number": 1}])
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)

    async def test_delivery_is_later(self) -> None:
        """
        Nothing is carried out before the caller has returned.
        """
        bus, mailbox = self.make_bus(), Mailbox()
        self.addCleanup(bus.stop)
        bus.listen("compute", {"take": mailbox.take})
        await bus.start()

        bus.fanout("compute", "take", {})

        self.assertEqual(mailbox.received, [])
        self.assertEqual(await mailbox.until(1), [{}])

    async def test_large_messages(self) -> None:
        """
        900 KiB arrive whole, in both directions.
        """
        server, client = self.make_bus(), await self.bus()
        self.addCleanup(server.stop)
        server.serve("compute.one", {"echo": lambda context, text: text})
        await server.start()
        text = "0123456789abcde\n" * (900 * 64)

        self.assertEqual(await client.call("compute.one", "echo", {"text": text}), text)

    async def test_stopped_bus_is_away(self) -> None:
        """
        A stopped bus refuses calls, and ends those that wait.
        """
        server, client = self.make_bus(), await self.bus()
        self.addCleanup(server.stop)
        gate: Deferred[None] = Deferred()
        server.serve("compute.one", {"never": lambda context: gate})
        await server.start()

        waiting = client.call("compute.one", "never", {})
        await client.stop()

        await self.failure(waiting, BusAway)
        await self.failure(client.call("compute.one", "never", {}), BusAway)
        self.assertFalse(client.connected)
        gate.callback(None)

    async def test_stop_waits_for_methods(self) -> None:
        """
        What is under way is finished and answered before the daemon leaves.
        """
        server, client, mailbox = self.make_bus(), await self.bus(), Mailbox()
        gate: Deferred[str] = Deferred()

        def slow(context: Context) -> Deferred[str]:
            mailbox.take(context)
            return gate

        server.serve("compute.one", {"slow": slow})
        await server.start()

        waiting = client.call("compute.one", "slow", {})
        await mailbox.until(1)
        stopping = server.stop()
        self.assertFalse(stopping.called)
        gate.callback("done")

        self.assertEqual(await waiting, "done")
        await stopping

    async def test_casts_leave_before_stop(self) -> None:
        """
        What a daemon says last is heard.
        """
        server, client, mailbox = self.make_bus(), await self.bus(), Mailbox()
        self.addCleanup(server.stop)
        server.listen("consoleapi", {"take": mailbox.take})
        await server.start()

        for number in range(20):
            client.fanout("consoleapi", "take", {"number": number})
        await client.stop()

        self.assertEqual(await mailbox.until(20), [{"number": n} for n in range(20)])

    async def test_when_connected(self) -> None:
        """
        Called when the connection comes, or at once where it is there.
        """
        bus, greetings = self.make_bus(), []
        self.addCleanup(bus.stop)
        bus.when_connected(lambda: greetings.append(("before", bus.connected)))
        await bus.start()
        bus.when_connected(lambda: greetings.append(("after", bus.connected)))

        self.assertEqual(greetings, [("before", True), ("after", True)])

    async def test_a_topic_is_served_once(self) -> None:
        """
        To serve a topic twice is the program's mistake.
        """
        bus = await self.bus()
        bus.serve("compute.one", {})
        bus.listen("compute.one", {})

        with self.assertRaises(ValueError):
            bus.serve("compute.one", {})
        with self.assertRaises(ValueError):
            bus.listen("compute.one", {})
