"""
What the API hears of consoles, and asks about.
"""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from consoleapi.attendance import Attendance, OpenConsole
from consolebus.ibus import BadArguments, DeadlineExceeded, NobodyThere, NotFound, Unavailable
from tests.consoleapi.world import FakeHost, World, domain, uuid


class AttendanceTests(SynchronousTestCase):
    """
    Counting consoles and viewers.
    """

    def setUp(self) -> None:
        self.attendance = Attendance()

    def tell(self, event: str, console: str = "c1", viewer: object = None, number: int = 1) -> None:
        self.attendance.console_is(event, "h1", console, uuid(number), viewer)

    def of(self, domain: str) -> tuple[int, int]:
        """
        @return: how many consoles, and viewers on them.
        """
        consoles = self.attendance.of(domain).values()
        return len(consoles), sum(len(console.viewers) for console in consoles)

    def test_counts(self) -> None:
        self.tell("opened")
        self.tell("viewer_came", viewer="v1")
        self.tell("viewer_came", viewer="v1")
        self.tell("viewer_came", "c2", viewer="v2")

        self.assertEqual(self.of(uuid(1)), (2, 2))
        self.assertTrue(self.attendance.is_busy("h1"))

    def test_end(self) -> None:
        self.tell("viewer_came", viewer="v1")
        self.tell("closed")
        self.tell("closed")

        self.assertEqual(self.of(uuid(1)), (0, 0))
        self.assertFalse(self.attendance.is_busy("h1"))

    def test_unknown_events_say_at_least_that_it_is_open(self) -> None:
        self.tell("something_new", viewer="v1")

        self.assertEqual(self.of(uuid(1)), (1, 0))

    def test_console_stays_with_its_guest(self) -> None:
        self.tell("viewer_came", viewer="v1")

        self.tell("viewer_came", viewer="v2", number=2)

        self.assertEqual(self.of(uuid(2)), (0, 0))

    def test_limits(self) -> None:
        self.attendance.MOST_CONSOLES, self.attendance.MOST_VIEWERS = 2, 2
        for number in range(5):
            self.tell("opened", f"c{number}")
            self.tell("viewer_came", "c0", f"v{number}")

        self.assertEqual(self.of(uuid(1)), (2, 2))

    def test_host_is_believed(self) -> None:
        self.tell("viewer_came", viewer="v1")

        self.attendance.host_has("h1", {"c7": OpenConsole(uuid(2), "", {"v1": "ann", "v2": "bob"})})

        self.assertEqual(self.of(uuid(1)), (0, 0))
        self.assertEqual(self.of(uuid(2)), (1, 2))

    def test_nonsense(self) -> None:
        for arguments in (
            ("opened", "h1", "c1", "web1", None),
            ("opened", "h1", "c1", None, None),
            ("opened", "h 1", "c1", uuid(1), None),
            ("opened", "h1", "", uuid(1), None),
            ("opened", "h1", "x" * 101, uuid(1), None),
            (None, "h1", "c1", uuid(1), None),
            ("viewer_came", "h1", "c1", uuid(1), 7),
        ):
            with self.assertRaises(BadArguments):
                self.attendance.console_is(*arguments)


