"""
Nothing lost, nothing twice, over real sockets: connections that break at any byte, viewers
that stall, long pastes, characters that are cut.
"""

from __future__ import annotations

import json
import os
import secrets
import sys
import threading
import time
from hashlib import sha256
from random import Random
from typing import Any

from websockets.sync.client import ClientConnection, connect

from tests.real.cutting import BusyGuest, CuttingRelay
from tests.real.guestterminal import GuestFixture
from tests.real.processes import PATIENCE
from tests.real.relentless import ByPolls, BySocket, Relentless

CUTS = 500
MiB = 1 << 20


class BrokenConnectionsTests(GuestFixture):
    def exact(self, kind: type[Relentless]) -> None:
        seed = int(os.environ.get("SEED", secrets.randbelow(1 << 32)))
        self.start("--title", "web1")
        self.grant(self.join("control.sock"), "s")
        guest = BusyGuest(self.join("tty.sock"), seed)
        relay = CuttingRelay(self.port, seed, CUTS)
        viewer = kind(relay.port, guest, seed)
        self.addCleanup(relay.stop)
        self.addCleanup(guest.stop)
        watching = threading.Thread(target=self.until_enough, args=(relay, guest), daemon=True)
        for thread in (relay, guest, watching):
            thread.start()
        begun = time.monotonic()

        try:
            viewer.run(100.0)
        finally:
            guest.enough.set()
        deadline = time.monotonic() + PATIENCE
        while guest.heard_length < viewer.length and time.monotonic() < deadline:
            time.sleep(0.01)
        time.sleep(0.1)  # for what should not come

        facts = (
            f"seed {seed}: {relay.cuts} connections broken of {viewer.connections}, "
            f"{guest.said_length} bytes seen, {viewer.length} typed, "
            f"{time.monotonic() - begun:.1f} s"
        )
        sys.stdout.write(f"[{facts}] ")
        self.assertGreaterEqual(relay.cuts, CUTS, facts)
        self.assertEqual(viewer.offset, guest.said_length, facts)
        self.assertEqual(viewer.seen.hexdigest(), guest.said.hexdigest(), facts)
        self.assertEqual(guest.heard_length, viewer.length, facts)
        self.assertEqual(viewer.typed.hexdigest(), guest.heard.hexdigest(), facts)

    def until_enough(self, relay: CuttingRelay, guest: BusyGuest) -> None:
        while relay.cuts < CUTS and not guest.enough.wait(0.01):
            pass
        guest.enough.set()

    def test_by_websocket(self) -> None:
        """
        500 times the connection breaks, in heads and frames too, with output and input under way:
        the viewer has seen each byte once, and each that it typed was typed once.
        """
        self.exact(BySocket)

    def test_by_long_poll(self) -> None:
        """
        The same without a WebSocket.
        """
        self.exact(ByPolls)


