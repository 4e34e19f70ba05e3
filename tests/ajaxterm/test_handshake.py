"""
Tests for the WebSocket's handshake: which one is answered how.
"""

from __future__ import annotations

from collections.abc import Mapping

from twisted.trial.unittest import SynchronousTestCase
from twisted.web.http_headers import Headers

from ajaxterm.frames import BadHandshake, handshake

GOOD = {
    "Upgrade": "websocket",
    "Connection": "Upgrade",
    "Sec-WebSocket-Version": "13",
    "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
}


def headers(changed: Mapping[str, str | list[str] | None]) -> Headers:
    """
    @return: those of a good handshake with some changed, repeated or left out.
    """
    made = Headers()
    for name, value in {**GOOD, **changed}.items():
        for one in [value] if isinstance(value, str) else value or []:
            made.addRawHeader(name, one)
    return made


class HandshakeTests(SynchronousTestCase):
    def test_answer(self) -> None:
        """
        The example of RFC 6455, 1.3, gets its answer.
        """
        head, subprotocol = handshake(headers({}))

        self.assertEqual(
            head,
            b"HTTP/1.1 101 Switching Protocols\r\n"
            b"Upgrade: websocket\r\n"
            b"Connection: Upgrade\r\n"
            b"Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n"
            b"\r\n",
        )
        self.assertIsNone(subprotocol)

    def test_subprotocols(self) -> None:
        """
        C{ajaxterm.v1} when offered, else C{binary} when offered, none when none was.
        """
        for offered, chosen in [
            (None, None),
            ("", None),
            ("ajaxterm.v1", "ajaxterm.v1"),
            ("binary", "binary"),
            ("binary, ajaxterm.v1", "ajaxterm.v1"),
            ("base64, binary", "binary"),
            (["base64", "binary"], "binary"),
            ("what.ever,ajaxterm.v1", "ajaxterm.v1"),
        ]:
            head, subprotocol = handshake(headers({"Sec-WebSocket-Protocol": offered}))

            self.assertEqual(subprotocol, chosen)
            said = b"Sec-WebSocket-Protocol: " + (chosen or "").encode() + b"\r\n"
            self.assertEqual(said in head, chosen is not None)

    def test_words_of_headers(self) -> None:
        """
        Upper case and further words do no harm: Firefox sends C{keep-alive, Upgrade}.
        """
        for changed in (
            {"Upgrade": "WebSocket"},
            {"Upgrade": "h2c, websocket"},
            {"Connection": "keep-alive, Upgrade"},
            {"Connection": ["keep-alive", "upgrade"]},
        ):
            handshake(headers(changed))

    def test_refusals(self) -> None:
        """
        Anything else is refused with a sentence.
        """
        for changed, words in [
            ({"Upgrade": None}, "Upgrade: websocket"),
            ({"Upgrade": "h2c"}, "Upgrade: websocket"),
            ({"Connection": None}, "Connection: Upgrade is missing"),
            ({"Connection": "close"}, "Connection: Upgrade is missing"),
            ({"Sec-WebSocket-Version": None}, "version 13"),
            ({"Sec-WebSocket-Version": "8"}, "version 13"),
            ({"Sec-WebSocket-Version": "13, 8"}, "version 13"),
            ({"Sec-WebSocket-Key": None}, "16 bytes"),
            ({"Sec-WebSocket-Key": ""}, "16 bytes"),
            ({"Sec-WebSocket-Key": "c2hvcnQ="}, "16 bytes"),
            ({"Sec-WebSocket-Key": "not base64!"}, "not base64"),
            ({"Sec-WebSocket-Key": "\xfcmlaut"}, "not base64"),
            ({"Sec-WebSocket-Key": [GOOD["Sec-WebSocket-Key"]] * 2}, "16 bytes"),
            ({"Sec-WebSocket-Protocol": "base64"}, "ajaxterm.v1 and binary"),
        ]:
            refusal = self.assertRaises(BadHandshake, handshake, headers(changed))
            self.assertIn(words, str(refusal))
