"""
Tests for L{computeagent.adoption}: an agent that comes after another one.
"""

from __future__ import annotations

import json
from typing import Any

from twisted.internet.defer import Deferred

from computeagent.console import Console
from computeagent.hypervisor import SHUTOFF
from computeagent.orders import OrderFailed
from computeagent.rooms import Room
from tests.computeagent.descriptions import UUID
from tests.computeagent.stage import AgentTestCase


class AdoptionTestCase(AgentTestCase):
    """
    An agent with a console, to which C{ann} has leave.
    """

    def setUp(self) -> None:
        super().setUp()
        self.granted = self.got()
        self.room = Room(self.run_directory / self.granted["console"])
        self.terminal.answers["grants"] = {"grants": [self.granted["grant"]]}

    def die(self) -> None:
        """
        The agent is gone, and its children are not.
        """
        self.bus.stop()
        self.successResultOf(Deferred.fromCoroutine(self.agent.stop(leave=True)))
        self.pass_time(0)
        self.proxy.messages.clear()
        self.api.messages.clear()

    def start_another(self) -> None:
        self.rooms.prepare()
        self.make_agent()
        self.agent.start()
        self.bus.start()
        self.pass_time(0.2)

    @property
    def console(self) -> Console:
        [console] = self.agent._consoles
        return console

    def change_state(self, **words: Any) -> None:
        path = self.room.path / "state.json"
        path.write_text(json.dumps({**json.loads(path.read_text()), **words}))

    def assert_ended(self) -> None:
        self.assertEqual(list(self.agent._consoles), [])
        self.assertFalse(self.room.path.exists())
        self.assertEqual(self.proxy.of("revoke_grant"), [{"grant": self.granted["grant"]}])
        self.assertEqual(self.proxy.of("authorize_console"), [])


class AdoptedTests(AdoptionTestCase):
    """
    The children go on, under the next agent.
    """

    def test_same_children(self) -> None:
        """
        No other is started; who asks gets the same console.
        """
        self.die()
        self.start_another()

        self.assertEqual(self.got()["console"], self.granted["console"])
        self.assertEqual((len(self.workshop.terminals), len(self.workshop.socats)), (1, 1))
        self.assertEqual(self.terminal.orders("part"), [])
        self.assertEqual(self.api.of("console_is")[0]["event"], "adopted")

    def test_device_is_held(self) -> None:
        """
        The device is opened anew, as libvirt tells where it is now.
        """
        self.die()
        self.start_another()

        self.assertEqual(self.console.line.descriptor, self.opener.descriptors[1])
        self.assertEqual(len(self.workshop.running), 2)

    def test_another_device(self) -> None:
        """
        A socat that reads something else is ended, and another one joins.
        """
        self.workshop.same_device = False
        self.die()
        self.start_another()

        self.assertEqual([child.runs for child in self.workshop.socats], [False, True])
        self.assertEqual(self.workshop.devices[1], self.opener.descriptors[1])
        self.assertEqual(self.terminal.orders("mark"), [])

    def test_libvirt_away(self) -> None:
        """
        Without libvirt nothing is opened, and nothing is disturbed, until it is back.
        """
        self.die()
        self.hypervisor.set_away("It is.")
        self.start_another()
        self.assertIsNone(self.console.line.descriptor)
        self.assertEqual(self.console.state, "live")

        self.hypervisor.set_away("")
        self.pass_time(0.1)

        self.assertEqual(self.console.line.descriptor, self.opener.descriptors[1])

    def test_grants(self) -> None:
        """
        The proxies are told of them again, with the same secret; they can be revoked.
        """
        self.die()
        self.start_another()

        [told] = self.proxy.of("authorize_console")[:1]
        for name in ("grant", "console", "host", "port", "secret", "mode"):
            self.assertEqual(told[name], self.granted[name])
        revoking = self.ask("revoke_grant", grant=self.granted["grant"])
        self.assertEqual(self.successResultOf(revoking), {"known": True})
        self.assertEqual(self.room.names(), ["state"])

    def test_files_tell_no_token(self) -> None:
        """
        What opens a console from a browser is nowhere.
        """
        text = "".join(path.read_text() for path in self.room.path.iterdir())

        self.assertIn(self.granted["secret"], text)
        self.assertNotIn(self.granted["token"], text)

    def test_expired_meanwhile(self) -> None:
        """
        What the terminal has forgotten is not known again; what only the terminal knows
        is revoked there.
        """
        other = self.got()
        self.terminal.answers["grants"] = {"grants": [other["grant"], "g" + 16 * "0"]}
        self.die()
        self.start_another()

        self.assertEqual(list(self.agent._grants), [other["grant"]])
        self.assertEqual(self.room.names(), [other["grant"], "state"])
        self.assertEqual(self.terminal.orders("revoke"), [{"grant": "g" + 16 * "0"}])

    def test_next_terminal_has_the_grants(self) -> None:
        """
        A terminal that takes the place of an adopted one is told what that was told.
        """
        self.die()
        self.start_another()
        self.terminal.child.die()
        self.pass_time(0.1)

        first, second = self.workshop.terminals
        self.assertEqual(second.orders("grant"), first.orders("grant"))

    def test_notices(self) -> None:
        """
        What viewers were told is taken back when it is true no more.
        """
        self.console.notice("other-reader", "Somebody.")
        self.console.happened("rebooted")
        self.die()
        self.start_another()
        self.pass_time(4)

        told = [(w["name"], w["message"]) for w in self.terminal.orders("notice")[2:]]
        self.assertEqual(told, [("rebooting", ""), ("other-reader", "")])

    def test_no_socat_meanwhile(self) -> None:
        """
        Whatever may be joined is let go, another one joins, and a mark tells of the gap.
        """
        self.workshop.joining = OSError(11, "Resource temporarily unavailable")
        self.workshop.socats[0].die()
        self.die()
        self.workshop.joining = None
        self.start_another()

        orders = [order for order, _ in self.terminal.given]
        self.assertEqual(orders.count("part"), 1)
        self.assertLess(orders.index("part"), orders.index("mark"))
        self.assertEqual(self.console.state, "live")

    def test_guest_off(self) -> None:
        """
        A console that waited waits on; what the guest says as it comes back is complete.
        """
        self.hypervisor.set_state(UUID, SHUTOFF)
        self.pass_time(2)
        self.die()
        self.start_another()
        self.assertEqual(self.console.state, "waiting")

        self.hypervisor.set_state(UUID, "running")
        self.pass_time(1)

        self.assertEqual(self.console.state, "live")
        self.assertEqual(self.terminal.orders("mark"), [])

    def test_guest_came_back_meanwhile(self) -> None:
        """
        While nobody was there to join it.
        """
        self.hypervisor.set_state(UUID, SHUTOFF)
        self.pass_time(2)
        self.die()
        self.hypervisor.set_state(UUID, "running")
        self.start_another()
        self.pass_time(1)

        self.assertEqual(self.console.state, "live")
        self.assertEqual(len(self.terminal.orders("mark")), 1)


