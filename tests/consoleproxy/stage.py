"""
A proxy in memory, whole but for its sockets, with backends to speak to.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from twisted.internet.protocol import Protocol, connectionDone
from twisted.python.failure import Failure

from consoleproxy.cookies import Cookies
from consoleproxy.embedding import embeddable
from consoleproxy.grants import Grant, Grants, digest_of
from consoleproxy.relay import Relay
from consoleproxy.web import ProxyResource
from groundwork.manners import HostRule, OriginRule
from groundwork.outside import Outside
from tests.consoleproxy.network import NetworkReactor
from tests.websocket import Answer, SocketClient, Wire

SECRET = "the-secret-that-no-browser-sees"
TOKEN = "T" * 43
NAME = "g0123456789abcdef"
HOST, PORT = "192.0.2.7", 10007
PEER = "192.0.2.1"


def some_grant(
    name: str = NAME,
    token: str = TOKEN,
    host: str = HOST,
    port: int = PORT,
    secret: str = SECRET,
    lifetime: float = 600.0,
) -> Grant:
    return Grant(name, "c0ffee", digest_of(token), host, port, secret, "ann", lifetime)


class Backend(Protocol):
    """
    What an ajaxterm is to the proxy: something that hears a request, and says what the
    test lets it say.

    @ivar heard: every byte that the proxy has sent.
    """

    def __init__(self, answers: Iterable[bytes] = ()) -> None:
        """
        @param answers: said one by one, each to the next request's head.
        """
        self.heard = b""
        self.lost = False
        self._heads = 0
        self._answers = list(answers)

    def dataReceived(self, data: bytes) -> None:
        self.heard += data
        while self._answers and self.heard.count(b"\r\n\r\n") > self._heads:
            self._heads += 1
            self.say(self._answers.pop(0))

    def say(self, words: bytes) -> None:
        assert self.transport is not None
        self.transport.write(words)

    def hang_up(self) -> None:
        assert self.transport is not None
        self.transport.loseConnection()

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        self.lost = True


class Browser(Protocol):
    """
    A client that says raw bytes.

    @ivar heard: every byte of the answers.
    """

    def __init__(self) -> None:
        self.heard = b""
        self.lost = False

    def dataReceived(self, data: bytes) -> None:
        self.heard += data

    def say(self, words: bytes) -> None:
        assert self.transport is not None
        self.transport.write(words)

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        self.lost = True


def answer_in(heard: bytes) -> Answer:
    """
    @return: the whole answer that C{heard} is.
    """
    head, _, body = heard.partition(b"\r\n\r\n")
    status, *lines = head.decode("utf-8").split("\r\n")
    headers = {k.lower(): v.strip() for k, _, v in (line.partition(":") for line in lines)}
    if headers.get("transfer-encoding") == "chunked":
        body = b"".join(_chunks(body))
    return Answer(int(status.split()[1]), headers, body)


def _chunks(body: bytes) -> Iterator[bytes]:
    while True:
        size, _, body = body.partition(b"\r\n")
        if int(size, 16) == 0:
            return
        yield body[: int(size, 16)]
        body = body[int(size, 16) + 2 :]


class Stage:
    """
    @ivar clock: the time, and the network beneath.
    @ivar is_told: whether the bus is there.
    @ivar backends: those that were connected to, in order.
    """

    def __init__(
        self,
        base_path: str = "/",
        hosts: Iterable[str] = (),
        origins: Iterable[str] = (),
        trusted: Iterable[str] = (),
    ) -> None:
        """
        @param trusted: reverse proxies; whoever connects is L{PEER}.
        """
        self.clock = NetworkReactor()
        self.is_told = True
        self.grants = Grants(self.clock)
        self.cookies = Cookies(b"k" * 32, base_path)
        self.relay = Relay(self.clock, embeddable(origins))
        self.resource = ProxyResource(
            self.clock,
            self.grants,
            self.cookies,
            self.relay,
            HostRule(hosts),
            OriginRule(origins),
            lambda: self.is_told,
        )
        outside = Outside(trusted, base_path=base_path, hosts=HostRule(hosts))
        self.wire = Wire(self.resource, self.clock, outside)
        self.backends: list[Backend] = []

    def backend(self, *answers: bytes, port: int = PORT) -> None:
        """
        Let a L{Backend} with those answers take each connection.
        """

        def connected() -> Backend:
            self.backends.append(Backend(answers))
            return self.backends[-1]

        self.clock.serve(HOST, port, connected)

    def cookie(self, name: str = NAME) -> str:
        """
        @return: what a browser sends back after the exchange.
        """
        return self.cookies.make(name, secure=False).partition(";")[0]

    def ask(
        self,
        method: str,
        target: str,
        headers: Mapping[str, str] | None = None,
        body: bytes = b"",
    ) -> Answer:
        """
        Ask for something, and wait for the answer, a few seconds if need be.
        """
        said = {"Host": "127.0.0.1", "Connection": "close", **(headers or {})}
        if body:
            said["Content-Length"] = str(len(body))
        lines = [f"{method} {target} HTTP/1.1", *(f"{k}: {v}" for k, v in said.items()), "", ""]
        browser = self.browser("\r\n".join(lines).encode("utf-8") + body)
        if not browser.lost:
            self.clock.pass_time(5.0, 0.1)
        return answer_in(browser.heard)

    def ask_console(
        self, path: str = "", method: str = "GET", body: bytes = b"", **headers: str
    ) -> Answer:
        """
        Ask below the console's own path, with its cookie.
        """
        said = {"Cookie": self.cookie(), **headers}
        return self.ask(method, f"/console/{NAME}/{path}", said, body)

    def browser(self, words: bytes = b"", room: int = 1 << 16) -> Browser:
        """
        A client that says C{words} once it is connected.
        """
        browser = Browser()
        self.wire.connect(browser, room)
        browser.say(words)
        self.clock.flush()
        return browser

    def socket(
        self,
        target: str = f"/console/{NAME}/ws",
        protocols: Iterable[str] = (),
        room: int = 1 << 16,
        **headers: str,
    ) -> SocketClient:
        """
        A WebSocket client, with the console's cookie unless told otherwise.
        """
        headers.setdefault("Cookie", self.cookie())
        client = SocketClient(target, headers, list(protocols))
        self.wire.connect(client, room)
        return client
