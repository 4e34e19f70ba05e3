"""
Every secret that the real tests meet, and the search for them where none may be.

Whoever gets a token, a cookie, a resume key or a password in a test says so
here; whoever ends a daemon searches what it wrote, and what its processes show
to everybody, for all that was met up to then.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from urllib.parse import quote

SHORTEST = 8
"""Characters; what is shorter would be found by accident."""


class Leak(AssertionError):
    """
    A secret was found; which kind, and where, but not which.
    """


class Known:
    """
    @ivar secrets: kinds by secret.
    """

    def __init__(self) -> None:
        self.secrets: dict[str, str] = {}

    def add(self, kind: str, secret: str) -> str:
        if len(secret) < SHORTEST:
            raise ValueError(f"a {kind} of {len(secret)} characters can't be looked for")
        self.secrets[secret] = kind
        return secret

    def kinds(self) -> set[str]:
        return set(self.secrets.values())

    def search(self, where: str, text: str) -> None:
        """
        @raise Leak: some secret is in C{text}, as it is or as in a URL.
        """
        for secret, kind in self.secrets.items():
            if secret in text or quote(secret, safe="") in text:
                position = max(text.find(secret), text.find(quote(secret, safe="")))
                before = text[max(0, position - 120) : position]
                raise Leak(f"a {kind} is in {where}, after {before!r}")

    def search_processes(self, pids: Iterable[int]) -> int:
        """
        Search their command lines and environments.

        @return: how many processes there were.
        """
        searched = 0
        for pid in pids:
            try:
                shown = Path(f"/proc/{pid}/cmdline").read_bytes()
                environment = Path(f"/proc/{pid}/environ").read_bytes()
            except OSError:
                continue
            searched += 1
            self.search(f"the command line of {pid}", shown.decode("utf-8", "replace"))
            self.search(f"the environment of {pid}", environment.decode("utf-8", "replace"))
        return searched


known = Known()
"""Of the whole run."""