class EndedTests(AdoptionTestCase):
    """
    What can't be gone on with is ended, and its grants are over.
    """

    def adopting_ends_it(self) -> None:
        self.die()
        self.start_another()
        self.assert_ended()

    def test_another_release(self) -> None:
        """
        Nothing is guessed from what another release has written.
        """
        self.change_state(version=99)
        self.adopting_ends_it()

    def test_another_boot(self) -> None:
        """
        Where the pids mean others.
        """
        self.change_state(boot="another")
        self.adopting_ends_it()

    def test_nonsense(self) -> None:
        """
        Nor from what makes no sense.
        """
        for words in ({"terminal": None}, {"socat": [1]}, {"device": {}}, {"notices": [1]}):
            self.change_state(**words)
            self.die()
            self.start_another()
            self.assert_ended()
            self.granted = self.got()
            self.room = Room(self.run_directory / self.granted["console"])

    def test_closing(self) -> None:
        """
        A console that was just being closed.
        """
        self.terminal.finishes = False
        self.console.close("closed", "")
        state = (self.room.path / "state.json").read_text()
        self.die()
        (self.room.path / "state.json").write_text(state)
        self.start_another()
        self.assert_ended()

    def test_terminal_gone(self) -> None:
        """
        Its terminal has ended, of idleness perhaps.
        """
        self.die()
        self.terminal.child.die()
        self.start_another()
        self.assert_ended()

    def test_terminal_is_ending(self) -> None:
        """
        It says that it ends while it is asked: no other takes its place.
        """
        answer: Deferred[Any] = Deferred()
        self.terminal.answers["viewers"] = answer
        self.die()
        self.start_another()
        self.terminal.tell("ended", reason="idle")
        answer.callback({"viewers": []})
        self.pass_time(0.1)

        self.assert_ended()
        self.assertEqual(len(self.workshop.terminals), 1)

    def test_terminal_without_sense(self) -> None:
        """
        Its terminal does not obey.
        """
        self.terminal.answers["viewers"] = OrderFailed("no such order")
        self.adopting_ends_it()

    def test_two_on_a_device(self) -> None:
        """
        Two consoles that claim the same device: one goes on.
        """
        twin = self.rooms.make("ffffffffffff")
        (twin.path / "state.json").write_text((self.room.path / "state.json").read_text())
        self.die()
        self.start_another()

        self.assertEqual(self.console.name, self.granted["console"])
        self.assertFalse(twin.path.exists())
