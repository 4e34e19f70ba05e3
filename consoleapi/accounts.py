"""
Who there is and what they may do, as the files say now.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from consoleapi.callers import ANONYMOUS
from consoleapi.directory import Guest
from consoleapi.keys import Keys
from consoleapi.policy import EVERYTHING, NOBODY, Policy, Standing
from consoleapi.users import Users


class Accounts:
    """
    @ivar users: those with a password; C{None} where everybody is C{anonymous}.
    @ivar keys: tokens and EC2 keys.
    """

    def __init__(self, users: Users | None) -> None:
        self.users = users
        self.keys = Keys()
        self._policy: Policy = EVERYTHING
        self._watchers: list[Callable[[], None]] = []

    def when_changed(self, watcher: Callable[[], None]) -> None:
        """
        Call C{watcher} whenever somebody may have lost something.
        """
        self._watchers.append(watcher)

    def exists(self, user: str) -> bool:
        """
        Whether C{user} can log in, in any way.
        """
        if self.users is None:
            return user == ANONYMOUS
        return (
            user in self.users
            or user in self.keys.tokens.values()
            or any(user == owner for owner, _ in self.keys.ec2.values())
        )

    def standing(self, user: str) -> Standing:
        return self._policy.of(user) if self.exists(user) else NOBODY

    def mode(self, user: str, guest: Guest) -> str | None:
        return self.standing(user).mode(guest)

    def users_changed(self, hashes: Mapping[str, bytes]) -> None:
        if self.users is not None:
            self.users.change(hashes)
        self._changed()

    def keys_changed(self, keys: Keys) -> None:
        self.keys = keys
        self._changed()

    def policy_changed(self, policy: Policy) -> None:
        self._policy = policy
        self._changed()

    def _changed(self) -> None:
        for watcher in self._watchers:
            watcher()
