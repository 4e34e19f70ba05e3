"""
The seats of one session: those whose viewers are there, and those kept for
viewers who may come back.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator
from hmac import compare_digest
from secrets import token_urlsafe

from ajaxterm.grants import Grant
from ajaxterm.viewer import Event, Seat


class Seats:
    """
    @ivar present: whose viewer is connected, by name.
    """

    def __init__(self, most_absent: int) -> None:
        """
        @param most_absent: seats kept for viewers who may come back.
        """
        self._most_absent = most_absent
        self._absent: OrderedDict[str, Seat] = OrderedDict()
        self._named = 0
        self.present: dict[str, Seat] = {}

    def __iter__(self) -> Iterator[Seat]:
        """All of them."""
        return iter([*self._absent.values(), *self.present.values()])

    def new(self, grant: Grant) -> Seat:
        """@return: one that nobody has had."""
        self._named += 1
        return Seat(f"v{self._named}", token_urlsafe(18), grant, None, 0)

    def find(self, resume: str | None, grant: Grant) -> Seat | None:
        """@return: the seat that C{resume} is the key of, if it is under C{grant}."""
        if resume is None:
            return None
        for seat in self:
            if _same(seat.key, resume) and seat.grant.name == grant.name:
                return seat
        return None

    def sit(self, seat: Seat) -> None:
        """Its viewer is there."""
        self._absent.pop(seat.name, None)
        self.present[seat.name] = seat

    def rise(self, seat: Seat) -> None:
        """Its viewer is gone for good."""
        self.present.pop(seat.name, None)
        self._absent.pop(seat.name, None)

    def keep(self, seat: Seat) -> None:
        """Its viewer, which is gone, may come back; the longest gone are forgotten first."""
        self.present.pop(seat.name, None)
        self._absent[seat.name] = seat
        while len(self._absent) > self._most_absent:
            self._absent.popitem(last=False)

    def forget_absent(self) -> None:
        """Nobody comes back."""
        self._absent.clear()

    def typists(self) -> list[Seat]:
        """@return: those present that may type."""
        return [seat for seat in self.present.values() if seat.grant.mode == "rw"]

    def names(self) -> list[Event]:
        """@return: who is there, without anything private."""
        return [
            {"name": seat.name, "user": seat.grant.user, "mode": seat.grant.mode}
            for seat in self.present.values()
        ]


def _same(key: str, shown: str) -> bool:
    # "surrogatepass", since JSON can hold what UTF-8 can't.
    return compare_digest(key.encode("utf-8"), shown.encode("utf-8", "surrogatepass"))
