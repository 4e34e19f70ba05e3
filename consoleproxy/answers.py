"""
What a backend answers, read as it comes (RFC 9112): the head, and where the body ends.

It is strict: what could be read in two ways is no HTTP (a length beside chunks, two lengths, a
folded line), since what one reader takes for the end of an answer another takes for the
beginning of the next.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Protocol

LONGEST_HEAD = 16384
"""Bytes of a head until its empty line; of a chunked body's trailer, too."""

HEADERS = re.compile(rb"(?:\r\n[!#$%&'*+.^_`|~0-9A-Za-z-]+:[^\x00\r\n]*)*")
"""What follows the first line of a head: no line hides in another."""

_STATUS = re.compile(rb"HTTP/1\.([01]) ([1-5][0-9][0-9])(?: [^\x00\r\n]*)?")
_CHUNK = re.compile(rb"([0-9A-Fa-f]{1,12})[ \t]*(?:;[^\x00\r\n]{0,200})?\r\n")
_LENGTH = re.compile(rb"[0-9]{1,15}")

Headers = dict[bytes, list[bytes]]


class NotHttp(Exception):
    """What came is no answer; the sentence says why."""


class Listener(Protocol):
    """
    Who wants to know.
    """

    def heard_head(self, status: int, headers: Headers, length: int | None) -> None:
        """
        @param headers: their names in lower case.
        @param length: of the body; C{None} if it is not known yet.
        """

    def heard_body(self, piece: bytes) -> None: ...

    def heard_end(self) -> None:
        """The answer is whole."""


class AnswerReader:
    """
    @ivar over: whether the answer is whole.
    @ivar begun: whether anything of it has come.
    @ivar persists: whether the connection can be used again.
    @cvar MOST_INTERIM: answers that only say that another one follows (RFC 9110, 15.2).
    """

    MOST_INTERIM = 8

    def __init__(self, listener: Listener, asked_head: bool) -> None:
        """
        @param asked_head: whether it answers a HEAD, and so has no body.
        """
        self.over = self.begun = False
        self.persists = True
        self._listener = listener
        self._asked_head = asked_head
        self._kept = b""
        self._left = 0
        self._interim = 0
        self._read: Callable[[bytes], bytes | None] = self._read_head

    def feed(self, words: bytes) -> None:
        """
        @raise NotHttp: this can't be read; nothing more is to be fed.
        """
        self.begun = True
        rest: bytes | None = self._kept + words
        self._kept = b""
        while rest and not self.over:
            words = rest
            rest = self._read(words)
            if rest is None:
                self._kept = words
                return
        if rest:
            # Words that nobody asked for: the next request would take them for its answer.
            self.persists = False

    def hung_up(self) -> None:
        """
        The connection has ended.

        @raise NotHttp: in the middle of the answer.
        """
        if self.over:
            return
        if self._read != self._read_until_the_end:
            raise NotHttp("it hung up")
        self._end()

    def _read_head(self, words: bytes) -> bytes | None:
        end = words.find(b"\r\n\r\n", 0, LONGEST_HEAD)
        if end < 0:
            if len(words) >= LONGEST_HEAD or not words.startswith(b"HTTP/1."[: len(words)]):
                raise NotHttp("its head is too long, or is none")
            return None
        line, status = words.partition(b"\r\n")[0], _STATUS.match(words)
        if status is None or status.end() != len(line):
            raise NotHttp("its first line is no status")
        if HEADERS.fullmatch(words, len(line), end) is None:
            raise NotHttp("its headers are none")
        headers: Headers = {}
        for header in words[len(line) + 2 : end].split(b"\r\n") if end > len(line) else ():
            name, _, value = header.partition(b":")
            headers.setdefault(name.lower(), []).append(value.strip(b" \t"))
        self._understand(int(status[2]), status[1] == b"1", headers)
        return words[end + 4 :]

    def _understand(self, status: int, persistent: bool, headers: Headers) -> None:
        if status < 200:
            self._interim += 1
            if status == 101 or self._interim > self.MOST_INTERIM:
                raise NotHttp("it switches protocols, or never answers")
            return
        hops = b",".join(headers.get(b"connection", ())).lower()
        self.persists = persistent and b"close" not in hops
        codings, lengths = headers.get(b"transfer-encoding"), headers.get(b"content-length")
        length: int | None = None
        if codings is not None:
            if lengths is not None or [each.lower() for each in codings] != [b"chunked"]:
                raise NotHttp("its length is ambiguous")
            self._read = self._read_chunk_size
        elif lengths is not None:
            if len(lengths) != 1 or not _LENGTH.fullmatch(lengths[0]):
                raise NotHttp("its length is ambiguous")
            length = self._left = int(lengths[0])
            self._read = self._read_length
        else:
            self._read = self._read_until_the_end
        bodiless = self._asked_head or status in (204, 304)
        if not bodiless and self._read == self._read_until_the_end:
            self.persists = False
        self._listener.heard_head(status, headers, length)
        if bodiless or length == 0:
            self._end()

    def _read_length(self, words: bytes) -> bytes:
        piece, rest = words[: self._left], words[self._left :]
        self._left -= len(piece)
        self._listener.heard_body(piece)
        if not self._left:
            self._end()
        return rest

    def _read_until_the_end(self, words: bytes) -> bytes:
        self._listener.heard_body(words)
        return b""

    def _read_chunk_size(self, words: bytes) -> bytes | None:
        line = _CHUNK.match(words)
        if line is None:
            if b"\n" in words[:300] or len(words) > 300:
                raise NotHttp("a chunk has no length")
            return None
        self._left = int(line[1], 16)
        self._read = self._read_chunk if self._left else self._read_trailer
        return words[line.end() :]

    def _read_chunk(self, words: bytes) -> bytes:
        piece, rest = words[: self._left], words[self._left :]
        self._left -= len(piece)
        self._listener.heard_body(piece)
        if not self._left:
            self._read = self._read_chunk_end
        return rest

    def _read_chunk_end(self, words: bytes) -> bytes | None:
        if not b"\r\n".startswith(words[:2]):
            raise NotHttp("a chunk is longer than it says")
        if len(words) < 2:
            return None
        self._read = self._read_chunk_size
        return words[2:]

    def _read_trailer(self, words: bytes) -> bytes | None:
        # What is in it is not passed on.
        if words.startswith(b"\r\n"):
            self._end()
            return words[2:]
        end = words.find(b"\r\n\r\n", 0, LONGEST_HEAD)
        if end < 0:
            if len(words) >= LONGEST_HEAD:
                raise NotHttp("its trailer is too long")
            return None
        self._end()
        return words[end + 4 :]

    def _end(self) -> None:
        self.over = True
        self._listener.heard_end()
        self.close()

    def close(self) -> None:
        """
        Hold on to nobody any more.  Else who listens, and with it the whole request, would be
        garbage that only a collector finds.
        """
        self._read = _nothing
        self._listener = _NOBODY


class _Nobody:
    def heard_head(self, status: int, headers: Headers, length: int | None) -> None: ...
    def heard_body(self, piece: bytes) -> None: ...
    def heard_end(self) -> None: ...


_NOBODY = _Nobody()


def _nothing(words: bytes) -> bytes | None:
    return b""
