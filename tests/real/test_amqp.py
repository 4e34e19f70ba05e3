"""
The bus over a real RabbitMQ.
"""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.task import deferLater
from twisted.internet.threads import deferToThread
from twisted.trial.unittest import TestCase

from consolebus.connect import bus_from_url
from consolebus.ibus import IConsoleBus
from tests.consolebus.contract import BusContract
from tests.rabbit import MISSING, Rabbit, shared_rabbit


class AmqpContractTests(BusContract, TestCase):
    """
    The bus over RabbitMQ keeps the contract.
    """

    skip = MISSING
    timeout = 150

    async def setUp(self) -> None:
        from twisted.internet import reactor

        self.reactor: Any = reactor
        self.rabbit = await deferToThread(shared_rabbit)

    def make_bus(self, on_refused: Any = None) -> IConsoleBus:
        return bus_from_url(self.rabbit.url, self.reactor, on_refused)
