"""
Tests for L{consoleproxy.answers}: where a backend's answer ends.
"""

from __future__ import annotations

from hypothesis import given
from hypothesis.strategies import binary, integers, lists
from twisted.trial.unittest import SynchronousTestCase

from consoleproxy.answers import LONGEST_HEAD, AnswerReader, Headers, NotHttp

Heard = tuple[int, Headers, int | None, bytes, bool]


class Ear:
    """
    What was told.
    """

    def __init__(self) -> None:
        self.status = 0
        self.headers: Headers = {}
        self.length: int | None = None
        self.body = b""
        self.ends = 0

    def heard_head(self, status: int, headers: Headers, length: int | None) -> None:
        assert not self.status
        self.status, self.headers, self.length = status, headers, length

    def heard_body(self, piece: bytes) -> None:
        assert self.status and not self.ends
        self.body += piece

    def heard_end(self) -> None:
        self.ends += 1


def read(*pieces: bytes, asked_head: bool = False) -> tuple[Ear, AnswerReader]:
    ear = Ear()
    reader = AnswerReader(ear, asked_head)
    for piece in pieces:
        reader.feed(piece)
    return ear, reader


WHOLE = {
    b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello": b"hello",
    b"HTTP/1.1 200 OK\r\ncontent-length:0\r\n\r\n": b"",
    b"HTTP/1.1 200\r\nContent-Length: 2\r\n\r\nok": b"ok",
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n1;x=y\r\n!\r\n0\r\n\r\n": (
        b"hello!"
    ),
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: Chunked\r\n\r\n0\r\nX: y\r\nZ: a\r\n\r\n": b"",
    b"HTTP/1.1 103 Early\r\nLink: x\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n!": b"!",
    b"HTTP/1.1 204 No Content\r\n\r\n": b"",
    b"HTTP/1.1 304 Not Modified\r\nContent-Length: 700\r\n\r\n": b"",
}
"""Answers that are whole, and their bodies."""


class ReadingTests(SynchronousTestCase):
    """
    However an answer is cut into pieces, it is the same answer.
    """

    def test_whole(self) -> None:
        """
        One piece, or one for each byte.
        """
        for words, body in WHOLE.items():
            for pieces in ([words], [words[at : at + 1] for at in range(len(words))]):
                ear, reader = read(*pieces)

                self.assertEqual((ear.body, ear.ends, reader.over), (body, 1, True), words)
                self.assertTrue(reader.persists)

    @given(lists(binary(max_size=40)), lists(integers(1, 30), min_size=1))
    def test_chunks(self, chunks: list[bytes], cuts: list[int]) -> None:
        """
        Chunks of any content, cut anywhere.
        """
        words = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
        for chunk in filter(None, chunks):
            words += b"%x\r\n%s\r\n" % (len(chunk), chunk)
        words += b"0\r\n\r\n"
        pieces, at = [], 0
        while at < len(words):
            cut = cuts[len(pieces) % len(cuts)]
            pieces.append(words[at : at + cut])
            at += cut

        ear, reader = read(*pieces)

        self.assertEqual((ear.body, ear.ends), (b"".join(chunks), 1))
        self.assertTrue(reader.persists)

    def test_head(self) -> None:
        """
        The answer to a HEAD has no body, whatever its length.
        """
        ear, reader = read(b"HTTP/1.1 200 OK\r\nContent-Length: 700\r\n\r\n", asked_head=True)

        self.assertEqual((ear.length, ear.ends), (700, 1))
        self.assertTrue(reader.persists)

    def test_until_the_end(self) -> None:
        """
        Without a length an answer ends with its connection.
        """
        ear, reader = read(b"HTTP/1.1 200 OK\r\nX: y\r\n\r\nhello")
        self.assertEqual(ear.ends, 0)

        reader.hung_up()

        self.assertEqual((ear.body, ear.ends, reader.persists), (b"hello", 1, False))
        self.assertEqual(ear.headers, {b"x": [b"y"]})

    def test_connections_that_end(self) -> None:
        """
        One that is to be closed is not used again, nor one with more words than were asked for.
        """
        for words in (
            b"HTTP/1.1 200 OK\r\nConnection: x, Close\r\nContent-Length: 0\r\n\r\n",
            b"HTTP/1.0 200 OK\r\nContent-Length: 0\r\n\r\n",
            b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\nHTTP/1.1 200 OK\r\n",
            b"HTTP/1.1 204 No Content\r\n\r\nx",
        ):
            ear, reader = read(words)

            self.assertEqual((ear.ends, reader.persists), (1, False), words)


class RefusingTests(SynchronousTestCase):
    """
    What is no answer, or could be read in two ways, is refused.
    """

    def test_nonsense(self) -> None:
        """
        Each as soon as it is known.
        """
        head = b"HTTP/1.1 200 OK\r\n"
        for words in (
            b"SSH-2.0-OpenSSH_9\r\n",
            b"\r\n\r\n",
            b"HTTP/2 200 OK\r\n\r\n",
            b"HTTP/1.1 20 OK\r\n\r\n",
            b"HTTP/1.1 200OK\r\n\r\n",
            b"HTTP/1.1 600 No\r\n\r\n",
            b"HTTP/1.1 101 Switching Protocols\r\n\r\n",
            b"HTTP/1.1 103 Early Hints\r\n\r\n" * 9,
            head + b"no header\r\n\r\n",
            head + b"X : y\r\n\r\n",
            head + b": y\r\n\r\n",
            head + b"X: y\r\n folded\r\n\r\n",
            head + b"X: y\nContent-Length: 0\r\n\r\n",
            head + b"X: \x00\r\n\r\n",
            head + b"Content-Length: 5, 5\r\n\r\n",
            head + b"Content-Length: 5\r\nContent-Length: 5\r\n\r\n",
            head + b"Content-Length: -5\r\n\r\n",
            head + b"Content-Length: +5\r\n\r\n",
            head + b"Content-Length: 0x5\r\n\r\n",
            head + b"Content-Length:\r\n\r\n",
            head + b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n",
            head + b"Transfer-Encoding: gzip, chunked\r\n\r\n",
            head + b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n",
            head + b"Transfer-Encoding: identity\r\n\r\n",
            head + b"Transfer-Encoding: chunked\r\n\r\nhello\r\n",
            head + b"Transfer-Encoding: chunked\r\n\r\n-1\r\n",
            head + b"Transfer-Encoding: chunked\r\n\r\n1\r\nhello",
            head + b"Transfer-Encoding: chunked\r\n\r\n1\nx\n",
            head + b"Transfer-Encoding: chunked\r\n\r\n" + b"0" * 400,
            head + b"Transfer-Encoding: chunked\r\n\r\n0\r\n" + b"X: y\r\n" * 10_000,
            head + b"X: " + b"y" * LONGEST_HEAD,
        ):
            self.assertRaises(NotHttp, read, words)

    def test_cut(self) -> None:
        """
        An answer that is cut off anywhere is not taken for a whole one.
        """
        for words in WHOLE:
            for length in range(len(words)):
                _, reader = read(words[:length])

                self.assertFalse(reader.over, words[:length])
                self.assertRaises(NotHttp, reader.hung_up)

    @given(binary(max_size=300))
    def test_anything(self, words: bytes) -> None:
        """
        Any bytes behind a good beginning are understood or refused, and nothing else happens.
        """
        for beginning in (b"", b"HTTP/1.1 200 OK\r\n", next(iter(WHOLE))[:60]):
            try:
                _, reader = read(beginning, words)
                reader.hung_up()
            except NotHttp:
                pass
