"""
Tests of WebSockets that leave the reactor, from the browser's request on: a whole proxy on
real sockets.
"""

from __future__ import annotations

import errno
import os
import socket
from threading import Thread

from twisted.internet.tcp import Connection
from twisted.internet.threads import deferToThread
from twisted.trial.unittest import SynchronousTestCase

from consoleproxy import pipe
from consoleproxy.cookies import Cookies
from consoleproxy.handover import can_be_taken, when_written
from consoleproxy.pipe import Pipe
from tests.consoleproxy.realproxy import RealProxyTestCase, a_moment, until
from tests.consoleproxy.sockets import ASKED, SWITCHED, PipeTestCase
from tests.consoleproxy.stage import NAME
from tests.memorysocket import Collector, MemoryReactor


class LeavingTests(RealProxyTestCase):
    """
    Nothing of a connection is lost on its way out of the reactor, and nothing stays behind.
    """

    async def test_first_bytes(self) -> None:
        """
        What the console says in one breath with its answer is the first that is seen; then
        keys go one way and their echo the other.
        """

        def talk() -> None:
            browser = self.dial()
            backend = self.accept(b"\x82\x05hello")
            self.assertIn(b"HTTP/1.1 101 ", until(browser, b"\r\n\r\n"))
            self.assertEqual(until(browser, b"hello"), b"\x82\x05hello")
            backend.sendall(b"more")
            self.assertEqual(until(browser, b"more"), b"more")
            browser.sendall(b"k")
            self.assertEqual(backend.recv(10), b"k")
            backend.sendall(b"K")
            self.assertEqual(browser.recv(10), b"K")

        await deferToThread(talk)

        [connection] = self.resource.connections
        while connection.moved()[0] < 5:
            await a_moment()
        self.assertEqual(connection.moved(), (5, 1))

    async def test_nothing_stays(self) -> None:
        """
        The reactor has nothing left of an open WebSocket; at its end all counts are zero.
        """

        def open_and_talk() -> tuple[socket.socket, socket.socket]:
            browser = self.dial()
            backend = self.accept()
            until(browser, b"\r\n\r\n")
            browser.sendall(b"k")
            backend.recv(1)
            return browser, backend

        browser, backend = await deferToThread(open_and_talk)
        readers = [each for each in self.reactor.getReaders() if isinstance(each, Connection)]
        self.assertEqual(readers, [])
        self.assertEqual(self.resource.connections.count("socket"), 1)
        browser.close()
        self.assertEqual(await deferToThread(backend.recv, 1), b"")
        backend.close()
        while len(self.resource.connections):
            await a_moment()

        self.assertEqual(list(self.resource.connections), [])

    async def test_answers_before(self) -> None:
        """
        A browser that asked for pages before, and reads them late, gets them whole, and behind
        them the WebSocket.
        """
        page = b"x" * (6 << 20)

        def talk() -> None:
            cookie = Cookies(b"k" * 32, "/").make(NAME, secure=False).partition(";")[0]
            browser = self.dial(
                f"GET /console/{NAME}/page HTTP/1.1\r\nHost: 127.0.0.1\r\nCookie: {cookie}\r\n\r\n"
            )
            serving, _ = self.listening.accept()
            self.ends.append(serving)
            until(serving, b"\r\n\r\n")
            head = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(page)
            sending = Thread(target=serving.sendall, args=(head + page,), daemon=True)
            sending.start()
            until(browser, b"\r\n\r\n")
            got = b""
            while len(got) < len(page):
                got += browser.recv(len(page) - len(got))
            self.assertEqual(got, page)
            backend = self.accept(b"hello")
            self.assertIn(b"HTTP/1.1 101 ", until(browser, b"\r\n\r\n"))
            self.assertEqual(until(browser, b"hello"), b"hello")
            backend.sendall(b"K")
            self.assertEqual(browser.recv(1), b"K")

        await deferToThread(talk)

    async def test_revoked(self) -> None:
        """
        A revoked grant's WebSocket is cut though no reactor has it.
        """

        def open_it() -> socket.socket:
            browser = self.dial()
            self.accept()
            until(browser, b"\r\n\r\n")
            return browser

        browser = await deferToThread(open_it)
        self.grants.revoke(NAME)

        with self.assertRaises(ConnectionResetError):
            await deferToThread(browser.recv, 1)

    async def test_no_thread(self) -> None:
        """
        A WebSocket for which there is no thread, for want of descriptors, stays in the reactor:
        it works, and is cut when it is revoked.  The next one has a thread.
        """
        real, wanted = os.eventfd, 0

        def eventfd(*words: int) -> int:
            nonlocal wanted
            wanted += 1
            if wanted == 1:
                raise OSError(errno.EMFILE, "Too many open files")
            return real(*words)

        def talk(first: int) -> socket.socket:
            browser = self.dial()
            backend = self.accept(b"x" * first)
            until(browser, b"\r\n\r\n")
            got = 0
            while got < first:
                got += len(browser.recv(first - got))
            browser.sendall(b"k")
            self.assertEqual(backend.recv(1), b"k")
            backend.sendall(b"K")
            self.assertEqual(browser.recv(1), b"K")
            return browser

        self.patch(os, "eventfd", eventfd)
        staying = await deferToThread(talk, 1 << 20)
        self.assertEqual(len(self.flushLoggedErrors(OSError)), 1)
        leaving = await deferToThread(talk, 10)
        self.grants.revoke(NAME)

        for browser in (staying, leaving):
            with self.assertRaises(ConnectionResetError):
                await deferToThread(browser.recv, 1)

    async def test_half_gone(self) -> None:
        """
        When a console has ended, a browser that neither reads nor leaves is cut after
        a while.
        """
        self.patch(Pipe, "LINGER", 0.3)

        def open_and_end() -> socket.socket:
            browser = self.dial()
            backend = self.accept()
            until(browser, b"\r\n\r\n")
            backend.close()
            return browser

        browser = await deferToThread(open_and_end)
        while len(self.resource.connections):
            await a_moment()

        with self.assertRaises((ConnectionResetError, BrokenPipeError)):
            browser.sendall(b"k")


