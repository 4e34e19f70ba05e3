"""
Anything, thrown at an ajaxterm by who has leave to be there: frames, JSON, polls; and by its
agent.
"""

from __future__ import annotations

import json
from typing import Any

from hypothesis import strategies as st
from twisted.web.http_headers import Headers

from ajaxterm.frames import V1, BadHandshake, handshake
from tests.ajaxterm.stage import Stage
from tests.fuzz.throwing import FuzzTestCase, json_like, mutated

KEYS = st.sampled_from(
    [
        *("do", "resume", "offset", "console", "sent", "rows", "columns", "to", "key", "n"),
        *("seen", "wait", "below"),
    ]
)
DEEDS = st.sampled_from(
    [
        *("attach", "ping", "size", "take_keyboard", "give_keyboard", "cancel_input", "stay"),
        *("break", "sysrq", "hello", ""),
    ]
)
anything = json_like(KEYS)


def _said(value: Any) -> bytes:
    return json.dumps(value).encode("utf-8", "surrogatepass")


wishes = st.one_of(
    anything.map(_said),
    st.builds(
        lambda deed, more: _said({**more, "do": deed}), DEEDS, st.dictionaries(KEYS, anything)
    ),
)
payloads = st.one_of(wishes, mutated(wishes), st.binary(max_size=200))


def _frame(first: int, masked: bool, payload: bytes, said: int | None) -> bytes:
    length = len(payload) if said is None else said
    mask = b"\0\0\0\0" if masked else b""
    bit = 0x80 if masked else 0
    if length < 126:
        return bytes((first, bit | length)) + mask + payload
    if length < 1 << 16:
        return bytes((first, bit | 126)) + length.to_bytes(2, "big") + mask + payload
    return bytes((first, bit | 127)) + length.to_bytes(8, "big") + mask + payload


good_frames = st.builds(
    lambda opcode, payload: _frame(0x80 | opcode, True, payload, None),
    st.sampled_from([1, 1, 1, 2, 9, 10, 8, 0]),
    payloads,
)
odd_frames = st.builds(
    _frame,
    st.integers(0, 255),
    st.sampled_from([True, True, True, False]),
    payloads,
    st.sampled_from([None, None, 0, 5, 125, 126, 127, 65535, 65536, 1 << 20, 1 << 40, 1 << 63]),
)
attach = _frame(0x81, True, b'{"do":"attach"}', None)
talks = st.lists(good_frames | good_frames | odd_frames, max_size=8).map(b"".join)


class TerminalFuzzTests(FuzzTestCase):
    """
    One ajaxterm takes all the examples of a test.
    """

    def setUp(self) -> None:
        self.stage = Stage(size=5000)
        self.stage.grant("s", lifetime=1e9)
        self.stage.grant("watch", mode="ro", lifetime=1e9)
        self.witness = self.stage.attached("watch")
        self.stage.clock.pass_time(120, 5)
        self.held = self.holds()

    def holds(self) -> tuple[int, ...]:
        clock, session = self.stage.clock, self.stage.session
        return len(clock.getDelayedCalls()), len(clock.getReaders()), len(session.viewers())

    def gone(self) -> None:
        """
        Who threw is gone; nothing is kept, and who watched all the time sees what is said now.
        """
        self.stage.clock.pass_time(120, 5)
        assert not self.witness.lost
        assert self.holds() == self.held, (self.holds(), self.held)
        self.stage.output(b"still here")
        assert self.witness.output.endswith(b"still here")
        del self.stage.line.sizes[:]

    def talk(self, words: bytes, protocol: str, attached: bool) -> None:
        client = self.stage.dial("s", protocol)
        client.transport.resumeProducing()
        if attached:
            client.send_raw(attach)
            self.stage.clock.flush()
        client.send_raw(words)
        self.stage.clock.flush()
        # Its own code, or what the client said, if that may be said (RFC 6455, 7.4).
        assert client.closed is None or 1000 <= client.closed < 1015 or client.closed >= 3000
        client.transport.loseConnection()
        self.gone()

    def test_frames(self) -> None:
        protocols = st.sampled_from([V1, V1, "binary", ""])
        words = talks | mutated(talks) | st.binary(max_size=100)
        self.throw(500, self.talk, words=words, protocol=protocols, attached=st.booleans())

    def test_polls(self) -> None:
        """
        Each is answered, with a status that docs/protocol.md knows.
        """
        keys = st.sampled_from(["", "x", "\xff", "KEY"])
        counts = st.sampled_from(["", "0", "-1", "5", "x", "9" * 40, "\xb2"])

        def check(path: str, body: bytes, key: str, at: str) -> None:
            first = self.stage.ask("POST", "/poll", "s", body=b'{"seen":0}')
            length = int.from_bytes(first.body[1:5], "big")
            resume = json.loads(first.body[5 : 5 + length])["resume"]
            headers = {"X-Ajaxterm-Resume": resume if key == "KEY" else key, "X-Ajaxterm-At": at}
            said = {"Authorization": "Bearer s", **headers}
            asking = self.stage.wire.begin_to_ask("POST", path, said, body)
            self.stage.clock.pass_time(30, 1)
            assert asking.answer is not None, "it is never answered"
            assert asking.answer.status in (200, 204, 400, 403, 404, 405, 409, 413), asking.answer
            self.gone()

        paths = st.sampled_from(["/poll", "/input", "/say", "/poll?x", "/log"])
        self.throw(200, check, path=paths, body=payloads, key=keys, at=counts)

    def test_handshakes(self) -> None:
        """
        It is answered, or refused in words.
        """
        names = st.sampled_from(
            [
                *("Upgrade", "Connection", "Sec-WebSocket-Version", "Sec-WebSocket-Key"),
                *("Sec-WebSocket-Protocol", "Sec-WebSocket-Extensions"),
            ]
        )
        values = st.binary(max_size=40) | st.sampled_from(
            [
                *(b"websocket", b"Upgrade", b"13", b"dGhlIHNhbXBsZSBub25jZQ==", b",", b"13, 8"),
                *(b"ajaxterm.v1", b"binary, ajaxterm.v1", b"\xff"),
            ]
        )

        def check(head: list[tuple[str, bytes]]) -> None:
            headers = Headers()
            for name, value in head:
                headers.addRawHeader(name, value)
            try:
                answer, _ = handshake(headers)
            except BadHandshake:
                return
            assert answer.startswith(b"HTTP/1.1 101 ") and answer.count(b"\r\n\r\n") == 1

        good = [
            ("Upgrade", b"websocket"),
            ("Connection", b"Upgrade"),
            ("Sec-WebSocket-Version", b"13"),
            ("Sec-WebSocket-Key", b"dGhlIHNhbXBsZSBub25jZQ=="),
        ]
        some = st.lists(st.tuples(names, values), max_size=6)
        self.throw(400, check, head=some | some.map(lambda more: good + more))
