"""
A RabbitMQ as an administrator should have it: over TLS, and with users that may do no more
than they must.
"""

from __future__ import annotations

import re
import tempfile
from collections.abc import Callable
from inspect import isawaitable
from pathlib import Path
from shutil import rmtree
from typing import Any

from twisted.internet.defer import gatherResults
from twisted.internet.endpoints import HostnameEndpoint
from twisted.internet.threads import deferToThread
from twisted.trial.unittest import TestCase

from computeagent.foundry import factory_of
from consolebus.amqp import EXCHANGE, QUEUE_PREFIX
from consolebus.carrier import CarrierLost
from consolebus.link import Link, Login
from tests.consolebus.contract import Mailbox
from tests.rabbit import Rabbit
from tests.real.amqp import Fixture, Log
from tests.real.authority import Authority
from tests.real.parts import ROOT


class TlsTests(Fixture, TestCase):
    """
    A broker that speaks TLS, with those whom its authority knows.
    """

    async def setUp(self) -> None:
        from twisted.internet import reactor

        self.reactor = reactor
        self.log = Log(self)
        self.folder = Path(tempfile.mkdtemp(prefix="tls-"))
        self.addCleanup(rmtree, self.folder)
        self.ours = Authority(self.folder, "ours")
        self.others = Authority(self.folder, "others")
        certificate, key = self.ours.issue("localhost")
        self.rabbit = Rabbit(
            tls={
                "cacertfile": str(self.ours.certificate),
                "certfile": str(certificate),
                "keyfile": str(key),
            }
        )
        self.addCleanup(deferToThread, self.rabbit.stop)
        await deferToThread(self.rabbit.start)

    def url(self, authority: Authority, own: Path | None) -> str:
        cert = "" if own is None else f"&cert={own}"
        place = f"localhost:{self.rabbit.tls_port}/?ca={authority.certificate}{cert}"
        return f"amqps://guest:guest@{place}"

    async def test_both_sides_are_checked(self) -> None:
        """
        It works where both know each other; a broker of another authority is given no password,
        and without a certificate of ours there is no connection.
        """
        own, _ = self.ours.issue("h1")
        foreign, _ = self.others.issue("h2")
        right = self.bus_at(self.url(self.ours, own))
        wrong = [
            self.bus_at(self.url(self.others, own)),
            self.bus_at(self.url(self.ours, None)),
            self.bus_at(self.url(self.ours, foreign)),
        ]
        right.serve("compute.one", {"echo": lambda context, text: text})
        await gatherResults([bus.start() for bus in (right, *wrong)])

        text = "x" * 900_000
        self.assertEqual(await right.call("compute.one", "echo", {"text": text}), text)
        self.assertEqual([bus.connected for bus in wrong], [False] * 3)
        self.assertIn("certificate", self.log)