class CutTests(PipeTestCase):
    """
    What is cut is not handed over.
    """

    def carry(self, *ends: object) -> None:
        self.carried = True

    def test_cut_while_the_first_words_leave(self) -> None:
        """
        A WebSocket that is revoked in the very turn in which the last of its first words leaves
        is cut all the same.
        """
        self.carried = False
        self.patch(pipe, "take", lambda transport: transport)
        self.stage.resource._carrier = self  # type: ignore[assignment]
        self.stage.backend(SWITCHED + b"x" * 5000)
        browser = Collector(reads=False)
        self.stage.wire.connect(browser, 1000)
        cookie = f"Cookie: {self.stage.cookie()}\r\n"
        browser.transport.write(f"GET /console/{NAME}/ws HTTP/1.1\r\n{ASKED}{cookie}\r\n".encode())
        self.settle()
        [connection] = self.stage.resource.connections

        assert connection.cut is not None
        connection.cut()
        for _ in range(10):
            browser.transport.doRead()
            for writer in self.stage.clock.getWriters():
                writer.doWrite()
        self.settle()

        self.assertFalse(self.carried)
        self.assertEqual(len(self.stage.resource.connections), 0)
        self.assertEqual(self.stage.clock.getDelayedCalls(), [])

    def test_what_can_be_taken(self) -> None:
        """
        Nor is what ends by itself.
        """
        for end in ("loseConnection", "abortConnection"):
            network = MemoryReactor()
            ours = Collector()
            network.connect(ours, Collector())
            self.assertTrue(can_be_taken(ours.transport))

            getattr(ours.transport, end)()

            self.assertFalse(can_be_taken(ours.transport))


class WrittenTests(SynchronousTestCase):
    """
    A socket is not taken before all that was written to it has left.
    """

    def test_slow_peer(self) -> None:
        """
        To a peer that does not read, nothing is "written"; when it has read, it is,
        and said once.
        """
        network = MemoryReactor()
        ours, theirs = Collector(), Collector(reads=False)
        network.connect(ours, theirs, room=1000)
        written: list[str] = []

        ours.transport.write(b"x" * 5000)
        when_written(ours.transport, lambda: written.append("all"))
        network.flush()
        self.assertEqual(written, [])
        theirs.transport.resumeProducing()
        network.flush()
        ours.transport.write(b"more")
        network.flush()

        self.assertEqual((written, theirs.heard), (["all"], b"x" * 5000 + b"more"))

    def test_lost(self) -> None:
        """
        If it leaves instead, nothing is said.
        """
        network = MemoryReactor()
        ours, theirs = Collector(), Collector(reads=False)
        network.connect(ours, theirs, room=1000)
        written: list[str] = []
        ours.transport.write(b"x" * 5000)
        when_written(ours.transport, lambda: written.append("all"))

        theirs.transport.abortConnection()
        network.flush()

        self.assertTrue(ours.lost)
        self.assertEqual(written, [])
