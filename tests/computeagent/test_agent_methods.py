"""
Tests for L{computeagent.agent}: what it does beside opening consoles.
"""

from __future__ import annotations

from base64 import b64decode, b64encode
from hashlib import sha256
from typing import Any

from twisted.internet.defer import Deferred

from computeagent.hypervisor import SHUTOFF
from computeagent.orders import OrderFailed, TerminalGone
from consolebus.ibus import BadArguments, Conflict, Context, NotFound, Unavailable
from tests.computeagent.descriptions import UUID
from tests.computeagent.fakes import FIRST_PORT, HOST
from tests.computeagent.stage import TTL, AgentTestCase

OTHER = "0e0e0e0e-9a58-4c5e-8a3a-1f1e5f3c2d10"


def digest(text: str) -> str:
    return sha256(text.encode()).hexdigest()


class ConsoleMethodTests(AgentTestCase):
    """
    The other methods.
    """

    def setUp(self) -> None:
        super().setUp()
        self.answer = self.got()
        self.console = self.answer["console"]

    def test_list_consoles(self) -> None:
        """
        What is open, and of what.
        """
        self.assertEqual(
            self.successResultOf(self.ask("list_consoles")),
            {
                "consoles": [
                    {
                        "console": self.console,
                        "domain": UUID,
                        "name": "web1",
                        "device": "serial0",
                        "state": "live",
                    }
                ]
            },
        )

    def test_list_viewers(self) -> None:
        """
        Who is there, from the terminal itself.
        """
        viewers = {"viewers": [{"name": "v1", "user": "ann", "mode": "rw"}], "end": 5}
        self.terminal.answers["viewers"] = viewers

        self.assertEqual(
            self.successResultOf(self.ask("list_viewers", console=self.console)), viewers
        )

    def test_unknown_consoles(self) -> None:
        """
        A console that is not there is named in the answer, in short.
        """
        for method in ("list_viewers", "close_console"):
            for name in ("nosuch", "x" * 500, None, [1], {}):
                said = self.refused(NotFound, method, console=name)
                self.assertTrue(said.startswith("host h1 has no console "), said)
                self.assertLess(len(said), 80)

    def test_close_console(self) -> None:
        """
        Closing is answered when nothing is left of it; its grants are revoked.
        """
        closing = self.ask("close_console", console=self.console)
        self.assertNoResult(closing)
        self.pass_time(0.3)

        self.assertEqual(self.successResultOf(closing), {})
        self.assertEqual(self.successResultOf(self.ask("list_consoles")), {"consoles": []})
        self.assertEqual(self.proxy.of("revoke_grant"), [{"grant": self.answer["grant"]}])
        self.assertEqual(self.api.of("console_is")[-1]["event"], "closed")
        self.assertEqual(self.api.of("console_is")[-1]["reason"], "closed")
        self.assertEqual(list(self.agent._grants), [])

    def test_guest_moves_away(self) -> None:
        """
        With a guest that is migrated its console ends here, and leave to attach to it, even
        where libvirt keeps its definition; its viewers are told.
        """
        self.hypervisor.set_state(UUID, SHUTOFF)
        self.hypervisor._tell(UUID, "migrated")
        self.pass_time(0.3)

        self.assertIn("moved to another host", self.terminal.orders("finish")[0]["message"])
        self.assertEqual(self.successResultOf(self.ask("list_consoles")), {"consoles": []})
        self.assertEqual(self.proxy.of("revoke_grant"), [{"grant": self.answer["grant"]}])
        self.assertEqual(list(self.agent._grants), [])

    def test_revoke_grant(self) -> None:
        """
        A revoked grant is forgotten here, in the terminal, and by every proxy; the others
        stay.
        """
        other = self.got()

        revoked = self.ask("revoke_grant", grant=self.answer["grant"])
        self.pass_time(0)

        self.assertEqual(self.successResultOf(revoked), {"known": True})
        self.assertEqual(self.terminal.orders("revoke"), [{"grant": self.answer["grant"]}])
        self.assertEqual(self.proxy.of("revoke_grant"), [{"grant": self.answer["grant"]}])
        self.assertEqual(list(self.agent._grants), [other["grant"]])

    def test_revoke_what_stays_written_down(self) -> None:
        """
        Where its file can't be taken away, a grant is revoked all the same.
        """
        file = self.run_directory / self.console / f"{self.answer['grant']}.json"
        file.unlink()
        file.mkdir()

        revoked = self.ask("revoke_grant", grant=self.answer["grant"])
        self.pass_time(0)

        self.assertEqual(self.successResultOf(revoked), {"known": True})
        self.assertEqual(self.terminal.orders("revoke"), [{"grant": self.answer["grant"]}])

    def test_revoke_unknown_grant(self) -> None:
        """
        One that is not known here is revoked at the proxies all the same.
        """
        revoked = self.ask("revoke_grant", grant="g" + "0" * 16)
        self.pass_time(0)

        self.assertEqual(self.successResultOf(revoked), {"known": False})
        self.assertEqual(self.proxy.of("revoke_grant"), [{"grant": "g" + "0" * 16}])

    def test_revoke_what_is_no_grant(self) -> None:
        """
        What can't be a grant is refused, and no proxy hears of it.
        """
        for grant in (None, 1, [], {}, "", "x", "g" + "0" * 17, "G" + "0" * 16):
            self.refused(BadArguments, "revoke_grant", grant=grant)

        self.assertEqual(self.proxy.of("revoke_grant"), [])
        self.assertEqual(self.flushLoggedErrors(), [])

    def test_revoke_while_the_terminal_ends(self) -> None:
        """
        Where a terminal has just ended, the one after it is not given the grant.
        """
        for answer in (TerminalGone(), OrderFailed("no")):
            grant = self.got()["grant"]
            self.terminal.answers["revoke"] = answer
            revoked = self.ask("revoke_grant", grant=grant)
            self.pass_time(6)
            self.assertEqual(self.successResultOf(revoked), {"known": True})

    def test_announce(self) -> None:
        """
        A proxy that is new learns the grants that are alive, without their tokens.
        """
        self.proxy.messages.clear()

        self.caller.fanout("compute", "announce", {})
        self.pass_time(0.2)

        self.assertEqual(
            self.proxy.of("authorize_console"),
            [
                {
                    "grant": self.answer["grant"],
                    "console": self.console,
                    "digest": digest(self.answer["token"]),
                    "host": HOST,
                    "port": FIRST_PORT,
                    "secret": self.answer["secret"],
                    "mode": "rw",
                    "user": "ann",
                    "expires_in": TTL,
                }
            ],
        )

    def test_announce_one(self) -> None:
        """
        A proxy to which somebody comes with a cookie of another one's is told of that grant
        alone, by whoever has it; of what is none, nothing.
        """
        other = self.got()["grant"]
        self.proxy.messages.clear()

        for name in (other, "g" + "0" * 16, ["g"], 7):
            self.caller.fanout("compute", "announce", {"grant": name})
        self.pass_time(0.2)

        told = self.proxy.of("authorize_console")
        self.assertEqual([each["grant"] for each in told], [other])

    def test_announce_many(self) -> None:
        """
        Many grants are told of little by little, so that the agent goes on with its work; and
        two who ask at the same time are told together.
        """
        self.agent._grants.BATCH = 3
        for _ in range(9):
            self.got()
        self.proxy.messages.clear()

        self.agent.announce(Context())
        self.agent.announce(Context())
        for _ in range(5):
            self.clock.advance(0)
        first = len(self.proxy.of("authorize_console"))
        self.agent.announce(Context())
        self.pass_time(1)

        self.assertEqual(first, 3)
        grants = [words["grant"] for words in self.proxy.of("authorize_console")]
        self.assertEqual(len(grants), 13)
        self.assertEqual(set(grants[3:]), set(self.agent._grants))

    def test_revoked_while_announced(self) -> None:
        """
        What is revoked meanwhile is not authorized afterwards.
        """
        self.agent._grants.BATCH = 1
        other = self.got()["grant"]
        self.proxy.messages.clear()

        self.agent.announce(Context())
        self.ask("revoke_grant", grant=other)
        self.pass_time(1)

        names = [name for name, words in self.proxy.messages if words["grant"] == other]
        self.assertEqual(names, ["revoke_grant"])

    def test_stopped_while_announced(self) -> None:
        """
        An agent that is stopped stops telling.
        """
        self.agent._grants.BATCH = 1
        self.got()
        self.agent.announce(Context())

        stopping = Deferred.fromCoroutine(self.agent.stop())
        self.pass_time(1)
        self.bus.stop()
        self.caller.stop()
        self.pass_time(1)

        self.successResultOf(stopping)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_what_a_terminal_makes_up(self) -> None:
        """
        A terminal runs as somebody else, whom others may have taken over: what it says is
        passed on as short texts, if at all.
        """
        self.terminal.tell("viewer_came", viewer=["v"] * 9999, user="u" * 9999)
        self.terminal.tell("ended", reason="r" * 9999)
        self.pass_time(1)

        came, closed = self.api.of("console_is")[-2:]
        self.assertEqual(
            (came["event"], came["viewer"], len(came["user"])), ("viewer_came", "", 255)
        )
        self.assertEqual((closed["event"], len(closed["reason"])), ("closed", 64))

    def test_while_it_ends(self) -> None:
        """
        What is asked of a console that is just ending is answered so.
        """
        self.terminal.end("idle")

        for words in (
            {"method": "list_viewers", "console": self.console},
            {"method": "get_output", "domain": UUID},
        ):
            said = self.refused(Unavailable, **words)  # type: ignore[arg-type]
            self.assertEqual(said, "that console is just ending")


