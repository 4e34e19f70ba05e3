"""
Who may do what with which guest: a TOML file.

    [users.ann]
    role = "admin"                  # everything, with every guest

    [users.bob]
    role = "member"
    projects = ["a"]

    [users.eve]
    role = "reader"                 # may look where a member could type
    projects = ["a"]

    [[allow]]                       # for a user or a project ...
    project = "a"
    owners = ["a"]                  # ... guests of a project, as Nova's metadata names it,
    guests = ["web*", "db?"]        # ... or by a pattern of their names,
    uuids = ["..."]                 # ... or one by one
    mode = "rw"                     # or "ro", which is meant without it

What is not allowed does not exist for who asks.  Without a file everybody who
can log in may do everything.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from fnmatch import translate
from typing import Any

from consoleapi.directory import Guest, parse_uuid
from consoleapi.files import BadFile, read_bounded

ADMIN = "admin"
MEMBER = "member"
READER = "reader"
ROLES = (ADMIN, MEMBER, READER)

READ_WRITE = "rw"
READ_ONLY = "ro"
MODES = (READ_WRITE, READ_ONLY)

_MOST_RULES = 10_000
_MOST_PATTERN = 255
_MOST_STARS = 4


@dataclass(frozen=True, slots=True)
class Rule:
    """
    @ivar names: a pattern of guests' names, compiled; C{None} fits none.
    """

    mode: str
    owners: frozenset[str] = frozenset()
    uuids: frozenset[str] = frozenset()
    names: re.Pattern[str] | None = None

    def fits(self, guest: Guest) -> bool:
        return (
            guest.uuid in self.uuids
            or (guest.owner != "" and guest.owner in self.owners)
            or (self.names is not None and self.names.fullmatch(guest.name) is not None)
        )


@dataclass(frozen=True, slots=True, eq=False)
class Standing:
    """
    What one user may do.  Each is itself and no other, so that what it sees can be
    remembered.

    @ivar role: empty for who is not in the policy.
    @ivar rules: those that are about this user; an admin needs none.
    """

    role: str
    projects: frozenset[str] = frozenset()
    rules: Sequence[Rule] = ()

    def mode(self, guest: Guest) -> str | None:
        """
        @return: C{rw}, C{ro}, or C{None} where C{guest} does not exist for them.
        """
        if self.role == ADMIN:
            return READ_WRITE
        modes = {rule.mode for rule in self.rules if rule.fits(guest)}
        if not modes:
            return None
        return READ_WRITE if READ_WRITE in modes and self.role == MEMBER else READ_ONLY


NOBODY = Standing("")


@dataclass(frozen=True, slots=True)
class Policy:
    """
    @ivar standings: by user.
    @ivar others: of everybody else.
    """

    standings: Mapping[str, Standing] = field(default_factory=dict)
    others: Standing = NOBODY

    def of(self, user: str) -> Standing:
        return self.standings.get(user, self.others)


EVERYTHING = Policy(others=Standing(ADMIN))
"""The policy where there is no file."""


def read_policy(path: str) -> Policy:
    """
    @raise BadFile: it can't be used; a sentence that says why.
    """
    try:
        return _parse(tomllib.loads(read_bounded(path).decode("utf-8")))
    except (_Wrong, ValueError) as error:
        if isinstance(error, BadFile):
            raise
        raise BadFile(path, f"is not a policy: {error}") from None


class _Wrong(Exception):
    pass


def _parse(read: Mapping[str, Any]) -> Policy:
    _only(read, ("users", "allow"), "the file")
    users, allow = read.get("users", {}), read.get("allow", [])
    if not isinstance(users, dict) or not isinstance(allow, list):
        raise _Wrong("write [users.NAME] and [[allow]]")
    if len(allow) > _MOST_RULES:
        raise _Wrong(f"there are more than {_MOST_RULES} [[allow]]")
    named: dict[str, list[Rule]] = {}
    shared: dict[str, list[Rule]] = {}
    for number, words in enumerate(allow, 1):
        where = f"[[allow]] number {number}"
        _only(words, ("user", "project", "owners", "guests", "uuids", "mode"), where)
        user, project = words.get("user"), words.get("project")
        if (user is None) == (project is None) or not isinstance(user or project, str):
            raise _Wrong(f"{where} is for a user or for a project")
        rule = _rule(words, where)
        if user is not None:
            if user not in users:
                raise _Wrong(f"{where} is for {user!r}, who is not in [users]")
            named.setdefault(user, []).append(rule)
        else:
            shared.setdefault(str(project), []).append(rule)
    standings = {}
    for user, words in users.items():
        where = f"[users.{user}]"
        _only(words, ("role", "projects"), where)
        role, projects = words.get("role"), _texts(words, "projects", where)
        if role not in ROLES:
            raise _Wrong(f"{where}: role is {', '.join(ROLES)}")
        rules = [*named.get(user, ()), *(r for p in projects for r in shared.get(p, ()))]
        standings[user] = Standing(role, frozenset(projects), tuple(rules))
    return Policy(standings)


def _rule(words: Mapping[str, Any], where: str) -> Rule:
    mode = words.get("mode", READ_ONLY)
    if mode not in MODES:
        raise _Wrong(f"{where}: mode is rw or ro")
    owners, patterns = _texts(words, "owners", where), _texts(words, "guests", where)
    uuids = [parse_uuid(text) for text in _texts(words, "uuids", where)]
    if None in uuids:
        raise _Wrong(f"{where}: uuids holds something else than UUIDs")
    if not (owners or patterns or uuids):
        raise _Wrong(f"{where} names no guest: give owners, guests or uuids")
    for pattern in patterns:
        if len(pattern) > _MOST_PATTERN or pattern.count("*") > _MOST_STARS:
            raise _Wrong(f"{where}: a pattern has at most {_MOST_STARS} stars")
    names = re.compile("|".join(translate(pattern) for pattern in patterns)) if patterns else None
    return Rule(mode, frozenset(owners), frozenset(u for u in uuids if u), names)


def _texts(words: Mapping[str, Any], key: str, where: str) -> list[str]:
    value = words.get(key, [])
    if not isinstance(value, list) or not all(isinstance(one, str) and one for one in value):
        raise _Wrong(f"{where}: {key} is a list of texts")
    return value


def _only(words: Any, known: Sequence[str], where: str) -> None:
    if not isinstance(words, dict):
        raise _Wrong(f"{where} is not a table")
    for key in words:
        if key not in known:
            raise _Wrong(f"{where} has {key!r}, which means nothing; known are {', '.join(known)}")
