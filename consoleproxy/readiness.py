"""
Whether to send people here.
"""

from __future__ import annotations

from collections.abc import Callable

from twisted.internet.interfaces import IReactorTime


class Readiness:
    """
    @cvar SETTLING: seconds after a connection to the broker in which the agents
        say their grants.
    """

    SETTLING = 2.0

    def __init__(self, clock: IReactorTime, is_leaving: Callable[[], bool]) -> None:
        """
        @param is_leaving: whether the proxy is being stopped.
        """
        self._clock = clock
        self._is_leaving = is_leaving
        self._settled: float | None = None

    def connected(self) -> None:
        """
        The broker is reached.  Whoever was ready stays so while it comes and goes:
        what is open goes on, and no other proxy knows more.
        """
        if self._settled is None:
            self._settled = self._clock.seconds() + self.SETTLING

    def why_not(self) -> str:
        """@return: why nobody should be sent here now; nothing if all is well."""
        if self._is_leaving():
            return "It is being stopped."
        if self._settled is None:
            return "The message broker was not reached yet."
        if self._clock.seconds() < self._settled:
            return "The agents are just telling their grants."
        return ""
