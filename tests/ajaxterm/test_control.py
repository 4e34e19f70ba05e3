"""
Tests for L{ajaxterm.control}: the agent's orders.
"""

from __future__ import annotations

import json
from base64 import b64decode
from typing import Any

from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport
from twisted.trial.unittest import SynchronousTestCase

from ajaxterm.additions import Additions
from ajaxterm.control import LONGEST, MOST_OUTPUT, Control
from ajaxterm.grants import Grants, digest_of
from ajaxterm.idleness import Limits
from ajaxterm.scrollback import Scrollback
from ajaxterm.session import Session
from ajaxterm.viewer import End
from tests.ajaxterm.stage import FakeLine
from tests.ajaxterm.viewers import FakeViewer

GRANT = {
    "do": "grant",
    "grant": "g1",
    "digest": digest_of("secret"),
    "mode": "rw",
    "user": "ann",
    "lifetime": 600,
}


class ControlTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock = Clock()
        self.grants = Grants(self.clock)
        self.ends: list[End] = []
        self.session = Session(
            self.clock,
            FakeLine(),
            self.grants,
            Scrollback(1 << 20),
            "web1",
            Limits(10.0),
            self.ends.append,
            lambda event: self.control.tell(event),
        )
        self.parted: list[bool] = []
        self.control = Control(self.session, self.grants, lambda: self.parted.append(True))
        self.agent = self.conversation()

    def conversation(self) -> Any:
        """
        An agent connects.
        """
        protocol = self.control.buildProtocol(None)
        protocol.makeConnection(StringTransport())
        return protocol

    def heard(self, agent: Any) -> list[dict[str, Any]]:
        said = agent.transport.value()
        agent.transport.clear()
        return [json.loads(line) for line in said.splitlines()]

    def order(self, **words: Any) -> dict[str, Any]:
        """
        @return: the answer.
        """
        self.agent.dataReceived(json.dumps({"id": 7, **words}).encode() + b"\n")
        [answer] = [said for said in self.heard(self.agent) if "id" in said]
        self.assertEqual(answer.pop("id"), 7)
        return answer

    def attach(self) -> FakeViewer:
        self.order(**GRANT)
        grant = self.grants.find("secret")
        assert grant is not None
        viewer = FakeViewer(self.session)
        viewer.attach(grant)
        return viewer

    def test_grant(self) -> None:
        """
        Whoever has the secret gets in, as the agent said; and a console that is wanted lives.
        """
        self.clock.advance(9)

        self.assertEqual(self.order(**GRANT), {"done": {}})

        grant = self.grants.find("secret")
        assert grant is not None
        self.assertEqual(
            (grant.name, grant.mode, grant.user, grant.lifetime), ("g1", "rw", "ann", 600.0)
        )
        self.clock.advance(9)
        self.assertEqual(self.ends, [])

    def test_part(self) -> None:
        """
        Whatever is joined to the line is let go.
        """
        self.assertEqual(self.order(do="part"), {"done": {}})
        self.assertEqual(self.parted, [True])

    def test_bad_grants(self) -> None:
        """
        What is missing or wrong is named, and nobody gets in.
        """
        for changed, word in [
            ({"mode": "rwx"}, "mode"),
            ({"mode": None}, "mode"),
            ({"mode": ["rw"]}, "mode"),
            ({"lifetime": 0}, "lifetime"),
            ({"lifetime": -1}, "lifetime"),
            ({"lifetime": 1e10}, "lifetime"),
            ({"lifetime": "600"}, "lifetime"),
            ({"lifetime": True}, "lifetime"),
            ({"grant": 1}, "grant"),
            ({"user": None}, "user"),
            ({"user": "x" * 1001}, "user"),
            ({"digest": None}, "digest"),
            ({"digest": "secret"}, "digest"),
            ({"digest": digest_of("secret").upper()}, "digest"),
        ]:
            self.assertIn(word, self.order(**{**GRANT, **changed})["failed"])
        self.assertIsNone(self.grants.find("secret"))

    def test_too_many_grants(self) -> None:
        """
        A thousand are enough; the next is refused with a sentence.
        """
        for number in range(Grants.MOST):
            self.order(**{**GRANT, "grant": str(number), "digest": digest_of(str(number))})

        self.assertIn("1000 grants", self.order(**GRANT)["failed"])

    def test_grants_that_live(self) -> None:
        """
        The agent can ask which grants are still good for something: one that is attached, or
        was used not long ago.
        """
        self.attach()
        self.order(**{**GRANT, "grant": "g2", "digest": digest_of("unused")})
        self.assertEqual(self.order(do="grants"), {"done": {"grants": ["g1", "g2"]}})

        self.clock.advance(600)

        self.assertEqual(self.order(do="grants"), {"done": {"grants": ["g1"]}})

    def test_grant_for_an_ended_console(self) -> None:
        """
        The agent learns that it has to open another.
        """
        self.session.finish(End("closed", "", 1000))

        self.assertIn("has ended", self.order(**GRANT)["failed"])

    def test_revoke(self) -> None:
        """
        Who is in under the grant is sent away.
        """
        viewer = self.attach()

        self.assertEqual(self.order(do="revoke", grant="g1"), {"done": {"known": True}})
        self.assertEqual(self.order(do="revoke", grant="g1"), {"done": {"known": False}})

        self.assertEqual([end.code for end in viewer.ends], [4003])

    def test_viewers(self) -> None:
        """
        Who is there, and how much the guest has said.
        """
        self.attach()
        self.session.output(b"login: ")

        self.assertEqual(
            self.order(do="viewers"),
            {
                "done": {
                    "viewers": [{"name": "v1", "user": "ann", "mode": "rw"}],
                    "end": 7,
                    "typed": 0,
                }
            },
        )

    def test_output(self) -> None:
        """
        The last bytes; before an offset, those before it.
        """
        self.session.output(b"0123456789")

        for words, output, offset in [
            ({"most": 4}, b"6789", 6),
            ({"most": 0}, b"", 10),
            ({"most": 100}, b"0123456789", 0),
            ({"most": 4, "before": 6}, b"2345", 2),
            ({"most": 4, "before": 2}, b"01", 0),
            ({"most": 4, "before": None}, b"6789", 6),
        ]:
            done = self.order(do="output", **words)["done"]
            self.assertEqual((b64decode(done["output"]), done["offset"]), (output, offset))

    def test_output_in_parts_is_the_whole(self) -> None:
        """
        An agent that asks back until there is nothing more has all that is kept, each answer
        short enough for a line.
        """
        said = bytes(range(256)) * 400
        self.session.output(said)
        got, before = b"", len(said)

        while before:
            answer = self.control.obey(
                json.dumps({"do": "output", "most": MOST_OUTPUT, "before": before}).encode()
            )
            self.assertLess(len(json.dumps(answer)), LONGEST)
            got = b64decode(answer["done"]["output"]) + got
            before = answer["done"]["offset"]

        self.assertEqual(got, said)

    def test_output_that_is_not_there(self) -> None:
        """
        Offsets that are gone or to come, and no numbers, are refused.
        """
        self.session.output(bytes(2 << 20))
        for words in (
            {},
            {"most": -1},
            {"most": MOST_OUTPUT + 1},
            {"most": "4"},
            {"most": True},
            {"most": 4, "before": 10},
            {"most": 4, "before": 3 << 20},
            {"most": 4, "before": "10"},
        ):
            self.assertIn("failed", self.order(do="output", **words))

    def test_line(self) -> None:
        """
        What the agent knows of the guest, the viewers are told.
        """
        viewer = self.attach()

        done = self.order(do="line", state="waiting", message="The guest is off.")

        self.assertEqual(done, {"done": {}})
        self.assertEqual(viewer.events[-1]["message"], "The guest is off.")
        self.assertIn("failed", self.order(do="line", state="dead", message=""))

    def test_missed(self) -> None:
        """
        What the guest said while nothing was joined to it comes where it belongs.
        """
        viewer = self.attach()
        self.session.output(b"off.")

        self.assertEqual(self.order(do="missed", output="Ym9vdA=="), {"done": {}})

        self.session.output(b"ing")
        self.assertEqual(self.session.scrollback.read(0, 100), b"off.booting")
        self.assertEqual(viewer.ends, [])

    def test_additions(self) -> None:
        """
        What the guest said earlier, a mark, a notice, and what else can be wished for.
        """
        viewer = self.attach()
        self.assertEqual(self.order(do="prefill", output="Ym9vdA=="), {"done": {"end": 4}})
        self.assertEqual(self.order(do="mark", text="here"), {"done": {}})
        self.assertEqual(self.order(do="notice", name="silent", message="..."), {"done": {}})
        self.assertEqual(self.order(do="abilities", abilities=["break"]), {"done": {}})

        self.assertEqual(viewer.output, b"boot\r\n\x1b[0;7m here \x1b[0m\r\n")
        self.assertEqual(viewer.names()[-2:], ["notice", "abilities"])
        self.session.output(b"x")
        for words, sentence in [
            ({"do": "prefill", "output": "eA=="}, "said something"),
            ({"do": "prefill", "output": "x"}, "base64"),
            ({"do": "prefill"}, "base64"),
            ({"do": "missed", "output": "x"}, "base64"),
            ({"do": "mark"}, "text is"),
            ({"do": "notice", "name": "x"}, "message is"),
            ({"do": "abilities", "abilities": ["dance"]}, "break and sysrq"),
            ({"do": "abilities", "abilities": "break"}, "break and sysrq"),
        ]:
            self.assertIn(sentence, self.order(**words)["failed"])

    def test_many_notices(self) -> None:
        """
        One too many is not shown, so all that are can be taken back.
        """
        viewer = self.attach()
        names = [f"n{number}" for number in range(Additions.MOST_NOTICES + 1)]

        for message in ("...", ""):
            for name in names:
                self.order(do="notice", name=name, message=message)

        told = [(e["name"], e["message"]) for e in viewer.events if e["event"] == "notice"]
        self.assertEqual(told, [(name, text) for text in ("...", "") for name in names[:-1]])

    def test_guest_that_is_down(self) -> None:
        """
        By the agent's order nothing can be typed.
        """
        viewer = self.attach()
        self.order(do="line", state="waiting", message="The guest is off.")

        self.assertEqual(self.session.typed(viewer.seat, b"x"), "The guest is off.")

        self.order(do="line", state="live", message="")
        self.assertEqual(self.session.typed(viewer.seat, b"x"), "")

    def test_finish(self) -> None:
        """
        The agent ends the console, and hears that it has.
        """
        viewer = self.attach()
        self.heard(self.agent)

        done = self.order(do="finish", reason="closed", message="Ann closed it.")

        self.assertEqual(done, {"done": {}})
        self.assertEqual([end.message for end in viewer.ends], ["Ann closed it."])
        self.assertEqual([end.reason for end in self.ends], ["closed"])

    def test_events_go_to_all_agents(self) -> None:
        """
        An agent that has restarted hears the same as the one that is still closing.
        """
        other = self.conversation()
        gone = self.conversation()
        gone.connectionLost()

        self.attach()

        came = {"event": "viewer_came", "viewer": "v1", "user": "ann", "typed": 0, "offset": 0}
        self.assertEqual(self.heard(other), [came])
        self.assertEqual(self.heard(gone), [])

    def test_what_is_no_order(self) -> None:
        """
        Bad JSON and unknown orders are answered, and the conversation goes on.
        """
        for line, words in [
            (b"hello", "JSON"),
            (b"", "JSON"),
            (b"\xff\xfe", "JSON"),
            (b"[" * 50_000, "JSON"),
            (b"[]", "JSON object"),
            (b"1", "JSON object"),
            (b"{}", "no such order"),
            (b'{"do": "dance"}', "no such order"),
            (b'{"do": {"a": []}}', "no such order"),
            (b'{"do": "revoke"}', "grant"),
        ]:
            self.agent.dataReceived(line + b"\n")
            [answer] = self.heard(self.agent)
            self.assertIsNone(answer["id"])
            self.assertIn(words, answer["failed"])
        self.assertIn("done", self.order(do="viewers"))

    def test_line_that_is_too_long(self) -> None:
        """
        64 KiB are enough for an order; with or without its end, more is refused.
        """
        for line in (b"x" * (LONGEST + 1), b"x" * (LONGEST + 1) + b"\n"):
            agent = self.conversation()
            agent.dataReceived(line)
            [answer] = self.heard(agent)
            self.assertIn(f"{LONGEST} bytes", answer["failed"])
            self.assertTrue(agent.transport.disconnecting)

    def test_agent_that_does_not_read(self) -> None:
        """
        What waits for it has a limit; one that reads on in time is told everything.
        """
        self.agent.pauseProducing()
        for _ in range(10):
            self.order(do="viewers")
        self.agent.resumeProducing()
        self.assertFalse(self.agent.transport.disconnecting)

        self.agent.pauseProducing()
        said = 0
        while not self.agent.transport.disconnecting:
            self.control.tell({"event": "ended", "reason": "x" * 10_000})
            said += 10_000
            self.assertLess(said, 2 * self.agent.MOST_WAITING)

        self.assertGreater(said, self.agent.MOST_WAITING / 2)
