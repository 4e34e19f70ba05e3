"""
Which guests C{?name=} means.

To nova it is a regular expression that is searched for in the name; its
clients send a plain name and choose the exact one themselves.  Expressions are
the user's, and Python's take exponential time at worst.  So only these are
understood: characters, C{.}, C{[...]}, C{^}, C{$}, C{|}, and after one
character at most two of C{*} and C{+}, and any number of C{?}.  Everything
else is looked for as it stands; so are those, since C{c++} is a name too.
"""

from __future__ import annotations

import re

from consoleapi.faults import Fault

_MOST = 255
_MOST_REPEATS = 2
_MOST_OPTIONS = 4
_ATOM = r"(?:[^\\^$.*+?{}()\[\]|]|\.|\\[^0-9A-Za-z]|\\[dwsDWS]|\[\^?[^\\\[\]]+\])"
_LITERAL = re.compile(r"[A-Za-z0-9_:@-]+")
_PIECE = re.compile(rf"(?P<atom>{_ATOM})(?P<repeat>[*+?]?)|[$^|]", re.DOTALL)
_SAFE = re.compile(rf"(?:\^|\$|\||{_ATOM}[*+?]?)*", re.DOTALL)


class NameFilter:
    """
    One C{?name=}.

    @ivar word: what every name that fits contains, in lower case, or empty: the
        longest there is in it that stands for itself.
    """

    def __init__(self, text: str) -> None:
        """
        @raise Fault: 400, C{text} is too long.
        """
        if len(text) > _MOST:
            raise Fault(400, f"A name to look for has at most {_MOST} characters.")
        self._text = text
        self._expression = _compiled(text)
        self.word = _word(text if self._expression is None else _always(text))

    def fits(self, name: str) -> bool:
        return self._text in name or (
            self._expression is not None and self._expression.search(name) is not None
        )


def _compiled(text: str) -> re.Pattern[str] | None:
    if not _SAFE.fullmatch(text):
        return None
    bare = re.sub(r"\\.|\[[^\]]*\]", "", text, flags=re.DOTALL)
    repeats = bare.count("*") + bare.count("+")
    if repeats > _MOST_REPEATS or bare.count("?") > _MOST_OPTIONS:
        return None
    try:
        return re.compile(text, re.DOTALL)
    except re.error:
        return None


def _always(expression: str) -> str:
    """
    @return: characters that stand for themselves in every name that fits, a tab
        between those that need not follow each other.
    """
    found = ""
    for piece in _PIECE.finditer(expression):
        if piece[0] == "|":
            return ""
        is_itself = piece["atom"] is not None and _LITERAL.fullmatch(piece["atom"])
        found += piece["atom"] if is_itself and piece["repeat"] in ("", "+") else "\t"
        if piece["repeat"]:
            found += "\t"
    return found


def _word(text: str) -> str:
    return max(_LITERAL.findall(text), key=len, default="").lower()
