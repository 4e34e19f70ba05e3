"""
Tests for L{groundwork.channel}: requests that come slowly, or faster than their answers are read.
"""

from __future__ import annotations

from typing import Any

from twisted.internet.protocol import Factory
from twisted.internet.ssl import CertificateOptions
from twisted.protocols.tls import TLSMemoryBIOFactory
from twisted.trial.unittest import SynchronousTestCase
from twisted.web.resource import Resource
from twisted.web.server import NOT_DONE_YET, Request

from groundwork.channel import BoundedChannel
from groundwork.site import BoundedSite
from groundwork.takeover import take_over
from tests.groundwork.test_takeover import certificate
from tests.memorysocket import Collector, MemoryReactor

REQUEST = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"


def connect_by_tls(clock: MemoryReactor, site: BoundedSite, client: Collector) -> Any:
    """
    @return: the server's side.
    """
    server = TLSMemoryBIOFactory(certificate().options(), False, site, clock)
    clients = TLSMemoryBIOFactory(
        CertificateOptions(), True, Factory.forProtocol(lambda: client), clock
    )
    ours = server.buildProtocol(None)
    clock.connect(ours, clients.buildProtocol(None))
    return ours


class Waiting(Resource):
    """
    Answers when it is told to.
    """

    isLeaf = True

    def __init__(self) -> None:
        super().__init__()
        self.requests: list[Request] = []

    def render(self, request: Request) -> int:
        self.requests.append(request)
        return NOT_DONE_YET


class SlowTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock = MemoryReactor()
        self.waiting = Waiting()
        self.client = Collector()
        self.clock.connect(BoundedSite(self.waiting, self.clock).buildProtocol(None), self.client)

    def say(self, words: bytes) -> None:
        self.client.transport.write(words)
        self.clock.flush()

    def drip(self, words: bytes, every: float) -> float:
        """
        Say a byte at a time, until cut off.

        @return: seconds.
        """
        for at in range(len(words)):
            self.say(words[at : at + 1])
            self.clock.pass_time(every)
            if self.client.lost:
                return (at + 1) * every
        return 0.0

    def test_slow_head(self) -> None:
        """
        A byte a second, with or without line ends, is not life enough.
        """
        for words in (b"GET / HTTP/1.1\r\nHost: x\r\n" + b"X: y\r\n" * 100, b"G" * 1000):
            self.setUp()
            self.assertEqual(self.drip(words, 1.0), BoundedChannel.HEAD)
        self.assertEqual(self.waiting.requests, [])

    def test_slow_body(self) -> None:
        """
        A body has a time of its own.
        """
        self.say(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n")

        self.assertEqual(self.drip(b"x" * 1000, 5.0), BoundedChannel.BODY)
        self.assertEqual(self.waiting.requests, [])

    def test_slow_answer(self) -> None:
        """
        Who waits for an answer waits as long as it takes, also with the next request sent.
        """
        self.say(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        self.say(b"GET / HTTP/1.1\r\n")
        self.clock.pass_time(300.0)
        self.assertFalse(self.client.lost)

        self.waiting.requests[0].finish()
        self.say(b"Host: x\r\n\r\n")
        self.clock.pass_time(300.0)

        self.assertFalse(self.client.lost)
        self.assertEqual(len(self.waiting.requests), 2)

    def test_next_request(self) -> None:
        """
        Each request of a connection has its time anew.
        """
        for _ in range(5):
            self.say(b"GET / HTTP/1.1\r\n")
            self.clock.pass_time(15.0)
            self.say(b"Host: x\r\n\r\n")
            self.waiting.requests.pop().finish()
            self.clock.flush()
            self.clock.pass_time(15.0)

        self.assertFalse(self.client.lost)
        self.say(b"GET / HTTP/1.1\r\n")
        self.clock.pass_time(21.0)
        self.assertTrue(self.client.lost)

    def test_left(self) -> None:
        """
        Of a client that leaves nothing remains.
        """
        self.say(b"GET / HTTP/1.1\r\n")

        self.client.transport.loseConnection()
        self.clock.flush()

        self.assertEqual(self.clock.getDelayedCalls(), [])


class Prompt(Resource):
    """
    Answers at once.
    """

    isLeaf = True

    def __init__(self, length: int = 1000) -> None:
        super().__init__()
        self._length = length
        self.answered = 0

    def render_GET(self, request: Request) -> bytes:
        self.answered += 1
        return b"x" * self._length


class UnreadTests(SynchronousTestCase):
    """
    Of a client that sends and does not read little is kept; when it reads, it has lost nothing.
    """

    def connect(self, resource: Resource) -> None:
        self.clock = MemoryReactor()
        self.client = Collector(reads=False)
        self.channel = BoundedSite(resource, self.clock).buildProtocol(None)
        self.clock.connect(self.channel, self.client)

    def say(self, words: bytes) -> None:
        self.client.transport.write(words)
        self.clock.flush()

    @property
    def kept(self) -> int:
        """Bytes, of its requests and of what answers them."""
        kept = len(self.channel._buffer) + sum(map(len, self.channel._dataBuffer))
        return self.channel.transport.queued + kept

    def read_on(self) -> None:
        self.client.transport.resumeProducing()
        self.clock.flush()

    def test_who_reads_nothing(self) -> None:
        """
        It is answered until that fills a buffer; its other requests stay with it.
        """
        self.connect(Prompt())

        self.say(REQUEST * 6_000)

        self.assertLess(self.kept, 300_000)
        self.assertGreater(self.client.transport.queued, 0)
        self.read_on()
        self.assertEqual(self.client.heard.count(b"HTTP/1.1 200"), 6_000)
        self.assertFalse(self.client.lost)

    def test_who_reads_nothing_is_cut(self) -> None:
        """
        Nor is it waited for as long as it likes.
        """
        self.connect(Prompt())
        self.say(REQUEST * 6_000)

        self.clock.pass_time(80)

        self.assertFalse(self.channel.transport.connected)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_behind_an_answer_that_waits(self) -> None:
        """
        The same where an answer takes a while.
        """
        waiting = Waiting()
        self.connect(waiting)
        self.say(REQUEST * 3)

        waiting.requests[0].write(b"x" * 200_000)
        waiting.requests[0].finish()
        self.clock.flush()

        self.assertEqual(len(waiting.requests), 1)
        self.clock.pass_time(30)
        self.read_on()
        self.assertEqual(len(waiting.requests), 2)
        waiting.requests[1].finish()
        self.assertEqual(len(waiting.requests), 3)

    def test_more_behind_an_answer_that_waits(self) -> None:
        """
        What comes while an answer can't leave is not kept without bound either, in pieces of
        any size.
        """
        for size in (1_000, 65_536):
            waiting = Waiting()
            self.connect(waiting)
            self.say(REQUEST)
            waiting.requests[0].write(b"x" * 200_000)
            self.clock.flush()
            before = self.kept

            for _ in range(50):
                self.channel.transport.bufferSize = size
                self.say((REQUEST * 10_000)[:65_536])

            self.assertLess(self.kept - before, 90_000)
            self.assertGreater(self.client.transport.queued, 0)
            self.channel.transport.bufferSize = 65_536
            waiting.requests[0].finish()
            self.read_on()
            self.assertEqual(len(waiting.requests), 2)


class EndingTests(SynchronousTestCase):
    """
    A connection that is to end after an answer does.
    """

    CLOSING = REQUEST[:-2] + b"Connection: close\r\n\r\n"

    def setUp(self) -> None:
        self.clock = MemoryReactor()
        self.site = BoundedSite(Prompt(100_000), self.clock)
        self.client = Collector(reads=False)

    def ask(self, room: int, words: bytes) -> None:
        self.channel = self.site.buildProtocol(None)
        self.clock.connect(self.channel, self.client, room)
        self.client.transport.write(words)
        self.clock.flush()

    def read(self, every_second: int) -> int:
        """
        Read slowly, until all is over.

        @return: seconds.
        """
        self.client.transport.bufferSize = every_second
        for second in range(1000):
            if not self.channel.transport.connected:
                return second
            self.client.transport.doRead()
            self.clock.flush()
            self.clock.pass_time(1)
        return 1000

    def test_never_read(self) -> None:
        """
        Who does not read the last answer is cut after a minute.
        """
        self.ask(1000, self.CLOSING)
        self.clock.pass_time(59)
        self.assertTrue(self.channel.transport.connected)

        self.clock.pass_time(1)

        self.assertFalse(self.channel.transport.connected)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_read_slowly(self) -> None:
        """
        Who reads it slowly gets all of it; the connection ends with that.
        """
        self.ask(1000, self.CLOSING)

        self.assertGreater(self.read(300), 240)
        self.client.transport.resumeProducing()
        self.clock.flush()

        self.assertEqual(len(self.client.heard.partition(b"\r\n\r\n")[2]), 100_000)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_read_too_slowly(self) -> None:
        """
        A byte now and then is no reading.
        """
        self.ask(1000, self.CLOSING)

        self.assertEqual(self.read(100), BoundedChannel.LAST)

    def test_older_http(self) -> None:
        """
        The same after an answer to HTTP/1.0, and after a body that is refused.
        """
        most = b"%d" % (1 << 30)
        for words in (
            b"GET / HTTP/1.0\r\n\r\n",
            b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: " + most + b"\r\n\r\n",
        ):
            self.setUp()
            self.ask(10, words)
            self.assertTrue(self.channel.transport.connected)

            self.clock.pass_time(60)

            self.assertFalse(self.channel.transport.connected)
            self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_under_tls(self) -> None:
        """
        Who has taken everything, and never says goodbye, is cut a minute later, however much it
        says instead.
        """
        most = b"%d" % (1 << 30)
        for words, more in (
            (self.CLOSING, b""),
            (self.CLOSING, b"more"),
            (b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: " + most + b"\r\n\r\n", b"x"),
        ):
            self.setUp()
            ours = connect_by_tls(self.clock, self.site, self.client)
            self.client.transport.resumeProducing()
            self.clock.flush()
            self.client.transport.pauseProducing()

            self.client.transport.write(words)
            for _ in range(122):
                self.client.transport.write(more)
                self.clock.pass_time(1)

            self.assertFalse(ours.transport.connected)
            self.assertEqual(self.clock.getDelayedCalls(), [])


class Hotel(Prompt):
    """
    Gives a connection away that asks for C{/taken}.
    """

    def __init__(self, guest: Collector) -> None:
        super().__init__(10)
        self._guest = guest

    def render_GET(self, request: Request) -> Any:
        if request.uri != b"/taken":
            return super().render_GET(request)
        take_over(request, self._guest)
        return NOT_DONE_YET


class TurnTests(SynchronousTestCase):
    """
    Who sends requests one behind another has no turn of the reactor to himself.
    """

    def setUp(self) -> None:
        self.clock = MemoryReactor()
        self.client, self.guest = Collector(), Collector()
        self.prompt = Hotel(self.guest)
        self.channel = BoundedSite(self.prompt, self.clock).buildProtocol(None)
        self.clock.connect(self.channel, self.client)

    def test_many(self) -> None:
        """
        A few are answered, then others have a turn; in the end all of them are, also those
        that come with a body.
        """
        with_body = REQUEST[:-2] + b"Content-Length: 4\r\n\r\nbody"
        for words in (REQUEST, with_body):
            self.setUp()

            self.channel.dataReceived(words * 500 + words[:-1])
            self.assertEqual(self.prompt.answered, BoundedChannel.IN_A_TURN)
            self.client.transport.write(words[-1:] + words)
            self.clock.flush()

            self.assertEqual(self.client.heard.count(b"HTTP/1.1 200"), 502)
            self.assertEqual(len(self.clock.getDelayedCalls()), 1)  # for the next request

    def test_nothing_is_read_meanwhile(self) -> None:
        """
        What can't be answered yet stays with the client.
        """
        self.channel.dataReceived(REQUEST * 100)

        self.assertNotIn(self.channel.transport, self.clock.getReaders())

    def test_one_by_one(self) -> None:
        """
        Who waits for each answer does not wait for a turn.
        """
        for asked in range(1, 100):
            self.channel.dataReceived(REQUEST)
            self.assertEqual(self.prompt.answered, asked)
            self.assertEqual(len(self.clock.getDelayedCalls()), 1)

    def test_last_one(self) -> None:
        """
        The connection ends behind the last, wherever it stands.
        """
        self.client.transport.write(REQUEST * 63 + EndingTests.CLOSING + REQUEST)
        self.clock.flush()

        self.assertEqual(self.client.heard.count(b"HTTP/1.1 200"), 64)
        self.assertTrue(self.client.lost)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_taken_over(self) -> None:
        """
        So can a connection change hands.
        """
        self.client.transport.write(REQUEST * 64 + REQUEST.replace(b"/ ", b"/taken ", 1))
        self.clock.flush()
        self.client.transport.write(b"hello")
        self.clock.pass_time(100)

        self.assertEqual(self.client.heard.count(b"HTTP/1.1 200"), 64)
        self.assertEqual(self.guest.heard, b"hello")

    def test_left(self) -> None:
        """
        Of a client that leaves in between nothing remains.
        """
        self.channel.dataReceived(REQUEST * 100)
        self.client.transport.abortConnection()

        self.channel.transport.abortConnection()
        self.clock.flush()

        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_under_tls(self) -> None:
        """
        The same under TLS.
        """
        self.client = Collector()
        site = BoundedSite(self.prompt, self.clock)
        connect_by_tls(self.clock, site, self.client)

        self.client.transport.write(REQUEST * 3_000)
        self.clock.flush()

        self.assertEqual(self.client.heard.count(b"HTTP/1.1 200"), 3_000)


class OddTests(SynchronousTestCase):
    """
    What is no HTTP is answered by 400, once, and is no mistake of ours.
    """

    REFUSAL = b"HTTP/1.1 400 Bad Request\r\n\r\n"

    def setUp(self) -> None:
        self.clock = MemoryReactor()
        self.site = BoundedSite(Prompt(), self.clock)
        self.client = Collector()

    def say(self, words: bytes) -> None:
        self.client.transport.write(words)
        self.clock.flush()

    def test_very_long_length(self) -> None:
        """
        A length of more digits than Python takes for a number.
        """
        for more in (b"", b"X: y\r\n"):
            self.setUp()
            self.clock.connect(self.site.buildProtocol(None), self.client)

            self.say(REQUEST[:-2] + b"Content-Length: " + b"9" * 5000 + b"\r\n" + more + b"\r\n")

            self.assertEqual(self.client.heard, self.REFUSAL)
            self.assertTrue(self.client.lost)
            self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_more_behind_it(self) -> None:
        """
        Under TLS, where a client is heard until it says goodbye, what comes behind is dropped.
        """
        for words in (
            b"BAD\r\n",
            REQUEST[:-2] + b"Content-Length: x\r\na: b\r\n",
            REQUEST[:-2] + b"Transfer-Encoding: chunked\r\n\r\nno\r\n",
        ):
            self.setUp()
            ours = connect_by_tls(self.clock, self.site, self.client)
            # It hears no goodbye before it has said all.
            self.client.transport.pauseProducing()

            self.say(words)
            for more in (b"\r\n", REQUEST, b"x" * 70_000):
                self.say(more)
            self.client.transport.resumeProducing()
            self.clock.flush()

            self.assertEqual(self.client.heard, self.REFUSAL)
            self.assertFalse(ours.transport.connected)
            self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_line_without_end(self) -> None:
        """
        A line of more than 16 KiB is the end, under TLS too.
        """
        ours = connect_by_tls(self.clock, self.site, self.client)

        self.say(b"x" * 20_000)

        self.assertFalse(ours.transport.connected)
        self.assertEqual(self.clock.getDelayedCalls(), [])
