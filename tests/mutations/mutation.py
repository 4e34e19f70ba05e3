"""
A patch that takes one defence out, as it stands in a file C{NAME.patch}:

    Against: CVE-2015-0259
    Test: tests.consoleproxy.test_handshake.HandshakeTests.test_origins

    What is promised, in a sentence.

    --- a/consoleproxy/web.py
    +++ b/consoleproxy/web.py
    @@ -210 +210 @@
    -        if not self._is_welcome(request):
    +        if False:

Line numbers do not count: what is to go, with its context, must stand in its file exactly once.  So
a patch goes on to fit while the rest of the file changes.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).parent


@dataclass(frozen=True, slots=True)
class Edit:
    """
    @ivar path: of a file, from the root of the tree.
    """

    path: str
    old: str
    new: str


@dataclass(frozen=True, slots=True)
class Mutation:
    """
    @ivar against: who was hit by what is defended against.
    @ivar test: which must fail without the defence.
    """

    name: str
    against: str
    test: str
    edits: Sequence[Edit]

    def apply(self, tree: Path) -> None:
        """
        @raise ValueError: it fits no more; the sentence says where.
        """
        for edit in self.edits:
            path = tree / edit.path
            text = path.read_text("utf-8") if path.exists() else ""
            if text.count(edit.old) != 1:
                raise ValueError(
                    f"{self.name}.patch does not fit any more: {edit.path} has {edit.old!r} "
                    f"{text.count(edit.old)} times. Let it take out what is there now."
                )
            path.write_text(text.replace(edit.old, edit.new), "utf-8")


def read_mutation(path: Path) -> Mutation:
    """
    @raise ValueError: it is not as above.
    """
    text = path.read_text("utf-8")
    head, _, diff = text.partition("\n--- ")
    against = re.search(r"^Against: (.+)$", head, re.MULTILINE)
    test = re.search(r"^Test: (tests\.[\w.]+)$", head, re.MULTILINE)
    edits = [edit for part in re.split(r"^--- ", diff, flags=re.M) for edit in _edits(part)]
    if against is None or test is None or not edits:
        raise ValueError(f"{path.name}: Against:, Test: or the diff is missing")
    return Mutation(path.stem, against[1], test[1], edits)


def all_mutations() -> list[Mutation]:
    return [read_mutation(path) for path in sorted(HERE.glob("*.patch"))]


def _edits(part: str) -> list[Edit]:
    names, *hunks = re.split(r"^@@.*\n", part, flags=re.MULTILINE)
    name = re.search(r"^\+\+\+ b/(\S+)$", names, re.MULTILINE)
    if name is None:
        raise ValueError("a part of the diff has no +++ line")
    edits = []
    for hunk in hunks:
        lines = hunk.splitlines(keepends=True)
        old = "".join(line[1:] for line in lines if line[0] in " -")
        new = "".join(line[1:] for line in lines if line[0] in " +")
        edits.append(Edit(name[1], old, new))
    return edits
