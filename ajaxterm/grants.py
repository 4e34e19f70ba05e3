"""
Who may come in: the grants that an ajaxterm was told of.

A grant is shown as a secret.  What is kept is the secret's SHA-256, so that
nothing which lists or dumps this can open a console.  A grant lives for its
lifetime before it is first used, and for its lifetime after it was last used;
while somebody is attached under it, it does not age.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from hashlib import sha256
from typing import Literal

from twisted.internet.interfaces import IReactorTime

Mode = Literal["rw", "ro"]


class TooManyGrants(Exception):
    """There is no room for another grant."""


def digest_of(secret: str) -> str:
    """@return: the SHA-256 of a secret or token, in hex."""
    return sha256(secret.encode("utf-8", "surrogateescape")).hexdigest()


@dataclass(frozen=True, slots=True)
class Grant:
    """
    @ivar name: public; names it in logs and on the bus.
    @ivar mode: C{ro} may watch, C{rw} may type too.
    @ivar user: who it was given to, as shown to other viewers.
    @ivar lifetime: seconds it lives unused.
    """

    name: str
    mode: Mode
    user: str
    lifetime: float


class _Entry:
    __slots__ = ("attached", "expiry", "grant")

    def __init__(self, grant: Grant, expiry: float) -> None:
        self.grant = grant
        self.expiry = expiry
        self.attached = 0


class Grants:
    """
    @cvar MOST: grants that one console knows at a time.
    """

    MOST = 1000

    def __init__(self, clock: IReactorTime) -> None:
        self._clock = clock
        self._by_digest: dict[str, _Entry] = {}

    def __iter__(self) -> Iterator[Grant]:
        return (entry.grant for entry in self._by_digest.values())

    def add(self, digest: str, grant: Grant) -> None:
        """
        @param digest: of the grant's secret, by L{digest_of}.
        @raise TooManyGrants: L{MOST} others are alive.
        """
        now = self._clock.seconds()
        if len(self._by_digest) >= self.MOST:
            self._by_digest = {
                known: entry
                for known, entry in self._by_digest.items()
                if entry.attached or entry.expiry > now
            }
        if len(self._by_digest) >= self.MOST:
            raise TooManyGrants()
        self._by_digest[digest] = _Entry(grant, now + grant.lifetime)

    def find(self, secret: str) -> Grant | None:
        """
        @return: the grant that C{secret} stands for, if it is alive.  Being
            found is being used.
        """
        digest = digest_of(secret)
        entry = self._by_digest.get(digest)
        if entry is None:
            return None
        now = self._clock.seconds()
        if not entry.attached and entry.expiry <= now:
            del self._by_digest[digest]
            return None
        entry.expiry = now + entry.grant.lifetime
        return entry.grant

    def attached(self, grant: Grant) -> None:
        """A viewer came under C{grant}."""
        for entry in self._entries(grant.name):
            entry.attached += 1

    def left(self, grant: Grant) -> None:
        """A viewer under C{grant} is gone."""
        for entry in self._entries(grant.name):
            entry.attached -= 1
            entry.expiry = self._clock.seconds() + entry.grant.lifetime

    def revoke(self, name: str) -> bool:
        """
        Forget a grant.

        @return: whether it was known.
        """
        digests = [known for known, entry in self._by_digest.items() if entry.grant.name == name]
        for digest in digests:
            del self._by_digest[digest]
        return bool(digests)

    def _entries(self, name: str) -> list[_Entry]:
        return [entry for entry in self._by_digest.values() if entry.grant.name == name]
