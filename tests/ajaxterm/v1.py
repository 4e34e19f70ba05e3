"""
What tests of C{ajaxterm.v1} share.
"""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from tests.ajaxterm.stage import Stage
from tests.websocket import SocketClient


class V1Fixture(SynchronousTestCase):
    def setUp(self) -> None:
        self.stage = Stage()
        self.stage.grant("rw")
        self.stage.grant("ro", "ro", "bob")

    def settle(self, seconds: float = 0.0) -> None:
        self.stage.clock.pass_time(seconds, step=0.05)
        self.stage.clock.flush()

    def said(self, client: SocketClient, message: object) -> dict[str, object]:
        """
        @return: what is answered to C{message}.
        """
        client.events.clear()
        self.stage.send(client, message)  # type: ignore[arg-type]
        [event] = client.events
        return event
