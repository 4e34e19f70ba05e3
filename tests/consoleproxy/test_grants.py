"""
Tests for L{consoleproxy.grants}.
"""

from __future__ import annotations

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from consoleproxy.grants import Grant, Grants, digest_of
from consoleproxy.patience import TooMany
from tests.consoleproxy.stage import NAME, TOKEN, some_grant

OTHER = "g" + "f" * 16


class GrantsTests(SynchronousTestCase):
    """
    Tokens and cookies stand for grants, as long as these live.
    """

    def setUp(self) -> None:
        self.clock = Clock()
        self.asked: list[str] = []
        self.grants = Grants(self.clock, self.asked.append)

    def by_token(self, token: str = TOKEN, address: str = "") -> Deferred[Grant | None]:
        return Deferred.fromCoroutine(self.grants.by_token(token, address))

    def by_name(self, name: str = NAME) -> Deferred[Grant | None]:
        return Deferred.fromCoroutine(self.grants.by_name(name))

    def test_token_stands_for_its_grant(self) -> None:
        """
        Who shows the token gets the console.
        """
        self.grants.authorize(some_grant())

        self.assertEqual(self.successResultOf(self.by_token()), some_grant())
        self.assertEqual(self.successResultOf(self.by_name()), some_grant())

    def test_wrong_token_is_unknown_after_patience(self) -> None:
        """
        A wrong token might be one whose grant is just on its way: it is waited for, for
        one second.
        """
        self.grants.authorize(some_grant())

        asking = self.by_token("W" * 43)
        self.clock.advance(0.9)
        self.assertNoResult(asking)
        self.clock.advance(0.1)

        self.assertIsNone(self.successResultOf(asking))
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_late_grant_is_waited_for(self) -> None:
        """
        A user can be faster than the cast: all that wait for a grant get it when it comes.
        """
        asking = [self.by_token(), self.by_token(), self.by_name()]
        self.clock.advance(0.9)

        self.grants.authorize(some_grant())

        for one in asking:
            self.assertEqual(self.successResultOf(one), some_grant())
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_garbage_is_unknown_at_once(self) -> None:
        """
        What can't be a token or a name is not waited for.
        """
        for token in ("", "short", "T" * 42 + "!", "T" * 44, "ä" * 43, "T" * 43 + "\n"):
            self.assertIsNone(self.successResultOf(self.by_token(token)))
        for name in ("", "g", "G0123456789abcdef", NAME + "0", NAME + "\n"):
            self.assertIsNone(self.successResultOf(self.by_name(name)))

    def test_expired_grant_is_unknown(self) -> None:
        """
        A URL that nobody opened in time opens nothing.
        """
        self.grants.authorize(some_grant())
        self.clock.advance(600)

        by_token, by_name = self.by_token(), self.by_name()
        self.clock.advance(1)

        self.assertIsNone(self.successResultOf(by_token))
        self.assertIsNone(self.successResultOf(by_name))

    def test_lifetimes_are_the_grants_own(self) -> None:
        """
        Agents say how long each lives; nothing here has to match theirs.
        """
        self.grants.authorize(some_grant(lifetime=5.0))
        self.grants.authorize(some_grant(OTHER, "O" * 43, lifetime=50.0))

        self.clock.advance(5)

        self.assertIsNone(self.grants.find(NAME))
        self.assertIsNotNone(self.grants.find(OTHER))

    def test_being_shown_is_not_being_used(self) -> None:
        """
        A link that something asks for again and again, and that nobody attaches by, expires.
        """
        self.grants.authorize(some_grant())
        for _ in range(6):
            self.clock.advance(99)
            self.assertIsNotNone(self.successResultOf(self.by_token()))

        self.clock.advance(6)

        self.assertIsNone(self.grants.find(NAME))

    def test_does_not_age_while_attached(self) -> None:
        """
        While anybody is attached it lives on; when the last is gone it begins to age.
        """
        self.grants.authorize(some_grant())
        first, second = self.grants.attach(NAME), self.grants.attach(NAME)
        assert first is not None and second is not None

        self.clock.advance(10_000)
        self.grants.left(first)
        self.clock.advance(10_000)
        self.assertIsNotNone(self.grants.find(NAME))
        self.grants.left(second)
        self.clock.advance(599)
        self.assertIsNotNone(self.grants.find(NAME))
        self.clock.advance(1)

        self.assertIsNone(self.grants.find(NAME))

    def test_polled_is_attached(self) -> None:
        """
        Polls, which come and go, keep it as one long connection would; without them it ages.
        """
        self.grants.authorize(some_grant(lifetime=30.0))
        for _ in range(10):
            held = self.grants.attach(NAME)
            assert held is not None
            self.clock.advance(25)
            self.grants.left(held)
            self.clock.advance(1)

        self.assertIsNotNone(self.grants.find(NAME))
        self.clock.advance(29)
        self.assertIsNone(self.grants.find(NAME))
        self.assertIsNone(self.grants.attach(NAME))

    def test_revoked_is_unknown_and_told(self) -> None:
        """
        A revoked grant opens nothing any more, and who watches can cut what is open.
        """
        told: list[str] = []
        self.grants.on_revoked(told.append)
        self.grants.authorize(some_grant())

        self.grants.revoke(NAME)

        self.assertIsNone(self.grants.find(NAME))
        self.assertEqual(told, [NAME])
        self.assertEqual(len(self.grants), 0)

    def test_revoked_while_attached(self) -> None:
        """
        Also one that is in use; and it does not come back when its viewers leave.
        """
        told: list[str] = []
        self.grants.on_revoked(told.append)
        self.grants.authorize(some_grant())
        held = self.grants.attach(NAME)
        assert held is not None

        self.grants.revoke(NAME)
        self.grants.left(held)

        self.assertEqual(told, [NAME])
        self.assertIsNone(self.grants.find(NAME))

    def test_authorization_that_comes_late(self) -> None:
        """
        The API's word that a grant is there may come after the agent's that it is over: it
        is over, and who asks is told so at once.
        """
        self.grants.revoke(NAME)
        self.grants.authorize(some_grant())

        self.assertIsNone(self.grants.find(NAME))
        self.assertIsNone(self.successResultOf(self.by_name()))
        self.assertEqual(len(self.grants), 0)

    def test_left_after_another_life(self) -> None:
        """
        A connection of a grant's former life leaves nothing of its present one: who is
        attached now stays so.
        """
        self.grants.authorize(some_grant())
        former = self.grants.attach(NAME)
        self.grants.revoke(NAME)
        self.clock.advance(Grants.REMEMBERED)
        self.grants.authorize(some_grant())
        present = self.grants.attach(NAME)
        assert former is not None and present is not None

        self.grants.left(former)
        self.clock.advance(10_000)

        self.assertIsNotNone(self.grants.find(NAME))
        self.grants.left(present)
        self.clock.advance(600)
        self.assertIsNone(self.grants.find(NAME))

    def test_revoking_the_unknown(self) -> None:
        """
        A revocation of what was never heard of, or has expired, is nothing.
        """
        told: list[str] = []
        self.grants.on_revoked(told.append)
        self.grants.authorize(some_grant())
        self.clock.advance(600)

        self.grants.revoke(NAME)
        self.grants.revoke(OTHER)

        self.assertEqual(told, [])

    def test_authorized_again_under_a_new_port(self) -> None:
        """
        An agent that says a grant again may say another port; who is attached stays counted.
        """
        self.grants.authorize(some_grant())
        self.grants.attach(NAME)

        self.grants.authorize(some_grant(port=10099))
        found = self.grants.find(NAME)

        assert found is not None
        self.assertEqual(found.port, 10099)
        self.clock.advance(10_000)
        self.assertIsNotNone(self.grants.find(NAME))

    def test_authorized_again_under_another_token(self) -> None:
        """
        The former token opens nothing any more, and is not kept for ever.
        """
        self.grants.authorize(some_grant(token="A" * 43))

        self.grants.authorize(some_grant(token="B" * 43))
        former = self.by_token("A" * 43)
        self.clock.advance(1)

        self.assertIsNone(self.successResultOf(former))
        self.assertIsNotNone(self.successResultOf(self.by_token("B" * 43)))

    def test_the_oldest_unused_makes_room(self) -> None:
        """
        Their number has a limit; one that is in use never makes room.
        """
        self.grants.MOST = 2
        names = [f"g{number:016x}" for number in range(3)]
        self.grants.authorize(some_grant(names[0], "A" * 43))
        self.grants.attach(names[0])
        self.grants.authorize(some_grant(names[1], "B" * 43))

        self.grants.authorize(some_grant(names[2], "C" * 43))

        self.assertEqual(len(self.grants), 2)
        self.assertIsNotNone(self.grants.find(names[0]))
        self.assertIsNone(self.grants.find(names[1]))

    def test_expired_leave_nothing(self) -> None:
        """
        The sweeping takes everything of a grant away, so memory is bounded.
        """
        for number in range(100):
            self.grants.authorize(some_grant(f"g{number:016x}", f"{number:043}"))
        self.clock.advance(600)

        while self.grants.sweep():
            pass

        self.assertEqual(len(self.grants), 0)
        self.assertEqual(len(self.grants._names), 0)

    def test_used_elsewhere_meanwhile(self) -> None:
        """
        A grant that was in use through another proxy all the time is unknown here by now. Who
        comes with its cookie waits while the agents are asked; not again and again.
        """
        coming = self.by_name()
        again = self.by_name()
        self.assertEqual(self.asked, [NAME])
        self.grants.authorize(some_grant())
        self.assertEqual(self.successResultOf(coming), some_grant())
        self.assertEqual(self.successResultOf(again), some_grant())

        unknown = Deferred.fromCoroutine(self.grants.by_name(OTHER))
        self.clock.advance(1)
        self.assertIsNone(self.successResultOf(unknown))
        self.by_token("W" * 43)

        self.assertEqual(self.asked, [NAME, OTHER])

    def test_while_agents_tell_all_they_have(self) -> None:
        """
        Just after the start, cookies wait for as long as that takes; tokens do not.
        """
        self.grants.settling(2.0)
        by_name, by_token = self.by_name(), self.by_token()

        self.clock.advance(1.9)
        self.assertIsNone(self.successResultOf(by_token))
        self.assertNoResult(by_name)
        self.grants.authorize(some_grant())

        self.assertEqual(self.successResultOf(by_name), some_grant())
        self.assertEqual(self.asked, [])

    def test_just_before_agents_tell_all_they_have(self) -> None:
        """
        Who comes with a cookie just before the bus is reached waits like who comes after; and
        not longer.
        """
        for comes in (True, False):
            self.setUp()
            by_name = self.by_name()
            self.clock.advance(0.05)
            self.grants.settling(2.0)

            self.clock.advance(1.3)
            self.assertNoResult(by_name)
            if comes:
                self.grants.authorize(some_grant())
                self.assertEqual(self.successResultOf(by_name), some_grant())
            else:
                self.clock.advance(0.7)
                self.assertIsNone(self.successResultOf(by_name))
            self.assertEqual(self.grants.waiting, 0)

    def test_revoked_while_agents_tell_all_they_have(self) -> None:
        """
        What turns out to be over meanwhile is not waited for any more.
        """
        by_name = self.by_name()
        self.grants.settling(2.0)
        self.grants.revoke(NAME)

        self.clock.advance(1.0)

        self.assertIsNone(self.successResultOf(by_name))

    def test_waiting_has_a_limit(self) -> None:
        """
        A flood of unknown tokens does not pile up, whether from one address or from many; a
        known one is never among them.
        """
        self.grants.authorize(some_grant())
        each, most = Grants.MOST_FROM, Grants.MOST_WAITING
        for number in range(most - 1):
            self.by_token(f"{number:043}", f"192.0.2.{number // each}")

        self.failureResultOf(self.by_token("W" * 43, "192.0.2.0"), TooMany)
        self.assertNoResult(self.by_token("W" * 43, "198.51.100.7"))
        self.failureResultOf(self.by_token("V" * 43, "198.51.100.8"), TooMany)
        for address in ("192.0.2.0", "198.51.100.8"):
            found = self.by_token(TOKEN, address)
            self.assertEqual(self.successResultOf(found), some_grant())

        self.clock.advance(1)
        self.assertEqual(self.grants.waiting, 0)
        self.assertNoResult(self.by_token("W" * 43, "192.0.2.0"))

    def test_waiting_with_one_cookie_has_a_limit(self) -> None:
        """
        Who asks again and again with an old cookie leaves room for those with another one.
        """
        for _ in range(Grants.MOST_RETURNING_EACH):
            self.by_name()

        self.failureResultOf(self.by_name(), TooMany)
        other = Deferred.fromCoroutine(self.grants.by_name(OTHER))
        self.grants.authorize(some_grant(OTHER))

        self.assertEqual(self.successResultOf(other), some_grant(OTHER))

    def test_who_leaves_waits_no_more(self) -> None:
        """
        A browser that goes away while it is waited for leaves nothing behind.
        """
        asking = self.by_token()

        asking.cancel()
        self.failureResultOf(asking)

        self.assertEqual(self.clock.getDelayedCalls(), [])
        self.assertEqual(self.grants.waiting, 0)
        self.assertEqual(self.grants._tokens._lines, {})
        self.assertEqual(self.grants._tokens._each, {})

    def test_secrets_are_not_shown(self) -> None:
        """
        A grant that reaches a log does not bring its secret there.
        """
        self.assertNotIn(some_grant().secret, repr(some_grant()))

    def test_digest(self) -> None:
        """
        Tokens are kept as SHA-256 in hex, as agents write them.
        """
        self.assertEqual(len(digest_of(TOKEN)), 64)
        self.assertEqual(
            digest_of("abc"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
        )
