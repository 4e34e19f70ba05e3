"""
Tests for L{consoleproxy.carrier}, L{consoleproxy.lane} and L{consoleproxy.splicing}, on real
sockets: what they do is what the kernel does.
"""

from __future__ import annotations

import errno
import hashlib
import random
import socket
import struct
import time
from collections.abc import Callable
from queue import Empty, Queue
from threading import Thread
from unittest import mock

from twisted.trial.unittest import SynchronousTestCase

from consoleproxy.carrier import Carrier, Pair
from consoleproxy.lane import MOST_READ, Lane
from consoleproxy.splicing import KernelPipes

PATIENCE = 20.0


class Desk:
    """
    What a reactor is to the carrier: where it may leave calls.
    """

    def __init__(self) -> None:
        self._calls: Queue[Callable[[], None]] = Queue()

    def callFromThread(self, call: Callable[..., None], *words: object, **more: object) -> None:
        self._calls.put(lambda: call(*words, **more))

    def work(self, patience: float = PATIENCE) -> bool:
        """
        Do one call that was left here.

        @return: whether there was one.
        """
        try:
            self._calls.get(timeout=patience)()
        except Empty:
            return False
        return True


def joined() -> tuple[socket.socket, socket.socket]:
    """
    Two ends of a TCP connection.
    """
    with socket.create_server(("127.0.0.1", 0)) as listening:
        one = socket.create_connection(listening.getsockname())
        other, _ = listening.accept()
    for end in (one, other):
        end.settimeout(PATIENCE)
    return one, other


class CarrierTestCase(SynchronousTestCase):
    """
    @ivar told: what the carrier has said of each pair, in order.
    """

    def setUp(self) -> None:
        self.desk = Desk()
        self.carrier = Carrier(self.desk)  # type: ignore[arg-type]
        self.addCleanup(self.carrier.close)
        self.told: list[bool] = []

    def carried(self) -> tuple[socket.socket, socket.socket, Pair]:
        """
        A browser's socket, a backend's, and the pair that joins them.
        """
        browser, ours = joined()
        backend, other = joined()
        for end in (ours, other):
            end.setblocking(False)
        self.addCleanup(browser.close)
        self.addCleanup(backend.close)
        return browser, backend, self.carrier.carry(ours, other, self.told.append)

    def wait_until_told(self, *words: bool) -> None:
        while len(self.told) < len(words):
            self.assertTrue(self.desk.work(), "the carrier said nothing")
        self.assertEqual(self.told, list(words))

    def wait_until_moved(self, pair: Pair, to_browser: int, to_backend: int) -> None:
        # It counts what it has sent, so a peer may be quicker.
        end = time.monotonic() + PATIENCE
        while pair.moved < to_browser + to_backend and time.monotonic() < end:
            time.sleep(0.001)
        self.assertEqual((pair.to_browser.moved, pair.to_backend.moved), (to_browser, to_backend))


def read(end: socket.socket, length: int) -> bytes:
    """
    @return: C{length} bytes, or what came until the end.
    """
    pieces = []
    while length:
        piece = end.recv(min(length, 1 << 20))
        if not piece:
            break
        pieces.append(piece)
        length -= len(piece)
    return b"".join(pieces)


def noise(length: int, seed: int = 1) -> bytes:
    return random.Random(seed).randbytes(length)


