"""
Which host has which guest.
"""

from __future__ import annotations

from typing import Any

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from consoleapi.directory import Directory, Guest, parse_uuid
from consoleapi.wanted import Wanted
from consolebus.ibus import BadArguments
from tests.consoleapi.world import domain, uuid


def listed(directory: Directory, *words: str) -> list[Guest]:
    """
    @return: the guests of which all C{words} are written.
    """
    blocks, _ = directory.after(None)
    return [
        block.items[at]
        for block in blocks
        for at in Wanted(words).with_words(block, range(len(block.items)))
    ]


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
        self.assertEqual([guest.name for guest in listed(self.directory)], ["renamed"])

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
                self.assertEqual(len(listed(directory)), 1)

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
            [(guest.name, guest.host) for guest in listed(self.directory)],
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


class WrittenTests(SynchronousTestCase):
    """
    What is written of guests is what they are found by.
    """

    def setUp(self) -> None:
        self.clock = Clock()
        self.directory = Directory(self.clock)

    def tell(self, host: str, *domains: dict[str, Any]) -> None:
        self.directory.host_is(host, "", list(domains))

    def found(self, *words: str) -> list[str]:
        return [guest.name for guest in listed(self.directory, *words)]

    def test_name_host_uuid_and_state(self) -> None:
        self.tell("h1", domain(1, "Web1"), domain(2, "db", "paused"))

        self.assertEqual(self.found("web"), ["Web1"])
        self.assertEqual(self.found("h1", "paused"), ["db"])
        self.assertEqual(self.found(uuid(2)), ["db"])
        self.assertEqual(self.found("web", "paused"), [])

    def test_it_is_kept_up_to_date(self) -> None:
        self.tell("h1", domain(1, "web1"), domain(2, "db"))
        first = self.found("web")
        self.tell("h1", domain(1, "web1", "shutoff"), domain(3, "web3"))
        second = self.found("web")
        shut = self.found("shutoff")
        self.tell("h1", domain(1, "renamed"))

        self.assertEqual((first, second, shut), (["web1"], ["web1", "web3"], ["web1"]))
        self.assertEqual((self.found("web"), self.found("named")), ([], ["renamed"]))

    def test_state_of_a_silent_host_is_unknown_until_it_is_heard_of(self) -> None:
        self.tell("h1", domain(1, "web1"))
        self.tell("h2")
        self.clock.advance(60)
        self.tell("h2", domain(2, "web2"))

        self.clock.advance(31)
        silent = self.found("unknown")
        self.tell("h1", domain(1, "web1"))

        self.assertEqual((silent, self.found("unknown")), (["web1"], []))
        self.assertEqual(self.found("running"), ["web1", "web2"])

    def test_many_that_fall_silent_take_several_turns(self) -> None:
        """
        And are all seen to at last, as are those that are forgotten.
        """
        for number in range(25):
            self.tell(f"h{number}", domain(number, f"web{number:02}"))

        self.clock.advance(91)
        silent = [len(self.found("unknown")) for _ in range(4)]
        self.clock.advance(3600)
        known = [len(self.found()) for _ in range(4)]

        self.assertEqual((silent, known), ([10, 20, 25, 25], [15, 5, 0, 0]))

    def test_one_that_moves_is_written_of_once(self) -> None:
        """
        On the host that is meant, whichever falls silent or loses it.
        """
        self.tell("h1", domain(1, "web1"))
        self.tell("h2", domain(1, "web1", "shutoff"))
        before = self.found("h1"), self.found("h2")
        self.clock.advance(91)
        self.tell("h2", domain(1, "web1", "shutoff"))
        after = self.found("h1"), self.found("h2")
        self.tell("h2")

        self.assertEqual((before, after), ((["web1"], []), ([], ["web1"])))
        self.assertEqual((self.found("h1"), self.found("h2")), (["web1"], []))

    def test_name_with_a_line_s_end(self) -> None:
        self.tell("h1", domain(1, "x\ny"), domain(2, "z"))

        self.assertEqual((self.found("y"), self.found("z")), (["x\ny"], ["z"]))
