"""
A session as a file that C{asciinema play} shows: asciicast v2
(https://docs.asciinema.org/manual/asciicast/v2/).

The first line is a header; each other line is C{[seconds, kind, text]}: C{o} for
output, C{i} for input, C{m} for a mark.  The text is Unicode, so bytes are decoded
here, across the cuts between them; what is no UTF-8 is shown as U+FFFD.
"""

from __future__ import annotations

import json
import os
import re
from codecs import getincrementaldecoder
from collections.abc import Iterable
from datetime import UTC, datetime
from secrets import token_hex

Part = tuple[float, str, bytes]
"""A moment, as a monotonic clock tells it; a kind; what there was."""


def name_for(title: str, moment: datetime) -> str:
    """@return: a name for a file that there is only once."""
    words = re.sub(r"[^A-Za-z0-9._-]+", "-", title).strip("-.")[:80] or "console"
    return f"{words}-{moment.astimezone(UTC):%Y%m%dT%H%M%SZ}-{token_hex(3)}"


class Cast:
    """
    One recording, in at most two files of a bounded length: when C{NAME.cast} is
    full, it becomes C{NAME.1.cast} in the place of an earlier one.

    Nothing here knows a reactor; it blocks as files do.
    """

    def __init__(self, folder: int, name: str, title: str, most: int) -> None:
        """
        @param folder: the descriptor of an open directory.  Its path may be out
            of reach, since somebody else opened it.
        @param most: bytes in one file.
        """
        self._folder = folder
        self._name = name
        self._title = title
        self._most = most
        self._file = -1
        self._length = 0
        self._begin = 0.0
        decoder = getincrementaldecoder("utf-8")
        self._decoders = {kind: decoder("replace") for kind in "oim"}

    def open(self, now: float) -> None:
        """
        Begin a file.

        @raise OSError: it can't be.
        """
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
        self._file = os.open(f"{self._name}.cast", flags, 0o600, dir_fd=self._folder)
        self._begin, self._length = now, 0
        header = {
            "version": 2,
            "width": 80,
            "height": 24,
            "timestamp": int(datetime.now(UTC).timestamp()),
            "title": self._title,
        }
        self._put([json.dumps(header).encode("ascii") + b"\n"])

    def write(self, parts: Iterable[Part]) -> None:
        """
        @raise OSError: the disk is full, or the like.
        """
        lines: list[bytes] = []
        length = self._length
        for moment, kind, said in parts:
            text = self._decoders[kind].decode(said)
            line = self._line(moment, kind, text)
            if length + len(line) > self._most:
                self._put(lines)
                lines.clear()
                self._rotate(moment)
                length = self._length
                line = self._line(moment, kind, text)
            if line:
                lines.append(line)
                length += len(line)
        self._put(lines)

    def close(self) -> None:
        if self._file >= 0:
            os.close(self._file)
            self._file = -1

    def _line(self, moment: float, kind: str, text: str) -> bytes:
        if not text:
            return b""
        at = round(max(0.0, moment - self._begin), 6)
        return json.dumps([at, kind, text]).encode("ascii") + b"\n"

    def _rotate(self, moment: float) -> None:
        self.close()
        os.replace(
            f"{self._name}.cast",
            f"{self._name}.1.cast",
            src_dir_fd=self._folder,
            dst_dir_fd=self._folder,
        )
        self.open(moment)

    def _put(self, lines: list[bytes]) -> None:
        left = memoryview(b"".join(lines))
        self._length += len(left)
        while left:
            left = left[os.write(self._file, left) :]