class HearingTests(SynchronousTestCase):
    """
    Over the bus.
    """

    def setUp(self) -> None:
        self.world = World()
        self.host = FakeHost(self.world, "h1", domain(1, "web1"))

    def shown(self) -> dict[str, Any]:
        (guest,) = self.world.get("/lobby/guests").json["guests"]
        return dict(guest)

    def test_new_host_is_asked_what_is_open(self) -> None:
        """
        As after a restart of the API: nobody tells what happened before.
        """
        self.host.consoles = {"c1": (uuid(1), ["v1", "v2"])}

        self.world.start()

        self.assertEqual([one["viewers"] for one in self.shown()["consoles"]], [2])

    def test_busy_host_is_asked_again(self) -> None:
        """
        What was missed is put right with a later announcement.
        """
        self.world.start()
        self.host.console_is("viewer_came", "c1", 1, viewer="v1")
        self.world.settle()
        self.assertEqual([one["viewers"] for one in self.shown()["consoles"]], [1])

        self.world.later(30)
        self.host.tell()
        self.world.settle()

        self.assertEqual(self.shown()["consoles"], [])

    def test_host_that_does_not_tell(self) -> None:
        self.world.start()
        older = FakeHost(self.world, "h2", domain(2, "web2"))
        older.bus.stop()
        self.host.bus.fanout("consoleapi", "host_is", {"host": "h2", "domains": []})

        self.world.settle()

        self.assertEqual(self.shown()["name"], "web1")

    def test_every_host_has_its_turn(self) -> None:
        """
        More of them than are asked at a time come at once, as after a start of
        the API; one does not answer for long.
        """
        self.world.hearing.MOST_ASKED = 2
        hosts = [self.host] + [FakeHost(self.world, f"h{n}", domain(n, f"g{n}")) for n in (2, 3, 4)]
        for number, host in enumerate(hosts, 1):
            host.consoles = {f"c{number}": (uuid(number), ["v1"])}
        hosts[0].listings = [Deferred()]

        self.world.start()

        guests = self.world.get("/lobby/guests").json["guests"]
        known = [guest["host"] for guest in guests if guest["consoles"]]
        self.assertEqual(known, ["h2", "h3", "h4"])

    def test_connection_that_is_lost_while_many_wait(self) -> None:
        """
        Nobody is asked in vain, and then everybody.
        """
        self.world.hearing.MOST_ASKED = 1
        other = FakeHost(self.world, "h2", domain(2, "web2"))
        self.host.listings, other.listings = [Deferred()], [Deferred()]
        self.world.start()
        self.world.broker.away()
        self.host.consoles, other.consoles = {"c1": (uuid(1), [])}, {"c2": (uuid(2), [])}
        self.host.listings, other.listings = [], []

        self.world.broker.back()
        self.world.settle()

        guests = self.world.get("/lobby/guests").json["guests"]
        self.assertEqual([len(guest["consoles"]) for guest in guests], [1, 1])

    def test_host_that_fails_to_tell_is_asked_again(self) -> None:
        """
        But not at once, however often it announces itself.
        """
        self.host.consoles = {"c1": (uuid(1), ["v1"])}
        self.host.listings = [Unavailable("not now"), Unavailable("not now"), None]
        self.world.start()
        for _ in range(10):
            self.host.tell()
            self.world.settle()
        self.assertEqual((len(self.host.listings), self.shown()["consoles"]), (2, []))

        self.host.listings.pop()
        for _ in range(2):
            self.world.later(30)
            self.host.tell()
            self.world.settle()

        self.assertEqual([one["viewers"] for one in self.shown()["consoles"]], [1])

    def test_idle_host_that_has_told_is_left_alone(self) -> None:
        self.world.start()
        self.host.listings = [None]

        self.world.later(30)
        self.host.tell()
        self.world.settle()

        self.assertEqual(self.host.listings, [None])

    def test_one_console_that_does_not_tell_hides_no_other(self) -> None:
        """
        One that has ended since is gone; one that is ending, or hangs, is open until
        it is closed, and who was known to be there is there.
        """
        for failure, left in (
            (NotFound("ended"), ["c2"]),
            (Unavailable("ending"), ["c1", "c2"]),
            (DeadlineExceeded("hangs"), ["c1", "c2"]),
        ):
            world = World()
            host = FakeHost(world, "h1", domain(1, "web1"))
            host.consoles = {"c1": (uuid(1), ["v1"]), "c2": (uuid(1), ["v2"])}
            world.start()

            host.unseen = {"c1": failure}
            world.later(30)
            host.tell()
            world.settle()

            (guest,) = world.get("/lobby/guests").json["guests"]
            self.assertEqual(
                [(c["id"], c["viewers"]) for c in guest["consoles"]], [(n, 1) for n in left]
            )

    def test_host_that_goes_while_it_tells_is_asked_again(self) -> None:
        self.host.consoles = {"c1": (uuid(1), ["v1"])}
        self.host.unseen = {"c1": NobodyThere("gone")}
        self.world.start()
        self.assertEqual(self.shown()["consoles"], [])

        self.host.unseen = {}
        self.world.later(30)
        self.host.tell()
        self.world.settle()

        self.assertEqual([one["viewers"] for one in self.shown()["consoles"]], [1])

    def test_what_happens_while_a_host_tells_is_asked_for(self) -> None:
        """
        Its answer was on the way when a console was opened.
        """
        listing: Deferred[Any] = Deferred()
        self.host.listings = [listing]
        self.world.start()
        self.host.consoles = {"c1": (uuid(1), ["v1"])}
        self.host.console_is("opened", "c1", 1)
        self.world.settle()
        listing.callback({"consoles": []})

        self.world.later(30)
        self.host.tell()
        self.world.settle()

        self.assertEqual([one["viewers"] for one in self.shown()["consoles"]], [1])

    def test_host_that_was_forgotten_is_asked_when_it_is_back(self) -> None:
        self.world.start()
        self.world.later(3700)
        self.host.consoles = {"c1": (uuid(1), ["v1"])}

        self.host.tell()
        self.world.settle()

        self.assertEqual([one["viewers"] for one in self.shown()["consoles"]], [1])

    def test_odd_answers_count_nothing(self) -> None:
        for answer in (
            None,
            {"consoles": 7},
            {"consoles": [None, {"console": 7}, {"console": "c", "domain": "x"}]},
        ):
            world = World()
            host = FakeHost(world, "h1", domain(1, "web1"))
            host.listings = [answer]
            world.start()

            (guest,) = world.get("/lobby/guests").json["guests"]
            self.assertEqual(guest["consoles"], [])

    def test_consoles_of_unknown_hosts_are_not_counted(self) -> None:
        self.world.start()
        stranger = FakeHost(self.world, "h9")
        stranger.console_is("opened", "c1", 1)
        self.world.settle()

        self.assertEqual(self.shown()["consoles"], [])

    def test_forgotten_host_has_no_consoles(self) -> None:
        self.world.start()
        self.host.console_is("opened", "c1", 1)
        self.world.later(3700)
        self.host.bus.fanout(
            "consoleapi", "host_is", {"host": "h2", "domains": [domain(1, "web1")]}
        )
        self.world.settle()

        self.assertEqual((self.shown()["host"], self.shown()["consoles"]), ("h2", []))

    def test_nonsense_harms_nobody(self) -> None:
        self.world.start()
        for arguments in ({}, {"host": 7, "domains": []}, {"host": "h3", "domains": [1]}):
            self.host.bus.fanout("consoleapi", "host_is", arguments)
        self.host.bus.fanout("consoleapi", "console_is", {"event": "opened"})
        self.world.settle()

        self.assertEqual(self.shown()["name"], "web1")

    def test_everybody_is_asked_again_after_the_broker_was_away(self) -> None:
        self.world.start()
        self.world.broker.away()
        self.host.domains = [domain(1, "renamed")]

        self.world.broker.back()
        self.world.settle()

        self.assertEqual(self.shown()["name"], "renamed")

    def test_what_happened_while_the_broker_was_away_is_asked_for(self) -> None:
        """
        Another API had a console opened on a host where none was known here.
        """
        self.world.start()
        self.world.broker.away()
        self.host.consoles = {"c1": (uuid(1), ["v1"])}

        self.world.broker.back()
        self.world.settle()

        self.assertEqual([one["viewers"] for one in self.shown()["consoles"]], [1])
