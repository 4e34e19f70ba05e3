"""
Which host has which guest.
"""

from __future__ import annotations

from typing import Any

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from consoleapi.directory import Directory, parse_uuid
from consoleapi.names import Names
from consolebus.ibus import BadArguments
from tests.consoleapi.world import domain, uuid


class DirectoryTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock = Clock()
        self.forgotten: list[str] = []
        self.directory = Directory(self.clock, self.forgotten.append)

    def tell(self, host: str, *domains: dict[str, Any]) -> bool:
        return self.directory.host_is(host, "", list(domains))

    def where(self, number: int) -> str | None:
        guest = self.directory.find(uuid(number))
        return None if guest is None else guest.host

    def test_finds_by_uuid(self) -> None:
        self.tell("h1", domain(1, "web1"))

        self.assertEqual(self.where(1), "h1")
        self.assertIsNone(self.where(2))

    def test_tells_whether_a_host_is_new(self) -> None:
        self.assertEqual([self.tell("h1"), self.tell("h1"), self.tell("h2")], [True, False, True])

    def test_last_news_count(self) -> None:
        self.tell("h1", domain(1, "web1"), domain(2, "web2"))

        self.tell("h1", domain(2, "renamed"))

        self.assertIsNone(self.where(1))
        self.assertEqual([guest.name for guest in self.directory.scan(None, 100)[0]], ["renamed"])

    def test_running_one_of_two_wins(self) -> None:
        """
        In whatever order they are told.
        """
        for first, second in (("running", "shutoff"), ("running", "paused"), ("paused", "shutoff")):
            for order in (1, -1):
                directory = Directory(self.clock)
                told = [("h1", first), ("h2", second)][::order]
                for host, state in told:
                    directory.host_is(host, "", [domain(1, "web1", state)])
                guest = directory.find(uuid(1))

                assert guest is not None
                self.assertEqual(guest.host, "h1", told)
                self.assertEqual(len(directory.scan(None, 100)[0]), 1)

    def test_host_that_is_heard_of_wins_over_a_silent_one(self) -> None:
        self.tell("h1", domain(1, "web1"))
        self.clock.advance(91)

        self.tell("h2", domain(1, "web1", "shutoff"))

        self.assertEqual(self.where(1), "h2")

    def test_libvirt_away_leaves_what_was_known(self) -> None:
        self.tell("h1", domain(1, "web1"))

        self.directory.host_is("h1", "connection refused", None)

        self.assertEqual(self.where(1), "h1")
        self.assertEqual(self.directory.away("h1"), "connection refused")

    def test_silent_host_is_forgotten_at_last(self) -> None:
        self.tell("h1", domain(1, "web1"))
        self.clock.advance(3000)
        self.assertEqual(self.where(1), "h1")

        self.clock.advance(601)

        self.assertIsNone(self.where(1))
        self.assertEqual(self.forgotten, ["h1"])
        self.assertFalse(self.directory.knows("h1"))

    def test_list_is_by_name_then_host(self) -> None:
        self.tell("h2", domain(1, "a"), domain(2, "b"))
        self.tell("h1", domain(3, "a"))

        self.assertEqual(
            [(guest.name, guest.host) for guest in self.directory.scan(None, 100)[0]],
            [("a", "h1"), ("a", "h2"), ("b", "h2")],
        )

    def test_moments(self) -> None:
        self.tell("h1", domain(1, "web1"))
        self.clock.advance(10)
        self.tell("h1", domain(1, "web1"))
        self.clock.advance(10)

        self.tell("h1", domain(1, "web1", "paused"))

        guest = self.directory.find(uuid(1))
        assert guest is not None
        self.assertEqual((guest.heard, guest.changed), (0.0, 20.0))

    def test_nonsense_is_refused_and_nothing_of_it_taken(self) -> None:
        self.tell("h1", domain(1, "web1"))
        good = domain(2, "web2")
        for host, domains in (
            ("h 1", []),
            ("", []),
            (None, []),
            ("-h", []),
            ("h" * 191, []),
            ("h1", {}),
            ("h1", [None]),
            ("h1", [good, good]),
            ("h1", [{**good, "uuid": "web2"}]),
            ("h1", [{**good, "name": ""}]),
            ("h1", [{**good, "name": "x" * 256}]),
            ("h1", [{**good, "name": "\ud800"}]),
            ("h1", [{**good, "devices": "serial0"}]),
            ("h1", [{**good, "devices": ["x"] * 65}]),
            ("h1", [good] * 10001),
        ):
            with self.assertRaises(BadArguments):
                self.directory.host_is(host, "", domains)

        self.assertEqual((self.where(1), self.where(2)), ("h1", None))

    def test_hosts_have_an_end(self) -> None:
        self.directory.MOST_HOSTS = 2
        self.tell("h1")
        self.tell("h2")

        with self.assertRaises(BadArguments):
            self.tell("h3")
        self.tell("h2", domain(1, "web1"))

        self.assertEqual(self.where(1), "h2")

    def test_uuids(self) -> None:
        self.assertEqual(parse_uuid(uuid(0xAB).upper()), uuid(0xAB))
        for text in ("", "web1", uuid(1) + "0", uuid(1).replace("-", ""), uuid(1) + "\n"):
            self.assertIsNone(parse_uuid(text), text)


class NamesTests(SynchronousTestCase):
    """
    Finding names by a part of them.
    """

    def test_each_name_once_in_order(self) -> None:
        names = Names(["aa", "b", "aba", "", "a"])

        self.assertEqual(names.containing("a", 0, 10), [0, 2, 4])
        self.assertEqual(names.containing("a", 0, 2), [0, 2])
        self.assertEqual(names.containing("a", 1, 10), [2, 4])
        self.assertEqual(names.containing("a", 5, 10), [])
        self.assertEqual(names.containing("ab", 0, 10), [2])
        self.assertEqual(Names([]).containing("a", 0, 10), [])

    def test_it_is_kept_up_to_date(self) -> None:
        directory = Directory(Clock())

        def found(text: str) -> list[str]:
            return [guest.name for guest in directory.scan(None, 10, text)[0]]

        directory.host_is("h1", "", [domain(1, "web1"), domain(2, "db")])
        first = found("web")
        directory.host_is("h1", "", [domain(1, "web1", "shutoff"), domain(3, "web3")])
        second = found("web")
        directory.host_is("h1", "", [domain(1, "renamed")])

        self.assertEqual((first, second), (["web1"], ["web1", "web3"]))
        self.assertEqual((found("web"), found("named")), ([], ["renamed"]))
