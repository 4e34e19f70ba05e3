"""
What the command line asks of an API with many guests.
"""

from __future__ import annotations

import io
import json
import sys
from argparse import Namespace
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from ajaxconsole.account import Account
from ajaxconsole.client import Client
from ajaxconsole.commands import _sessions
from consoleapi.lobbypage import Lobby
from tests.consoleapi.world import FakeHost, World, domain, uuid


class ClientOfWorld(Client):
    """
    @ivar asked: the paths.
    """

    def __init__(self, world: World) -> None:
        super().__init__(Account("http://127.0.0.1/"))
        self._world = world
        self.asked: list[str] = []

    def ask(self, method: str, path: str, value: Any = None) -> bytes:
        self.asked.append(path)
        answer = self._world.ask(method, f"/{path}")
        assert answer.status == 200
        return answer.body


class SessionsTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.patch(Lobby, "MOST_LISTED", 10)
        self.world = World()
        self.client = ClientOfWorld(self.world)

    def host(self, name: str, first: int, count: int, spread: int = 0x9E3779B1) -> FakeHost:
        """
        @param first: the number of its first guest.
        @param spread: what the numbers of two that follow each other are apart, so
            that UUIDs are as different as those that were drawn by lot.
        @return: a host, and a console on its last guest.
        """
        numbers = [number * spread % (1 << 32) for number in range(first, first + count)]
        guests = [domain(at, f"g{n:04}") for n, at in enumerate(numbers, first)]
        host = FakeHost(self.world, name, *guests)
        host.consoles = {f"c-{name}": (uuid(numbers[-1]), ["v1"])}
        return host

    def sessions(self) -> list[tuple[str, str]]:
        """
        @return: names of guests, and consoles.
        """
        self.world.start()
        said = io.StringIO()
        self.patch(sys, "stdout", said)
        _sessions(self.client, Namespace(json=True))
        return [(row["guest"], row["id"]) for row in json.loads(said.getvalue())]

    def test_few_guests_are_one_question(self) -> None:
        self.host("h1", 0, 10)

        self.assertEqual(self.sessions(), [("g0009", "c-h1")])
        self.assertEqual(self.client.asked, ["lobby/guests"])

    def test_more_than_are_told_at_once(self) -> None:
        self.host("h1", 0, 8)
        self.host("h2", 8, 8)

        self.assertEqual(self.sessions(), [("g0007", "c-h1"), ("g0015", "c-h2")])
        self.assertEqual(self.client.asked[2:], ["lobby/guests?filter=h2"])

    def test_more_on_one_host(self) -> None:
        self.host("h1", 0, 60)
        self.host("h2", 60, 5)

        self.assertEqual(self.sessions(), [("g0059", "c-h1"), ("g0064", "c-h2")])
        self.assertLess(len(self.client.asked), 60)

    def test_uuids_that_are_much_alike(self) -> None:
        self.host("h1", 0, 25, spread=1)

        self.assertEqual(self.sessions(), [("g0024", "c-h1")])