class ViewerTests(GuestFixture):
    def setUp(self) -> None:
        super().setUp()
        self.process = self.start()
        self.grant(self.join("control.sock"), "s")
        self.socat = self.join("tty.sock")

    def viewer(self, subprotocol: str) -> ClientConnection:
        viewer = connect(
            f"ws://127.0.0.1:{self.port}/ws",
            additional_headers={"Authorization": "Bearer s"},
            subprotocols=[subprotocol],  # type: ignore[list-item]
            compression=None,
            ping_interval=None,
            max_size=None,
            max_queue=1,
            proxy=None,
        )
        self.addCleanup(viewer.close)
        return viewer

    def attached(self) -> ClientConnection:
        viewer = self.viewer("ajaxterm.v1")
        viewer.send('{"do": "attach"}')
        self.assertEqual(json.loads(viewer.recv(PATIENCE))["event"], "hello")
        return viewer

    def guest_says(self, said: bytes, most: int = 65536) -> threading.Thread:
        def say() -> None:
            for at in range(0, len(said), most):
                self.socat.sendall(said[at : at + most])

        saying = threading.Thread(target=say, daemon=True)
        saying.start()
        return saying

    def test_characters_are_whole(self) -> None:
        """
        2 MiB of random characters, of one byte to four, arrive exact at a client of C{binary}
        that decodes each frame by itself.
        """
        random = Random(7)
        kinds = ((0x20, 0x7F), (0xA0, 0x800), (0x800, 0xD800), (0x10000, 0x110000))
        said, length = [], 0
        while length < 2 * MiB:
            character = chr(random.randrange(*random.choice(kinds)))
            said.append(character)
            length += len(character.encode())
        text = "".join(said)
        viewer = self.viewer("binary")
        time.sleep(0.2)  # it has no event that says that it is there

        self.guest_says(text.encode(), most=65521)
        seen: list[str] = []
        left = length
        while left > 0:
            frame = viewer.recv(PATIENCE)
            assert isinstance(frame, bytes)
            seen.append(frame.decode("utf-8"))
            left -= len(frame)

        self.assertGreater(len(seen), 10)
        self.assertEqual("".join(seen), text)

    def test_paste(self) -> None:
        """
        1 MiB pasted, in one message or in fragments, by C{ajaxterm.v1} and by C{binary}, in binary
        and in text, arrives whole and in order at a guest that takes it slowly.
        """
        paste = bytes(Random(1).choices(b"abcdefghijklmnopqrstuvwxyz\r", k=MiB))
        pieces = [paste[at : at + 10_007] for at in range(0, MiB, 10_007)]
        ways: list[tuple[str, Any]] = [
            ("ajaxterm.v1", paste),
            ("ajaxterm.v1", pieces),
            ("binary", paste),
            ("binary", paste.decode()),
            ("binary", [piece.decode() for piece in pieces]),
        ]
        for subprotocol, message in ways:
            viewer = self.attached() if subprotocol == "ajaxterm.v1" else self.viewer(subprotocol)
            sending = threading.Thread(target=viewer.send, args=(message,), daemon=True)
            sending.start()

            typed = b""
            self.socat.settimeout(PATIENCE)
            while len(typed) < MiB:
                typed += self.socat.recv(4096)

            self.assertEqual(sha256(typed).digest(), sha256(paste).digest())
            sending.join(PATIENCE)
            viewer.close()

    def test_stalled_viewer(self) -> None:
        """
        A viewer that reads nothing: what the scrollback holds it gets when it reads again; beyond
        that it is told, to the byte, how much is gone. It costs less than 2 MB, and another
        viewer sees everything meanwhile.
        """
        said = b"".join(number.to_bytes(4, "big") for number in range(6 * MiB))
        other = self.attached()
        self.talk(other, 0, 4 * MiB, said)
        stalled = self.attached()
        time.sleep(0.5)
        before = self.process.memory()

        self.talk(other, 4 * MiB, len(said), said)
        grown = self.process.memory() - before
        missed = self.read(stalled, 3 * MiB, len(said), said)

        sys.stdout.write(f"[{grown / 1e6:.2f} MB grown, {missed} bytes told gone] ")
        self.assertLess(grown, 2_000_000)
        self.assertGreater(missed, 0)

    def test_stall_within_the_scrollback(self) -> None:
        """
        A viewer that stalls while less is said than the scrollback holds misses nothing.
        """
        said = b"".join(number.to_bytes(4, "big") for number in range(MiB // 4))
        stalled = self.attached()
        self.guest_says(said).join(PATIENCE)
        time.sleep(1)

        self.assertEqual(self.read(stalled, 0, len(said), said), 0)

    def talk(self, viewer: ClientConnection, offset: int, end: int, said: bytes) -> None:
        """
        The guest says this, not too far ahead of a viewer that sees all of it.
        """
        while offset < end:
            self.socat.sendall(said[offset : offset + 256 * 1024])
            offset, before = min(end, offset + 256 * 1024), offset
            self.assertEqual(self.read(viewer, before, offset, said), 0)

    def read(self, viewer: ClientConnection, offset: int, end: int, said: bytes) -> int:
        """
        Read up to C{end}, and compare.

        @return: how many bytes were told to be gone.
        """
        missed = 0
        while offset < end:
            message = viewer.recv(PATIENCE)
            if isinstance(message, bytes):
                self.assertTrue(message == said[offset : offset + len(message)], offset)
                offset += len(message)
            elif (event := json.loads(message))["event"] == "gap":
                self.assertEqual(event["offset"], offset + event["missed"])
                missed += event["missed"]
                offset = event["offset"]
        return missed
