"""
Who may come in: the grants that an ajaxterm was told of.

A grant is shown as a secret.  What is kept is the secret's SHA-256, so that
nothing which lists or dumps this can open a console.  A grant lives for its
lifetime before it is first used, and for its lifetime after it was last used;
while somebody is attached under it, it does not age.
"""

from __future__ import annotations

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


@dataclass(slots=True)
class _Entry:
    grant: Grant
    expiry: float


class Grants:
    """
    @cvar MOST: grants that one console knows at a time.
    """

    MOST = 1000

    def __init__(self, clock: IReactorTime) -> None:
        self._clock = clock
        self._by_digest: dict[str, _Entry] = {}
        self._attached: dict[str, int] = {}

    def add(self, digest: str, grant: Grant) -> None:
        """
        @param digest: of the grant's secret, by L{digest_of}.
        @raise TooManyGrants: L{MOST} others are alive.
        """
        if len(self._by_digest) >= self.MOST:
            self._by_digest = {
                known: entry for known, entry in self._by_digest.items() if self._lives(entry)
            }
        if len(self._by_digest) >= self.MOST and digest not in self._by_digest:
            raise TooManyGrants()
        self._by_digest[digest] = _Entry(grant, self._clock.seconds() + grant.lifetime)

    def find(self, secret: str) -> Grant | None:
        """
        @return: the grant that C{secret} stands for, if it is alive.  Being
            found is being used.
        """
        digest = digest_of(secret)
        entry = self._by_digest.get(digest)
        if entry is None:
            return None
        if not self._lives(entry):
            del self._by_digest[digest]
            return None
        entry.expiry = self._clock.seconds() + entry.grant.lifetime
        return entry.grant

    def alive(self, grant: Grant) -> bool:
        """@return: whether a grant of that name is neither revoked nor expired."""
        return any(self._lives(entry) for entry in self._entries(grant.name))

    def names(self) -> list[str]:
        """@return: of the grants that are neither revoked nor expired."""
        return [entry.grant.name for entry in self._by_digest.values() if self._lives(entry)]

    def attached(self, grant: Grant) -> None:
        """A viewer came under C{grant}."""
        self._attached[grant.name] = self._attached.get(grant.name, 0) + 1

    def left(self, grant: Grant) -> None:
        """A viewer under C{grant} is gone."""
        self._attached[grant.name] -= 1
        if not self._attached[grant.name]:
            del self._attached[grant.name]
        for entry in self._entries(grant.name):
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

    def _lives(self, entry: _Entry) -> bool:
        return entry.grant.name in self._attached or entry.expiry > self._clock.seconds()

    def _entries(self, name: str) -> list[_Entry]:
        return [entry for entry in self._by_digest.values() if entry.grant.name == name]
