"""
Orders that stand: what a terminal was told, and the one that takes its place must be.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from twisted.internet.defer import DeferredList


class StandingOrders:
    """
    The grants and notices of one console.

    @ivar notices: messages by their names.
    """

    def __init__(self) -> None:
        self._grants: dict[str, Mapping[str, Any]] = {}
        self.notices: dict[str, str] = {}

    def grant(self, name: str, words: Mapping[str, Any]) -> None:
        """Somebody was let in."""
        self._grants[name] = words

    def forget(self, name: str) -> None:
        """A grant is over."""
        self._grants.pop(name, None)

    def notice(self, name: str, message: str) -> bool:
        """
        @param message: an empty one takes a notice back.
        @return: whether that is new.
        """
        if message == self.notices.get(name, ""):
            return False
        if message:
            self.notices[name] = message
        else:
            del self.notices[name]
        return True

    async def give(self, orders: Any) -> bool:
        """
        @param orders: of a new terminal.
        @return: whether it lives, and has obeyed.
        """
        giving = [orders.give("grant", grant=name, **words) for name, words in self._grants.items()]
        giving += [
            orders.give("notice", name=name, message=message)
            for name, message in self.notices.items()
        ]
        # This it can't refuse, so it tells whether the terminal is alive.
        giving.append(orders.give("grants"))
        results = await DeferredList(giving, consumeErrors=True)
        return bool(results[-1][0])