class ExpiryTests(AgentTestCase):
    """
    A grant that nobody can use any more is forgotten here too.
    """

    def announced(self) -> list[str]:
        """
        @return: the grants that a new proxy would learn of.
        """
        self.proxy.messages.clear()
        self.caller.fanout("compute", "announce", {})
        self.pass_time(0.2)
        return [words["grant"] for words in self.proxy.of("authorize_console")]

    def test_expired_is_forgotten(self) -> None:
        """
        The terminal knows which are in use; what it does not know any more, a new proxy does
        not learn of. A console that is watched for months does not fill up the host.
        """
        used, unused = self.got()["grant"], self.got()["grant"]
        self.terminal.answers["grants"] = {"grants": [used]}
        self.assertEqual(self.announced(), [used, unused])

        self.pass_time(TTL + 61, 5)

        self.assertEqual(self.announced(), [used])
        self.assertEqual(list(self.agent._grants), [used])

    def test_young_ones_are_not_asked_after(self) -> None:
        """
        A console whose grants are all young is left in peace.
        """
        self.got()

        self.pass_time(TTL - 61, 5)

        self.assertEqual(self.terminal.orders("grants"), [])

    def test_given_while_it_is_asked(self) -> None:
        """
        One that is minted while the terminal is asked is not forgotten.
        """
        self.got()
        self.terminal.answers["grants"] = asking = Deferred()
        self.pass_time(TTL + 1, 5)
        young = self.got()["grant"]

        asking.callback({"grants": []})
        self.pass_time(0)

        self.assertEqual(list(self.agent._grants), [young])

    def test_terminal_does_not_answer(self) -> None:
        """
        A terminal that can't answer, or answers nonsense, loses no grant by that.
        """
        grant = self.got()["grant"]
        for answer in (TerminalGone(), OrderFailed("no such order"), {"grants": 7}, {}):
            self.terminal.answers["grants"] = answer
            self.pass_time(TTL + 61, 5)

            self.assertEqual(list(self.agent._grants), [grant])
        self.assertEqual(self.flushLoggedErrors(), [])