class CarryingTests(CarrierTestCase):
    """
    Bytes arrive as they are, in both directions at once, large and small.
    """

    def test_keys(self) -> None:
        """
        A key and its echo.
        """
        browser, backend, pair = self.carried()

        for _ in range(3):
            browser.sendall(b"k")
            self.assertEqual(backend.recv(10), b"k")
            backend.sendall(b"KK")
            self.assertEqual(browser.recv(10), b"KK")

        self.wait_until_moved(pair, 6, 3)

    def test_much(self) -> None:
        """
        48 MiB each way, to ends that are slow at first, and every byte in its place.
        """
        browser, backend, pair = self.carried()
        length = 48 << 20
        texts = noise(length, 1), noise(length, 2)
        writers = [
            Thread(target=end.sendall, args=(text,), daemon=True)
            for end, text in zip((browser, backend), texts, strict=True)
        ]

        for writer in writers:
            writer.start()
        time.sleep(0.3)
        heard: list[bytes] = [b"", b""]
        readers = [
            Thread(target=lambda at, end: heard.__setitem__(at, read(end, length)), args=words)
            for words in ((0, backend), (1, browser))
        ]
        for thread in readers:
            thread.start()
        for thread in readers + writers:
            thread.join(PATIENCE)

        for text, got in zip(texts, heard, strict=True):
            self.assertEqual(len(got), length)
            self.assertEqual(hashlib.sha256(got).digest(), hashlib.sha256(text).digest())
        self.wait_until_moved(pair, length, length)

    def test_sizes_that_change(self) -> None:
        """
        Between pieces that are spliced and such that are not, nothing is lost or swapped.
        """
        browser, backend, _ = self.carried()
        sizes = [1, 70_000, 5, 900_000, 3, 3, 2_000_000, 1, 64 << 10, 128 << 10, 7]
        text = noise(sum(sizes))

        def write() -> None:
            at = 0
            for size in sizes:
                backend.sendall(text[at : at + size])
                at += size
                time.sleep(0.01)

        writer = Thread(target=write, daemon=True)
        writer.start()
        got = read(browser, len(text))
        writer.join(PATIENCE)

        self.assertEqual(got, text)

    def test_one_that_stalls_holds_nobody_up(self) -> None:
        """
        More viewers than there are kernel pipes stop reading in the middle of much
        output; another one goes on, and afterwards they have every byte.
        """
        text = noise(8 << 20)
        with mock.patch.object(KernelPipes, "MOST", 2):
            stalled = [self.carried() for _ in range(5)]
            writers = [
                Thread(target=backend.sendall, args=(text,), daemon=True)
                for _, backend, _ in stalled
            ]
            for writer in writers:
                writer.start()
            while not all(pair.to_browser.waits for *_, pair in stalled):
                time.sleep(0.01)
            time.sleep(0.2)
            browser, backend, _ = self.carried()
            writers.append(Thread(target=backend.sendall, args=(text,), daemon=True))
            writers[-1].start()

            self.assertEqual(read(browser, len(text)), text)
            for browser, _, _ in stalled:
                self.assertEqual(read(browser, len(text)), text)
        for writer in writers:
            writer.join(PATIENCE)

    def test_without_splicing(self) -> None:
        """
        Where the kernel does not splice, bytes are carried all the same.
        """
        browser, backend, _ = self.carried()
        text = noise(4 << 20)

        with mock.patch("os.splice", side_effect=OSError(38, "no such thing")) as refused:
            writer = Thread(target=backend.sendall, args=(text,), daemon=True)
            writer.start()
            got = read(browser, len(text))
        writer.join(PATIENCE)

        self.assertEqual(got, text)
        self.assertTrue(refused.called)

    def test_what_a_stalled_browser_costs(self) -> None:
        """
        Its backend is not read any more once the kernel's buffers and one piece are full.
        """
        browser, backend, _ = self.carried()
        backend.settimeout(0.5)
        sent = 0

        with self.assertRaises(TimeoutError):
            while sent < 1 << 28:
                sent += backend.send(b"x" * 65536)

        self.assertLess(sent, 40 << 20)
        self.assertEqual(len(read(browser, sent)), sent)


class StalledTests(SynchronousTestCase):
    """
    What lanes keep whose sinks take nothing.
    """

    def stalled(self, pipes: KernelPipes) -> tuple[Lane, socket.socket]:
        """
        A lane that was spliced and waits, and its sink's far end.
        """
        far_source, source = joined()
        sink, far_sink = joined()
        for end in (far_source, source, sink, far_sink):
            end.setblocking(False)
            self.addCleanup(end.close)
        lane = Lane(source, sink, memoryview(bytearray(MOST_READ)), pipes)
        while not lane.waits:
            try:
                while True:
                    far_source.send(b"x" * (1 << 20))
            except BlockingIOError:
                lane.fill()
        return lane, far_sink

    def test_sum(self) -> None:
        """
        One reading each, and what was poured out of pipes up to a limit; of a lane that
        is over, or has gone on, nothing is counted any more.
        """
        pipes = KernelPipes()
        self.addCleanup(pipes.close)
        most = KernelPipes.SIZE

        with (
            mock.patch.object(KernelPipes, "MOST", 2),
            mock.patch.object(KernelPipes, "MOST_POURED", most),
        ):
            lanes = [self.stalled(pipes) for _ in range(24)]
            kept = [len(lane._kept) for lane, _ in lanes]

        self.assertGreater(pipes.poured, 0)
        self.assertLessEqual(pipes.poured, most)
        self.assertLessEqual(sum(each for each in kept if each > MOST_READ), most)
        for lane, far_sink in lanes[:12]:
            while lane.waits:
                try:
                    far_sink.recv(1 << 20)
                except BlockingIOError:
                    pass
                lane.flush()
        for lane, _ in lanes[12:]:
            lane.give_up()
        self.assertEqual(pipes.poured, 0)


