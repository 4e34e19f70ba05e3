"""
Anything, thrown at the proxy: by clients, and by an ajaxterm that is none.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from hypothesis import strategies as st

from tests.consoleproxy.stage import NAME, SECRET, TOKEN, Stage, some_grant
from tests.fuzz.throwing import FuzzTestCase, mutated

GOOD = Stage().cookie().encode()
KEY = b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=="
UPGRADE = b"Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n" + KEY

methods = st.sampled_from([b"GET", b"HEAD", b"POST", b"OPTIONS", b"CONNECT", b"get", b"", b"\xff"])
pieces = st.sampled_from(
    [
        *(b"/", b"//", b"\\", b"..", b".", b"%2e%2e", b"%2F", b"%00", b"%", b"console", b"/ws"),
        *(b"/poll", b"/log", b"?", b"&", b"=", b";", b"#", b"token", b"replay=9", b"http://x/"),
        *(b"\xc3\xb6", b"\xff", b"*", NAME.encode(), TOKEN.encode(), b"A" * 43, b"A" * 3000),
        *(b"/?token=" + TOKEN.encode(), b"/console/" + NAME.encode() + b"/"),
    ]
)
targets = st.lists(pieces, max_size=8).map(b"".join)
versions = st.sampled_from([b"HTTP/1.1", b"HTTP/1.0", b"HTTP/2.0", b"HTTP/9", b"", b"x"])
lines = st.one_of(
    st.sampled_from(
        [
            *(b"Host: 127.0.0.1", b"Host: evil.example", b"Host: ", b"Host: [::1", b"Host: a, b"),
            *(b"Cookie: " + GOOD, b"Cookie: a=b; " + GOOD, b"Cookie: =;;=" + GOOD, b"Cookie: \xff"),
            *(b"Origin: null", b"Origin: http://127.0.0.1", b"Origin: x", b"Origin: http://[::1"),
            *(b"Content-Length: 3", b"Content-Length: -1", b"Content-Length: 9" + b"9" * 30),
            *(b"Transfer-Encoding: chunked", b"Transfer-Encoding: x", b"Expect: 100-continue"),
            *(b"Connection: close", b"Connection: keep-alive, Upgrade", b"Range: bytes=9-1"),
            *(b"X-Forwarded-For: 1.2.3.4, x", b"X-Forwarded-Proto: https", b"Forwarded: for=_x;;="),
            *(b" folded", b"no colon", b": nameless", b"A: " + b"x" * 20000, b"Upgrade: h2c"),
            *(b"Sec-WebSocket-Protocol: ajaxterm.v1", b"Sec-WebSocket-Protocol: \xff,,", UPGRADE),
        ]
    ),
    st.binary(max_size=60),
)
ends = st.sampled_from([b"\r\n", b"\r\n", b"\r\n", b"\n", b"\r", b"\x00"])


def _request(
    method: bytes, target: bytes, version: bytes, head: Sequence[bytes], end: bytes, body: bytes
) -> bytes:
    return end.join([method + b" " + target + b" " + version, *head, b"", b""]) + body


requests = st.builds(
    _request, methods, targets, versions, st.lists(lines, max_size=7), ends, st.binary(max_size=50)
)
attaching = st.lists(lines, max_size=4).map(
    lambda head: _request(
        b"GET",
        b"/console/%s/ws" % NAME.encode(),
        b"HTTP/1.1",
        [b"Host: 127.0.0.1", b"Cookie: " + GOOD, UPGRADE, *head],
        b"\r\n",
        b"",
    )
)
asking = st.sampled_from(
    [
        b"GET /console/%s/ HTTP/1.1\r\nHost: 127.0.0.1\r\nCookie: %s\r\n\r\n"
        % (NAME.encode(), GOOD),
        b"POST /console/%s/poll HTTP/1.1\r\nHost: 127.0.0.1\r\nCookie: %s\r\n"
        b"Content-Length: 2\r\n\r\n{}" % (NAME.encode(), GOOD),
    ]
)
answers = mutated(
    st.sampled_from(
        [
            b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok",
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n",
            b"HTTP/1.1 204 No Content\r\n\r\n",
            b"HTTP/1.1 304 Not Modified\r\nETag: x\r\n\r\n",
            b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\n\r\nuntil the end",
            b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            b"Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n\x81\x02hi",
            b"SSH-2.0-OpenSSH_9\r\n",
            b"",
        ]
    )
)


class ProxyFuzzTests(FuzzTestCase):
    """
    One proxy takes all the examples of a test, so what it keeps of them adds up.
    """

    def setUp(self) -> None:
        self.stage = Stage()
        self.stage.grants.authorize(some_grant())
        self.stage.backend(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
        self.stage.ask_console()
        self.stage.clock.pass_time(200, 5)
        self.held = self.holds()

    def holds(self) -> tuple[int, ...]:
        clock = self.stage.clock
        return (
            len(clock.getDelayedCalls()),
            len(clock.getReaders()),
            len(clock.getWriters()),
            len(self.stage.resource.connections),
            len(self.stage.grants),
        )

    def say(self, words: bytes, at: int = 0) -> bytes:
        """
        Say it in two pieces, wait for what comes of it, leave, and see that nothing is kept.
        """
        browser = self.stage.browser(words[:at])
        if not browser.lost:
            browser.say(words[at:])
        self.stage.clock.flush()
        self.stage.clock.pass_time(3, 0.5)
        browser.transport.loseConnection()
        self.stage.clock.pass_time(200, 20)
        assert browser.heard == b"" or re.match(rb"HTTP/1\.[01] [1-5][0-9][0-9] ", browser.heard)
        assert SECRET.encode() not in browser.heard
        assert b"Traceback" not in browser.heard
        assert self.holds() == self.held, (self.holds(), self.held)
        return browser.heard

    def test_bytes(self) -> None:
        self.throw(200, self.say, words=st.binary(max_size=300), at=st.integers(0, 50))

    def test_requests(self) -> None:
        self.throw(900, self.say, words=mutated(requests), at=st.integers(0, 300))

    def test_handshakes(self) -> None:
        """
        What reaches the ajaxterm has one head, with nothing in it of what a client made up.
        """
        self.stage.backend(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\r\n")

        def check(words: bytes) -> None:
            self.stage.backends.clear()
            self.say(words)
            for backend in self.stage.backends:
                head = backend.heard.partition(b"\r\n\r\n")[0]
                names = {line.partition(b":")[0] for line in head.split(b"\r\n")[1:]}
                assert not names & {b"Cookie", b"Origin", b"A", b"Range"}, head
                assert head.count(b"Authorization: ") == 1, head

        self.throw(300, check, words=mutated(attaching))

    def test_tokens(self) -> None:
        """
        Only the token opens.
        """

        def check(token: str) -> None:
            before = len(self.stage.clock.dialled)
            words = f"GET /?token={token} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"
            heard = self.say(words.encode("utf-8", "surrogatepass"))
            assert b"Set-Cookie" not in heard or token.startswith(TOKEN)
            assert len(self.stage.clock.dialled) == before

        near = st.sampled_from([TOKEN[:-1], TOKEN + "x", TOKEN.lower(), TOKEN + "&token=x"])
        self.throw(200, check, token=st.text(max_size=60) | near)

    def test_cookies(self) -> None:
        """
        Only the cookie that the proxy has signed opens, wherever it stands among others.
        """

        def check(cookie: bytes) -> None:
            before = len(self.stage.clock.dialled)
            cookie = cookie.replace(b"\r", b"").replace(b"\n", b"")
            line = b"GET /console/%s/ HTTP/1.1\r\nHost: 127.0.0.1\r\n" % NAME.encode()
            self.say(line + b"Cookie: " + cookie + b"\r\n\r\n")
            if GOOD not in cookie:
                assert len(self.stage.clock.dialled) == before, cookie

        self.throw(300, check, cookie=mutated(st.just(GOOD)) | st.binary(max_size=80))

    def test_backends(self) -> None:
        """
        Nor does an ajaxterm get anything into the proxy, or out of it.
        """

        def check(asked: bytes, said: bytes) -> None:
            self.stage.backend(said)
            self.say(asked)

        self.throw(500, check, asked=asking | attaching, said=answers | st.binary(max_size=100))