class OutputTests(AgentTestCase):
    """
    C{get_output}: the last bytes of a guest, from the scrollback.
    """

    def setUp(self) -> None:
        super().setUp()
        self.got()
        self.scrollback = b"".join(b"line %06d\n" % number for number in range(8000))
        self.start = 1000

        def give(order: str, **words: Any) -> Deferred[Any]:
            """As L{ajaxterm.control} answers C{output}."""
            answer: Deferred[Any] = Deferred()
            end = words.get("before", self.start + len(self.scrollback))
            offset = max(self.start, end - words["most"])
            output = self.scrollback[offset - self.start : end - self.start]
            words = {"output": b64encode(output).decode(), "offset": offset}
            answer.callback(words)
            return answer

        self.terminal.give = give  # type: ignore[method-assign]

    def output(self, **words: Any) -> tuple[bytes, int]:
        answer = self.successResultOf(self.ask("get_output", domain=UUID, **words))
        return b64decode(answer["output"]), answer["offset"]

    def test_last_bytes(self) -> None:
        """
        The last bytes, and where they begin.
        """
        end = self.start + len(self.scrollback)

        for length in (0, 1, 100, 32768, 40_000):
            output, offset = self.output(length=length)
            self.assertEqual(output, self.scrollback[len(self.scrollback) - length :])
            if length:
                self.assertEqual(offset, end - length)

    def test_all_there_is(self) -> None:
        """
        Who asks for more than there is gets all, put together of several answers.
        """
        output, offset = self.output(length=1 << 20)

        self.assertEqual(output, self.scrollback)
        self.assertEqual(offset, self.start)

    def test_by_device(self) -> None:
        """
        A device can be named.
        """
        self.assertEqual(self.output(device="serial0", length=3)[0], b"99\n")

    def test_no_console(self) -> None:
        """
        Where none is open nothing was recorded.
        """
        for words in ({"domain": OTHER}, {"domain": UUID, "device": "console7"}, {"domain": [1]}):
            self.assertIn("nothing was recorded", self.refused(Conflict, "get_output", **words))

    def test_bad_length(self) -> None:
        """
        A length that makes no sense is refused.
        """
        for length in (-1, (1 << 20) + 1, "1", None, 1.5):
            self.refused(BadArguments, "get_output", domain=UUID, length=length)
