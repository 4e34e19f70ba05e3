"""
Tests for L{computeagent.agent}: what a host answers on the bus.
"""

from __future__ import annotations

from hashlib import sha256
from typing import Any

from twisted.internet.defer import Deferred

from computeagent.devices import CannotOpen, DeviceRefused
from computeagent.hypervisor import SHUTOFF
from computeagent.orders import OrderFailed, TerminalGone
from computeagent.ports import PortsExhausted
from consolebus.ibus import BadArguments, Conflict, NobodyThere, NotFound, Unavailable
from tests.computeagent.descriptions import UUID, domain_xml
from tests.computeagent.fakes import FIRST_PORT, HOST
from tests.computeagent.stage import TTL, AgentTestCase

OTHER = "0e0e0e0e-9a58-4c5e-8a3a-1f1e5f3c2d10"


def digest(text: str) -> str:
    return sha256(text.encode()).hexdigest()


class GettingTests(AgentTestCase):
    """
    C{get_console}: a grant on the console of a guest.
    """

    def test_answer(self) -> None:
        """
        The answer has all that a proxy needs to let the user in.
        """
        answer = self.got()

        self.assertEqual(
            set(answer),
            {
                *("grant", "console", "token", "host", "port", "secret"),
                *("mode", "device", "expires_in"),
            },
        )
        self.assertRegex(answer["grant"], "^g[0-9a-f]{16}$")
        self.assertRegex(answer["token"], "^[A-Za-z0-9_-]{43}$")
        self.assertEqual((answer["host"], answer["port"]), (HOST, FIRST_PORT))
        self.assertEqual((answer["mode"], answer["device"]), ("rw", "serial0"))
        self.assertEqual(answer["expires_in"], TTL)

    def test_terminal_learns_a_digest(self) -> None:
        """
        The terminal is told of the grant, by the digest of its secret alone.
        """
        answer = self.got(mode="ro", user="bob")

        self.assertEqual(
            self.terminal.orders("grant"),
            [
                {
                    "grant": answer["grant"],
                    "digest": digest(answer["secret"]),
                    "mode": "ro",
                    "user": "bob",
                    "lifetime": TTL,
                }
            ],
        )

    def test_token_is_forgotten(self) -> None:
        """
        What opens a console is minted anew each time; of the token only the digest is kept.
        """
        one, other = self.got(), self.got()

        self.assertEqual(len({one["token"], other["token"], one["secret"], other["secret"]}), 4)
        kept = self.agent._grants[one["grant"]]
        self.assertEqual(kept.digest, digest(one["token"]))
        self.assertNotIn(one["token"], repr(self.agent.__dict__))

    def test_secret_is_not_shown(self) -> None:
        """
        A grant that reaches a log does not bring its secret there.
        """
        answer = self.got()

        self.assertNotIn(answer["secret"], repr(self.agent._grants.__dict__))

    def test_opened_is_told(self) -> None:
        """
        The API hears that a console is open.
        """
        answer = self.got()
        self.pass_time(0)

        (told,) = self.api.of("console_is")
        self.assertEqual(
            told,
            {
                "event": "opened",
                "host": "h1",
                "console": answer["console"],
                "domain": UUID,
                "name": "web1",
                "device": "serial0",
                "state": "live",
            },
        )

    def test_viewers_are_told(self) -> None:
        """
        And who comes and goes there.
        """
        self.got()
        self.terminal.tell("viewer_came", viewer="v1", user="ann")
        self.terminal.tell("viewer_left", viewer="v1", user="ann")
        self.terminal.tell("something_new", x=1)
        self.pass_time(0)

        told = self.api.of("console_is")[1:]
        self.assertEqual(
            [(words["event"], words["viewer"], words["user"]) for words in told],
            [("viewer_came", "v1", "ann"), ("viewer_left", "v1", "ann")],
        )

    def test_bad_arguments(self) -> None:
        """
        What makes no sense is refused before anything is done.
        """
        for words in (
            {"domain": None},
            {"domain": ""},
            {"domain": "x" * 65},
            {"domain": "web1"},
            {"domain": UUID + "\n"},
            {"domain": UUID[:-1] + "\0"},
            {"domain": UUID.replace("-", "")},
            {"device": 7},
            {"mode": "w"},
            {"mode": None},
            {"user": None},
            {"user": "x" * 256},
            {"unknown": 1},
        ):
            self.refused(BadArguments, **words)

        self.assertEqual(self.opener.opened, [])

    def test_too_many_grants(self) -> None:
        """
        Their number has a limit.
        """
        self.agent._grants.MOST = 1
        self.got()

        self.assertIn("has 1 grants already", self.refused(Unavailable))


