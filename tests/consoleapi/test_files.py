"""
Files that change while the API runs, and what becomes of live grants.
"""

from __future__ import annotations

import os
from pathlib import Path

from twisted.internet.defer import execute
from twisted.internet.task import Clock
from twisted.logger import globalLogPublisher
from twisted.trial.unittest import SynchronousTestCase

from consoleapi.files import BadFile, Reread
from consoleapi.policy import Policy, Rule, Standing
from tests.consoleapi.world import GRANT, FakeHost, World, console_of, domain, uuid


class RereadTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.path = Path(self.mktemp())
        self.write("1")
        self.values: list[int] = []
        self.clock = Clock()
        self.file = Reread(self.clock, execute, str(self.path), self.read, self.values.append)
        self.file.load()
        self.logged: list[str] = []
        observer = lambda event: self.logged.append(str(event.get("problem", "")))  # noqa: E731
        globalLogPublisher.addObserver(observer)
        self.addCleanup(globalLogPublisher.removeObserver, observer)

    def read(self, path: str) -> int:
        try:
            return int(Path(path).read_text())
        except (OSError, ValueError):
            raise BadFile(path, "is no number") from None

    def write(self, text: str) -> None:
        """
        As editors do: another file in its place.
        """
        fresh = self.path.with_suffix(".new")
        fresh.write_text(text)
        os.replace(fresh, self.path)

    def look(self) -> None:
        self.successResultOf(self.file.look())

    def test_read_at_the_start(self) -> None:
        self.assertEqual(self.values, [1])

    def test_read_again_once_it_changed(self) -> None:
        self.look()
        self.write("2")
        self.look()
        self.look()

        self.assertEqual(self.values, [1, 2])

    def test_last_good_one_stays(self) -> None:
        self.write("x")
        self.look()
        self.look()
        self.path.unlink()
        self.look()
        self.write("3")
        self.look()

        self.assertEqual(self.values, [1, 3])
        self.assertEqual(
            [words for words in self.logged if words], [f"{self.path} is no number"] * 2
        )

    def test_it_is_looked_at_every_two_seconds(self) -> None:
        self.file.service.startService()
        self.addCleanup(self.file.service.stopService)
        self.write("2")

        self.clock.advance(2)

        self.assertEqual(self.values, [1, 2])


class RevocationTests(SynchronousTestCase):
    """
    Who loses the right to a guest loses what they have open.
    """

    BOTH = Policy({"ann": Standing("admin"), "bob": Standing("admin")})

    def setUp(self) -> None:
        self.world = World(users={"ann": "a", "bob": "b"}, policy=self.BOTH)
        self.host = FakeHost(self.world, "h1", domain(1, "web1"))
        self.world.start()
        self.world.post(
            console_of(1),
            {"remote_console": {"protocol": "serial", "type": "serial"}},
            auth=("bob", "b"),
        )
        self.host.consoles = {"c1": (uuid(1), [])}
        self.host.console_is("opened", "c1", 1)
        self.world.settle()

    def change(self, policy: Policy) -> list[str]:
        self.world.accounts.policy_changed(policy)
        self.world.settle()
        return self.host.revoked

    def test_lost(self) -> None:
        self.assertEqual(self.change(Policy({"ann": Standing("admin")})), [GRANT])

    def test_only_to_look_from_now_on(self) -> None:
        rule = Rule("ro", uuids=frozenset({uuid(1)}))
        policy = Policy({"bob": Standing("member", frozenset(), (rule,))})

        self.assertEqual(self.change(policy), [GRANT])

    def test_kept(self) -> None:
        self.assertEqual(self.change(Policy({"bob": Standing("admin")})), [])

    def test_user_who_is_gone(self) -> None:
        users = self.world.accounts.users
        assert users is not None
        self.world.accounts.users_changed({"ann": users._hashes["ann"]})
        self.world.settle()

        self.assertEqual(self.host.revoked, [GRANT])

    def test_revoked_once(self) -> None:
        self.change(Policy())

        self.assertEqual(self.change(Policy()), [GRANT])

    def test_agent_that_is_away_is_told_later(self) -> None:
        self.world.broker.away()
        self.world.settle()
        before = list(self.change(Policy()))
        self.world.broker.back()
        self.world.later(1)
        self.world.grants.review()
        self.world.settle()

        self.assertEqual((before, self.host.revoked), ([], [GRANT]))

    def test_grants_of_a_former_life_are_known(self) -> None:
        """
        By what agents tell the proxies on announce.
        """
        self.host.bus.fanout(
            "consoleproxy",
            "authorize_console",
            {"grant": "g" + "7" * 16, "console": "c1", "user": "carl", "mode": "ro"},
        )
        self.world.settle()
        self.world.grants.review()
        self.world.settle()

        self.assertEqual(self.host.revoked, ["g" + "7" * 16])

    def test_grants_that_ended_are_forgotten(self) -> None:
        self.host.bus.fanout("consoleproxy", "revoke_grant", {"grant": GRANT})
        self.world.settle()

        self.assertEqual(self.change(Policy()), [])
