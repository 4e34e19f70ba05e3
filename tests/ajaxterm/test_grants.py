"""
Tests for L{ajaxterm.grants}.
"""

from __future__ import annotations

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from ajaxterm.grants import Grant, Grants, TooManyGrants, digest_of

GRANT = Grant("g1", "rw", "ann", 60.0)


class GrantsTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock = Clock()
        self.grants = Grants(self.clock)
        self.grants.add(digest_of("secret"), GRANT)

    def test_secret_finds_its_grant(self) -> None:
        """
        Who shows the secret is let in; nobody else is, with the digest neither.
        """
        self.assertEqual(self.grants.find("secret"), GRANT)
        for other in ("", "Secret", "secret ", digest_of("secret"), "\udcff", "x" * 100_000):
            self.assertIsNone(self.grants.find(other))

    def test_secrets_are_not_kept(self) -> None:
        """
        Nothing which lists grants can show a secret.  (That is also why looking one up takes
        no time that tells of it: what is compared is a SHA-256.)
        """
        self.assertEqual(digest_of("abc")[:8], "ba7816bf")
        self.assertNotIn("secret", repr(vars(self.grants)))

    def test_unused_grant_expires(self) -> None:
        """
        A URL that nobody opened is of no use after its time.
        """
        self.clock.advance(59.9)
        self.assertTrue(self.grants.alive(GRANT))

        self.clock.advance(0.1)

        self.assertFalse(self.grants.alive(GRANT))
        self.assertIsNone(self.grants.find("secret"))

    def test_use_renews(self) -> None:
        """
        Loading the page is using it.
        """
        self.clock.advance(50)
        self.grants.find("secret")

        self.clock.advance(50)

        self.assertEqual(self.grants.find("secret"), GRANT)

    def test_attached_grant_does_not_age(self) -> None:
        """
        A console may stay open for days; the time counts from when the last viewer left.
        """
        self.grants.attached(GRANT)
        self.grants.attached(GRANT)
        self.grants.left(GRANT)
        self.clock.advance(1e6)
        self.assertEqual(self.grants.find("secret"), GRANT)

        self.grants.left(GRANT)
        self.clock.advance(59.9)
        self.assertTrue(self.grants.alive(GRANT))
        self.clock.advance(0.1)

        self.assertIsNone(self.grants.find("secret"))

    def test_revoked_grant_is_gone(self) -> None:
        """
        Revoked is revoked, attached or not.
        """
        self.grants.attached(GRANT)

        self.assertTrue(self.grants.revoke("g1"))

        self.assertIsNone(self.grants.find("secret"))
        self.assertFalse(self.grants.alive(GRANT))
        self.assertFalse(self.grants.revoke("g1"))

    def test_grant_given_again_while_in_use(self) -> None:
        """
        An agent that tells of a grant twice neither cuts nor immortalizes it.
        """
        self.grants.attached(GRANT)
        self.grants.add(digest_of("secret"), GRANT)
        self.clock.advance(1000)
        self.assertTrue(self.grants.alive(GRANT))

        self.grants.left(GRANT)
        self.clock.advance(60)

        self.assertIsNone(self.grants.find("secret"))

    def test_expired_grants_make_room(self) -> None:
        """
        A console has 1000 grants at a time; what has expired does not count, what is in use
        does.
        """
        self.grants.attached(GRANT)
        for number in range(Grants.MOST - 1):
            self.grants.add(f"{number}", Grant(f"n{number}", "ro", "bob", 60.0))
        one_more = Grant("more", "ro", "bob", 60.0)
        self.assertRaises(TooManyGrants, self.grants.add, "more", one_more)
        self.grants.add("0", Grant("n0", "rw", "bob", 60.0))

        self.clock.advance(60)
        self.grants.add(digest_of("more"), one_more)

        self.assertEqual(self.grants.find("more"), one_more)
        self.assertEqual(self.grants.find("secret"), GRANT)