class FailureTests(AgentTestCase):
    """
    Each thing that can be wrong has its own kind and sentence.
    """

    def test_no_such_guest(self) -> None:
        """
        A guest that is not on this host is named.
        """
        self.assertEqual(
            self.refused(NotFound, domain=OTHER), f"there is no guest {OTHER} on host h1"
        )

    def test_not_running(self) -> None:
        """
        A guest that is shut off has to be started first.
        """
        self.hypervisor.set_state(UUID, SHUTOFF)

        self.assertEqual(
            self.refused(Conflict),
            "guest web1 is not running (shutoff); start it, then ask again",
        )

    def test_no_usable_device(self) -> None:
        """
        The types that there are are said.
        """
        self.hypervisor.add(UUID, "web1", domain_xml("<serial type='file'/>"))

        said = self.refused(Conflict)

        self.assertIn("has no usable serial device", said)
        self.assertIn("serial0 is of type file, it only writes a file", said)

    def test_no_such_device(self) -> None:
        """
        So are the devices, to who asks for one that there is not.
        """
        said = self.refused(Conflict, device="serial7")

        self.assertIn("It has no serial device 'serial7', but serial0.", said)

    def test_libvirt_away(self) -> None:
        """
        While libvirt is away nothing can be opened; when it is back, it can.
        """
        self.hypervisor.set_away("libvirt is away: it was killed")

        self.assertEqual(
            self.refused(Unavailable),
            "host h1 can't reach its libvirt now: libvirt is away: it was killed",
        )
        self.hypervisor.set_away("")
        self.got()

    def test_device_refused(self) -> None:
        """
        A terminal that is not this guest's is refused with the reason, and logged.
        """
        self.opener.failing = DeviceRefused("/dev/pts/7 is not a terminal of this guest")

        self.assertEqual(
            self.refused(Conflict),
            "the serial device of guest web1 was refused: "
            "/dev/pts/7 is not a terminal of this guest",
        )

    def test_device_cannot_be_opened(self) -> None:
        """
        A lack of rights on the host is not the user's fault.
        """
        self.opener.failing = CannotOpen("the agent may not open /dev/pts/7")

        self.assertIn("can't be opened: the agent may not", self.refused(Unavailable))

    def test_bad_description(self) -> None:
        """
        A truncated description, or one with entities, is told as such.
        """
        for xml in ("<domain", "<!DOCTYPE domain [<!ENTITY a 'b'>]>" + domain_xml()):
            self.hypervisor.add(UUID, "web1", xml)
            self.assertIn("can't be read: it ", self.refused(Unavailable))

    def test_ports_exhausted(self) -> None:
        """
        Who can change that is told how.
        """
        self.workshop.starting = PortsExhausted(10000, 12000)

        self.assertEqual(
            self.refused(Unavailable),
            "host h1 has no port left for another console (10000-12000); "
            "close one, or widen --portrange",
        )

    def test_terminal_refuses(self) -> None:
        """
        A terminal that takes no grant says why.
        """
        self.got()
        self.terminal.answers["grant"] = OrderFailed("this console has 1000 grants already")

        self.assertEqual(
            self.refused(Unavailable), "the terminal says: this console has 1000 grants already"
        )

    def test_terminal_is_stuck(self) -> None:
        """
        A terminal that does not answer is not waited for without end.
        """
        self.got()
        self.terminal.answers["grant"] = Deferred()
        self.terminal.answers["grant"].addTimeout(9, self.clock)
        asking = self.get()

        self.pass_time(9.5, 0.5)

        said = str(self.failureResultOf(asking, Unavailable).value)
        self.assertEqual(said, "the terminal did not start in time; try again")

    def test_terminal_ends_again_and_again(self) -> None:
        """
        A terminal that can't live is not started for ever.
        """
        start = self.workshop.start_terminal

        def start_and_die(*words: Any) -> Any:
            starting = start(*words)
            self.terminal.answers["grant"] = TerminalGone()
            self.clock.callLater(0.1, self.terminal.child.die)
            return starting

        self.workshop.start_terminal = start_and_die  # type: ignore[method-assign]
        asking = self.get()
        self.pass_time(3)

        said = str(self.failureResultOf(asking, Unavailable).value)
        self.assertIn("ended again and again", said)
        self.assertEqual(len(self.workshop.terminals), 3)
        self.assertEqual(self.workshop.running, [])

    def test_agent_away(self) -> None:
        """
        A host whose agent has left is told of at once.
        """
        self.bus.stop()
        self.pass_time(0)

        self.assertEqual(self.refused(NobodyThere), "Nobody serves compute.h1.")
