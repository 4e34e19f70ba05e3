"""
Secrets that programs log in with: a TOML file, which only its owner may read.

    [[token]]
    user = "bob"
    sha256 = "9f86d081884c7d65..."     # of the token; 'ajaxconsole token' makes both

    [[ec2]]
    user = "bob"
    access = "AKIDBOB"
    secret = "..."                     # as it is: signatures can't be checked without

A token has 256 random bits, so one round of SHA-256 hides it well enough.
"""

from __future__ import annotations

import os
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any

from consoleapi.files import BadFile, read_bounded

_DIGEST = re.compile("[0-9a-f]{64}")
_ACCESS = re.compile("[A-Za-z0-9_]{4,128}")
_MOST_TOKEN = 1024


@dataclass(frozen=True, slots=True)
class Keys:
    """
    @ivar tokens: users by the digest of their token.
    @ivar ec2: user and secret by access key.
    """

    tokens: Mapping[str, str] = field(default_factory=dict, repr=False)
    ec2: Mapping[str, tuple[str, str]] = field(default_factory=dict, repr=False)

    def user_of(self, token: str) -> str | None:
        """
        Found by its digest, so how long it takes tells nothing about the token.
        """
        if len(token) > _MOST_TOKEN:
            return None
        return self.tokens.get(sha256(token.encode("utf-8", "replace")).hexdigest())


def read_keys(path: str) -> Keys:
    """
    @raise BadFile: it can't be used.
    """
    content = read_bounded(path)
    if os.stat(path).st_mode & 0o077:
        raise BadFile(path, "holds secrets and others may read it; do: chmod 600")
    try:
        read = tomllib.loads(content.decode("utf-8"))
    except ValueError:
        # Its own words may repeat a secret.
        raise BadFile(path, "is not TOML") from None
    strange = set(read) - {"token", "ec2"}
    if strange:
        raise BadFile(path, "has something else than [[token]] and [[ec2]]")
    tokens: dict[str, str] = {}
    for number, words in _tables(read, "token", path):
        user, digest = _text(words, "user"), _text(words, "sha256")
        if not user or not _DIGEST.fullmatch(digest) or digest in tokens:
            raise BadFile(path, f"has a [[token]], number {number}, without user and own sha256")
        tokens[digest] = user
    ec2: dict[str, tuple[str, str]] = {}
    for number, words in _tables(read, "ec2", path):
        user, access, secret = (_text(words, key) for key in ("user", "access", "secret"))
        if not user or not _ACCESS.fullmatch(access) or len(secret) < 16 or access in ec2:
            raise BadFile(
                path,
                f"has an [[ec2]], number {number}, without user, access (letters and digits, "
                "its own) and secret (16 characters or more)",
            )
        ec2[access] = user, secret
    return Keys(tokens, ec2)


def _tables(read: Mapping[str, Any], kind: str, path: str) -> list[tuple[int, Mapping[str, Any]]]:
    listed = read.get(kind, [])
    if not isinstance(listed, list) or not all(isinstance(one, dict) for one in listed):
        raise BadFile(path, f"has {kind} in another form than [[{kind}]]")
    return list(enumerate(listed, 1))


def _text(words: Mapping[str, Any], key: str) -> str:
    value = words.get(key)
    return value if isinstance(value, str) and len(value) <= 255 else ""