class RightsTests(Fixture, TestCase):
    """
    A broker with the users of C{docs/broker.md}, and a neighbour's queue and exchange.
    """

    PASSWORD = "only-for-this-test"

    async def setUp(self) -> None:
        from twisted.internet import reactor

        self.reactor = reactor
        text = (ROOT / "docs" / "broker.md").read_text()
        rule = "rabbitmqctl set_permissions -p (\\S+) (\\S+) '(.+)' '(.+)' '(.+)'"
        names = ("vhost", "user", "configure", "write", "read")
        permissions = [dict(zip(names, found, strict=True)) for found in re.findall(rule, text)]
        everything = {"configure": ".*", "write": ".*", "read": ".*"}
        permissions.append({"vhost": "consoles", "user": "neighbour", **everything})
        self.rabbit = Rabbit(
            definitions={
                "vhosts": [{"name": "consoles"}],
                "users": [
                    {"name": each["user"], "password": self.PASSWORD, "tags": ""}
                    for each in permissions
                ],
                "permissions": permissions,
                "queues": [
                    {
                        **{"name": "neighbours", "vhost": "consoles", "durable": True},
                        **{"auto_delete": False, "arguments": {}},
                    }
                ],
                "exchanges": [
                    {
                        **{"name": "neighbours", "vhost": "consoles", "type": "direct"},
                        **{"durable": True, "auto_delete": False, "internal": False},
                        "arguments": {},
                    }
                ],
            }
        )
        self.addCleanup(deferToThread, self.rabbit.stop)
        await deferToThread(self.rabbit.start)

    def url(self, user: str) -> str:
        return f"amqp://{user}:{self.PASSWORD}@127.0.0.1:{self.rabbit.port}/consoles"

    async def link(self, user: str) -> Link:
        """
        @return: a connection on which anything can be tried.
        """
        link = Link(_Nobody(), Login(user, self.PASSWORD, "consoles"), self.reactor)
        endpoint = HostnameEndpoint(self.reactor, "127.0.0.1", self.rabbit.port)
        await endpoint.connect(factory_of(link))
        self.addCleanup(link.drop, "the test is over")
        await link.open()
        return link

    async def refused(self, user: str, do: Callable[[Link], Any]) -> str:
        """
        @return: why; a refusal costs the connection.
        """
        link = await self.link(user)
        try:
            doing = do(link)
            if isawaitable(doing):
                await doing
            await link.new_queue()  # of what has no answer of its own, it comes here
        except CarrierLost as lost:
            return str(lost)
        return "nothing was refused"

    async def test_enough(self) -> None:
        """
        With these rights everything works that the bus does.
        """
        agent, web, mailbox = (
            self.bus_at(self.url("agent-h1")),
            self.bus_at(self.url("web")),
            Mailbox(),
        )
        agent.serve("compute.h1", {"echo": lambda context, text: text})
        agent.listen("compute", {"take": mailbox.take})
        web.listen("consoleapi", {"take": mailbox.take})
        await gatherResults([agent.start(), web.start()])

        self.assertEqual(await web.call("compute.h1", "echo", {"text": "x"}), "x")
        web.fanout("compute", "take", {"n": 1})
        web.cast("compute.h1", "echo", {"text": "x"})
        agent.fanout("consoleapi", "take", {"n": 2})
        await mailbox.until(2)

        self.assertEqual(sorted(each["n"] for each in mailbox.received), [1, 2])

    async def test_no_more(self) -> None:
        """
        A neighbour's queue and exchange, and another host's name, are refused.
        """

        def read(link: Link) -> Any:
            return link.consume("neighbours", lambda delivery: None, True)

        async def be_bound(link: Link) -> None:
            await link.bind(await link.new_queue(), "neighbours", "key")

        tried: dict[str, Callable[[Link], Any]] = {
            "to answer for another host": lambda link: link.own_queue(f"{QUEUE_PREFIX}compute.h2"),
            "to make a queue": lambda link: link.own_queue("another"),
            "to make an exchange": lambda link: link.declare_exchange("another"),
            "to read a queue": read,
            "to be bound to an exchange": be_bound,
            "to bind a queue": lambda link: link.bind("neighbours", EXCHANGE, "consoleapi"),
            "to tell an exchange": lambda link: link.publish("neighbours", b"key", b"words", 1.0),
        }
        for user in ("agent-h1", "web"):
            for what, do in tried.items():
                self.assertIn("ACCESS_REFUSED", await self.refused(user, do), f"{user}: {what}")
        asked = await self.refused("web", lambda link: link.own_queue(f"{QUEUE_PREFIX}compute.h1"))
        self.assertIn("ACCESS_REFUSED", asked)
        # Whose they are may, so it is not for another reason.
        for do in (read, be_bound):
            self.assertEqual(await self.refused("neighbour", do), "nothing was refused")


class _Nobody:
    """
    Takes no notice of what a link tells.
    """

    def link_made(self, link: Link) -> None:
        pass

    def link_lost(self, link: Link, reason: str) -> None:
        pass

    def link_returned(self, routing_key: bytes, correlation_id: bytes) -> None:
        pass

    def link_confirmed(self, number: int) -> None:
        pass
