"""
Tests for L{computeagent.attaching}: consoles that are there before anybody asks.
"""

from __future__ import annotations

from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from computeagent.attaching import lasting
from computeagent.devices import CannotOpen
from computeagent.hypervisor import RUNNING, SHUTOFF
from tests.computeagent.descriptions import UUID, domain_xml
from tests.computeagent.stage import IDLE, AgentTestCase

OTHER = "0e0e0e0e-9a58-4c5e-8a3a-1f1e5f3c2d10"


class LastingTests(SynchronousTestCase):
    """
    Which guests are attached to always.
    """

    def test_by_name(self) -> None:
        """
        All of them, or those whose names match a pattern.
        """
        self.assertTrue(lasting("always", [])("web1"))
        self.assertFalse(lasting("on-demand", [])("web1"))
        some = lasting("on-demand", ["web*", "db"])
        self.assertEqual([some(name) for name in ("web1", "db", "db1")], [True, True, False])


class AttachingTests(AgentTestCase):
    """
    C{attach = always}, for the guest web1.
    """

    def setUp(self) -> None:
        super().setUp()
        self.lasting.add("web1")
        self.hypervisor.add(OTHER, "web2", domain_xml(name="web2"))

    def start(self) -> None:
        self.hypervisor.set_state(UUID, SHUTOFF)
        self.hypervisor.set_state(UUID, RUNNING)
        self.pass_time(0.1)

    def test_guest_starts(self) -> None:
        """
        Its console is there before anybody asks, and stays when nobody is there; that of
        another guest is not.
        """
        self.start()
        self.hypervisor.set_state(OTHER, SHUTOFF)
        self.hypervisor.set_state(OTHER, RUNNING)
        self.pass_time(0.1)

        self.assertEqual(len(self.workshop.terminals), 1)
        self.assertEqual(self.workshop.lasting, [True])
        self.assertEqual(self.api.of("console_is")[-1]["event"], "opened")
        self.got(domain=OTHER)
        self.assertEqual(self.workshop.lasting, [True, False])

    def test_guests_that_run_already(self) -> None:
        """
        When libvirt is reached, as after a restart of the agent, consoles of those that run are
        opened.
        """
        self.hypervisor.set_away("")
        self.pass_time(0.1)

        self.assertEqual(self.workshop.titles, ["web1 serial0"])

    def test_shared(self) -> None:
        """
        Who asks for it gets that one.
        """
        self.start()

        self.got()

        self.assertEqual(len(self.workshop.terminals), 1)

    def test_not_ready(self) -> None:
        """
        A device that can't be opened in the first moment is tried again, a few times.
        """
        self.opener.failing = CannotOpen("it is not there yet")
        self.start()
        self.pass_time(2)
        self.assertEqual(self.workshop.terminals, [])
        self.opener.failing = None
        self.pass_time(1)
        self.assertEqual(len(self.workshop.terminals), 1)

        self.opener.failing = CannotOpen("it is never there")
        self.lasting.add("web2")
        self.hypervisor.set_state(OTHER, SHUTOFF)
        self.hypervisor.set_state(OTHER, RUNNING)
        count = len(self.opener.opened)
        self.pass_time(20)
        self.assertEqual(len(self.opener.opened), count + 4)

    def test_nobody_is_there(self) -> None:
        """
        After the idle time whoever was let in has to ask again; the console stays.
        """
        self.start()
        first = self.got()["grant"]
        self.terminal.tell("viewer_came", viewer="v1", user="ann")
        self.pass_time(IDLE + 1, 10)
        self.assertEqual(list(self.agent._grants), [first])

        self.terminal.tell("viewer_left", viewer="v1", user="ann")
        self.pass_time(IDLE - 10, 10)
        second = self.got(user="bob")["grant"]
        self.pass_time(IDLE - 10, 10)
        self.assertEqual(list(self.agent._grants), [first, second])
        self.pass_time(20, 10)

        self.assertEqual(list(self.agent._grants), [])
        revoked = {words["grant"] for words in self.terminal.orders("revoke")}
        self.assertEqual(revoked, {first, second})
        self.assertEqual(len(self.successResultOf(self.ask("list_consoles"))["consoles"]), 1)

    def test_broken(self) -> None:
        """
        A console that broke is opened again; one that was closed by somebody is not.
        """
        self.start()
        for _ in range(6):
            self.terminal.child.die()
            self.pass_time(20, 1)
        self.assertEqual(len(self.workshop.running), 2)

        console = self.successResultOf(self.ask("list_consoles"))["consoles"][0]["console"]
        self.ask("close_console", console=console)
        self.pass_time(20, 1)

        self.assertEqual(self.workshop.running, [])

    def test_unused(self) -> None:
        """
        One that ended because nobody used it is opened anew at once: who attaches always
        wants it held.
        """
        self.start()
        for number, reason in enumerate(("input", "watching", "idle"), 2):
            self.terminal.end(reason)
            self.pass_time(0.5)

            self.assertEqual(len(self.workshop.terminals), number)
            self.assertEqual(len(self.workshop.running), 2)

    def start_another(self) -> None:
        self.bus.stop()
        self.successResultOf(Deferred.fromCoroutine(self.agent.stop(leave=True)))
        self.rooms.prepare()
        self.make_agent()
        self.agent.start()
        self.bus.start()
        self.pass_time(0.2)

    def test_wanted_since(self) -> None:
        """
        One that was opened on demand ends when it is idle; if the agent that has adopted it is
        to attach always, another one is there then.
        """
        self.lasting.clear()
        self.got()
        self.lasting.add("web1")
        self.start_another()

        self.terminal.end("idle")
        self.pass_time(0.5)

        self.assertEqual(self.workshop.lasting, [False, True])
        self.assertEqual(len(self.workshop.running), 2)

    def test_wanted_no_more(self) -> None:
        """
        One that an earlier agent was to attach to always ends when it is idle.
        """
        self.start()
        self.lasting.clear()
        self.start_another()

        self.pass_time(IDLE + 10, 10)

        self.assertEqual(self.api.of("console_is")[-1]["reason"], "idle")
        self.assertEqual(self.workshop.running, [])

    def test_logout(self) -> None:
        """
        Whether somebody was left logged in at the guest is told on.
        """
        self.start()

        self.terminal.tell("logout", state="in")
        self.pass_time(0)

        told = self.api.of("console_is")[-1]
        self.assertEqual((told["event"], told["outcome"]), ("logout", "in"))

    def test_everything_ends(self) -> None:
        """
        An agent whose consoles have long been idle can be stopped all the same.
        """
        self.start()
        self.pass_time(IDLE + 1, 10)

        stopping = Deferred.fromCoroutine(self.agent.stop())
        self.pass_time(1)

        self.successResultOf(stopping)
        self.assertEqual(self.workshop.running, [])

    def test_stopped(self) -> None:
        """
        An agent that is stopped opens none.
        """
        self.opener.failing = CannotOpen("it is not there yet")
        self.start()
        self.agent._attaching.stop()
        count = len(self.opener.opened)

        self.pass_time(10)

        self.assertEqual(len(self.opener.opened), count)