class EndingTests(CarrierTestCase):
    """
    An end is passed on, and both sockets are closed when both directions have ended.
    """

    def test_half_close(self) -> None:
        """
        Who has said everything can still hear the answer.
        """
        browser, backend, _ = self.carried()

        browser.sendall(b"last words")
        browser.shutdown(socket.SHUT_WR)
        self.assertEqual(read(backend, 100), b"last words")
        self.wait_until_told(False)
        backend.sendall(b"the answer")
        self.assertEqual(browser.recv(100), b"the answer")
        backend.close()

        self.assertEqual(browser.recv(100), b"")
        self.wait_until_told(False, True)

    def test_reset(self) -> None:
        """
        A browser that is gone without a word takes its backend's connection with it,
        which has what it typed last.
        """
        browser, backend, _ = self.carried()

        browser.sendall(b"last")
        self.assertEqual(backend.recv(4), b"last")
        browser.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        browser.close()

        self.assertEqual(backend.recv(100), b"")
        self.wait_until_told(True)

    def test_end_behind_a_browser_that_does_not_read(self) -> None:
        """
        That a backend has ended is told though its last words can't be delivered yet;
        then they are.
        """
        browser, backend, pair = self.carried()
        sent = 0
        while not pair.to_browser.waits:
            sent += backend.send(b"x" * 65536)
            time.sleep(0.001)

        backend.close()
        self.wait_until_told(False)

        self.assertFalse(pair.to_browser.over)
        self.assertEqual(len(read(browser, 1 << 30)), sent)
        browser.close()
        self.wait_until_told(False, True)

    def test_cut(self) -> None:
        """
        A pair that is cut ends at once, on both sides, whatever is under way.
        """
        browser, backend, pair = self.carried()
        browser.sendall(b"k")
        backend.recv(1)

        self.carrier.cut(pair)

        self.wait_until_told(True)
        for end in (browser, backend):
            self.assertRaises(ConnectionResetError, end.recv, 1)
        self.carrier.cut(pair)
        self.assertFalse(self.desk.work(0.2))

    def test_closed(self) -> None:
        """
        With the carrier all that it carries ends; and it can begin anew.
        """
        ends = [self.carried()[:2] for _ in range(3)]

        self.carrier.close()

        self.wait_until_told(True, True, True)
        for browser, backend in ends:
            self.assertRaises(ConnectionResetError, browser.recv, 1)
            self.assertRaises(ConnectionResetError, backend.recv, 1)
        browser, backend, _ = self.carried()
        browser.sendall(b"k")
        self.assertEqual(backend.recv(1), b"k")

    def test_no_more_can_be_polled(self) -> None:
        """
        A pair for which the kernel has no room is ended, and not forgotten half open.
        """
        other_browser, other_backend, _ = self.carried()
        other_browser.sendall(b"k")
        self.assertEqual(other_backend.recv(1), b"k")
        full = mock.Mock(wraps=self.carrier._poll)
        full.register.side_effect = OSError(errno.ENOSPC, "no room")

        with mock.patch.object(self.carrier, "_poll", full):
            browser, backend, _ = self.carried()
            self.wait_until_told(True)

        self.assertEqual(len(self.flushLoggedErrors(OSError)), 1)
        self.assertRaises(ConnectionResetError, browser.recv, 1)
        self.assertRaises(ConnectionResetError, backend.recv, 1)
        other_browser.sendall(b"k")
        self.assertEqual(other_backend.recv(1), b"k")

    def test_mistake_while_cutting(self) -> None:
        """
        A pair that can't even be cut as it should is closed, and the thread goes on; so
        does the carrier's end.
        """
        browser, backend, pair = self.carried()
        other_browser, other_backend, other = self.carried()
        mistake = mock.Mock(side_effect=ValueError("a mistake"))
        for end, far in ((browser, backend), (other_browser, other_backend)):
            end.sendall(b"k")
            self.assertEqual(far.recv(1), b"k")
        pair.to_backend._receive_into = mistake
        with mock.patch.object(Lane, "give_up", mistake):
            browser.sendall(b"k")
            self.wait_until_told(True)

            for end in (browser, backend):
                self.assertRaises(ConnectionResetError, end.recv, 1)
            other_browser.sendall(b"k")
            self.assertEqual(other_backend.recv(1), b"k")
            self.carrier.close()
            self.wait_until_told(True, True)

        for end in (other_browser, other_backend):
            self.assertRaises(ConnectionResetError, end.recv, 1)
        self.assertEqual((other.to_browser.over, other.to_backend.over), (True, True))
        self.assertEqual(len(self.flushLoggedErrors(ValueError)), 3)

    def test_mistake(self) -> None:
        """
        A mistake of ours ends the pair that it befalls, is logged, and spares the others.
        """
        browser, _, pair = self.carried()
        other_browser, other_backend, _ = self.carried()
        pair.to_backend._receive_into = mock.Mock(side_effect=ValueError("a mistake"))

        browser.sendall(b"k")
        while not self.told:
            self.assertTrue(self.desk.work())

        self.assertEqual(len(self.flushLoggedErrors(ValueError)), 1)
        self.assertRaises(ConnectionResetError, browser.recv, 1)
        other_browser.sendall(b"k")
        self.assertEqual(other_backend.recv(1), b"k")
