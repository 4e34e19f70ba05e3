"""
Who may log in: a file of C{htpasswd -B} lines.

    # comments and empty lines are passed over
    ann:$2y$12$R9h/cIPz0gi.URNNX3kh2OPST9/PgBkqquzi.Ss7KIUgO2t0jWMUW

Only bcrypt is taken.  One check of it takes a quarter of a second on purpose,
so it runs in a thread, and a success is remembered for a minute: by a keyed
digest, so that what is in memory tells no password.

bcrypt reads 72 bytes of a password and stops at a NUL.  A longer one, or one
with a NUL, is a wrong password here; otherwise its beginning would do.
"""

from __future__ import annotations

import hashlib
import re
import secrets
from collections import OrderedDict
from collections.abc import Mapping

import bcrypt
from twisted.internet.interfaces import IReactorTime

from consoleapi.files import BadFile, Run, read_bounded

_HASH = re.compile(r"\$2[aby]\$(?P<cost>[0-9]{2})\$[./A-Za-z0-9]{53}")
_MOST_COST = 15
_MOST_PASSWORD = 72


class BadUsersFile(BadFile):
    """
    The file can't be used.

    @ivar line: which line is wrong, from 1; 0 where it is the whole file.
    """

    def __init__(self, path: str, line: int, why: str) -> None:
        super().__init__(path, why)
        self.line = line

    def __str__(self) -> str:
        return f"{self.path}, line {self.line}: {self.why}" if self.line else super().__str__()


def read_users(path: str) -> Mapping[str, bytes]:
    """
    @return: the bcrypt hash of every user.
    @raise BadUsersFile:
    """
    content = read_bounded(path)
    users: dict[str, bytes] = {}
    for number, raw in enumerate(content.split(b"\n"), 1):
        try:
            line = raw.decode("utf-8").strip()
        except UnicodeDecodeError:
            raise BadUsersFile(path, number, "it is not UTF-8") from None
        if not line or line.startswith("#"):
            continue
        user, colon, hashed = line.partition(":")
        if not colon or not user:
            raise BadUsersFile(path, number, "write NAME:HASH, as htpasswd -B does")
        if len(user) > 255 or not user.isprintable():
            raise BadUsersFile(path, number, "a name has up to 255 printable characters")
        match = _HASH.fullmatch(hashed)
        if match is None:
            raise BadUsersFile(
                path, number, "the password is not hashed by bcrypt; make the line by htpasswd -B"
            )
        if not 4 <= int(match["cost"]) <= _MOST_COST:
            raise BadUsersFile(path, number, f"bcrypt's cost must be from 4 to {_MOST_COST}")
        if user in users:
            raise BadUsersFile(path, number, "that name stands in a line above already")
        users[user] = hashed.encode("ascii")
    if not users:
        raise BadUsersFile(path, 0, "names no user; add one by htpasswd -B FILE NAME")
    return users


class Users:
    """
    @cvar REMEMBERED_FOR: seconds that a right password need not be hashed again.
    @cvar MOST_REMEMBERED: how many such.
    """

    REMEMBERED_FOR = 60.0
    MOST_REMEMBERED = 1000

    def __init__(self, clock: IReactorTime, hashes: Mapping[str, bytes], run: Run) -> None:
        self._clock = clock
        self._run = run
        self._key = secrets.token_bytes(32)
        self._right: OrderedDict[bytes, float] = OrderedDict()
        self.change(hashes)

    def change(self, hashes: Mapping[str, bytes]) -> None:
        """
        The file says this now; whoever's password is another logs in anew.
        """
        self._hashes = hashes
        self._right.clear()
        # Who is unknown costs what the dearest of the others cost.
        self._dearest = max(hashes.values(), key=lambda hashed: hashed[4:6])

    def __contains__(self, user: object) -> bool:
        return user in self._hashes

    def stamp(self, user: str) -> bytes:
        """
        What is different once the password of C{user} is; empty where there is none.
        """
        hashed = self._hashes.get(user)
        return b"" if hashed is None else self._digest(user, hashed)

    async def knows(self, user: str, password: bytes) -> bool:
        """
        Whether there is that user, with that password, also once it is checked: the
        file may change meanwhile.

        @raise Unavailable: too many are being checked.
        """
        hashed = self._hashes.get(user)
        fits = hashed is not None and len(password) <= _MOST_PASSWORD and b"\0" not in password
        digest = self._digest(user, password)
        if fits and self._is_remembered(digest):
            return True
        right = await self._run(
            bcrypt.checkpw,
            password if fits else b"wrong",
            hashed if hashed is not None else self._dearest,
        )
        if not (fits and right) or self._hashes.get(user) != hashed:
            return False
        while len(self._right) >= self.MOST_REMEMBERED:
            self._right.popitem(last=False)
        self._right[digest] = self._clock.seconds() + self.REMEMBERED_FOR
        self._right.move_to_end(digest)
        return True

    def _is_remembered(self, digest: bytes) -> bool:
        while self._right:
            oldest, expiry = next(iter(self._right.items()))
            if expiry > self._clock.seconds():
                break
            del self._right[oldest]
        return digest in self._right

    def _digest(self, user: str, password: bytes) -> bytes:
        name = user.encode("utf-8")
        words = len(name).to_bytes(4, "big") + name + password
        return hashlib.blake2b(words, key=self._key, digest_size=32).digest()
