"""
Tests for L{ajaxconsole.client}: what the command line asks of an API with many guests.
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
from ajaxconsole.commands import _close, _sessions
from ajaxconsole.outcome import FAILED, NOT_FOUND, Problem
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

    def host(self, name: str, guests: range, in_use: range) -> None:
        host = FakeHost(self.world, name, *(domain(n, f"g{n:04}") for n in guests))
        host.consoles = {f"c{n}": (uuid(n), ["v1"]) for n in in_use}

    def sessions(self) -> list[tuple[str, str]]:
        """
        @return: names of guests, and consoles.
        """
        self.world.start()
        said = io.StringIO()
        self.patch(sys, "stdout", said)
        _sessions(self.client, Namespace(json=True))
        return [(row["guest"], row["id"]) for row in json.loads(said.getvalue())]

    def test_few_of_many(self) -> None:
        """
        However many guests there are, those in use are told at once.
        """
        self.host("h1", range(60), range(59, 60))
        self.host("h2", range(60, 65), range(64, 65))

        self.assertEqual(self.sessions(), [("g0059", "c59"), ("g0064", "c64")])
        self.assertEqual(self.client.asked, ["lobby/guests?open=1"])

    def test_many(self) -> None:
        """
        Of more than one answer tells, the rest is asked for.
        """
        self.host("h1", range(60), range(10, 35))

        self.assertEqual(self.sessions(), [(f"g{n:04}", f"c{n}") for n in range(10, 35)])
        self.assertEqual(len(self.client.asked), 3)

    def test_none(self) -> None:
        self.host("h1", range(60), range(0))

        self.assertEqual(self.sessions(), [])


class ClosingTests(SynchronousTestCase):
    """
    All consoles of a guest are closed.
    """

    def close(self, status: int) -> list[str]:
        """
        @param status: of what is said when the first is closed.
        @return: those that were.
        """
        closed: list[str] = []

        class OneGuest(Client):
            def guest(self, name: str, host: str | None = None) -> dict[str, Any]:
                return {"id": uuid(1), "name": name}

            def consoles(self, guest: str) -> list[dict[str, Any]]:
                return [{"id": name, "device": name} for name in ("c1", "c2")]

            def close(self, guest: str, console: str) -> None:
                if console == "c1":
                    raise Problem(status, "it is not there")
                closed.append(console)

        self.patch(sys, "stdout", io.StringIO())
        asked = Namespace(name="web1", host=None, console=None, device=None, json=True)
        _close(OneGuest(Account("http://127.0.0.1/")), asked)
        return closed

    def test_ended_meanwhile(self) -> None:
        """
        One that has ended by itself keeps no other open.
        """
        self.assertEqual(self.close(NOT_FOUND), ["c2"])

    def test_fails(self) -> None:
        self.assertRaises(Problem, self.close, FAILED)
