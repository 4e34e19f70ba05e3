"""
A console in use, while strangers throw at its proxy what they can.
"""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
import time
from pathlib import Path

from websockets.sync.client import ClientConnection, connect

from tests.real.light import SECRET, token
from tests.real.parts import ROOT, free_port, until
from tests.real.storm import HALF_OPEN, SLOW
from tests.real.test_proxy_kills import Lightweight

STORMS = ("loris", "tokens", "heads", "bodies", "frames")
SECONDS = 6.0
MOST_GROWTH = 400 << 20
"""Bytes; ten thousand connections are a part of it."""


class StormTests(Lightweight):
    """
    Everything from the address of the one who is typing.
    """

    def setUp(self) -> None:
        super().setUp()
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        if hard < HALF_OPEN + 5000:
            self.skipTest(f"only {hard} descriptors are allowed")
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
        self.addCleanup(resource.setrlimit, resource.RLIMIT_NOFILE, (soft, hard))

    def rage(self, kind: str, port: int) -> subprocess.Popen[str]:
        storm = subprocess.Popen(
            [sys.executable, "-m", "tests.real.storm", kind, str(port), token(1)],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

        def end() -> None:
            storm.kill()
            storm.communicate()

        self.addCleanup(end)
        return storm

    def type_for(self, viewer: ClientConnection, seconds: float) -> list[float]:
        """
        Type, and see each key's echo before the next.

        @return: how long each took, in seconds, in order of length.
        """
        times, end = [], time.monotonic() + seconds
        number = 0
        while time.monotonic() < end:
            key = bytes([33 + number % 90])
            number += 1
            began = time.monotonic()
            viewer.send(key)
            self.assertEqual(viewer.recv(60), key)
            times.append(time.monotonic() - began)
            time.sleep(0.01)
        return sorted(times)

    def test_all_at_once(self) -> None:
        """
        Ten thousand silent connections, requests that come a byte at a time, wrong tokens by the
        thousand, heads, bodies and frames that never end: no key is lost, the proxy stays small,
        and lets in who has a link.
        """
        self.open_consoles(3, "echo")
        port = free_port()
        proxy = self.open_proxy(port)
        viewer = self.viewer(port)
        beside = self.viewer_without(2)
        calm = self.type_for(viewer, 2.0)
        before = memory_of(proxy.pid)

        storms = {"half-open": self.rage("half-open", port)}
        until(lambda: len(os.listdir(f"/proc/{proxy.pid}/fd")) > HALF_OPEN, "all are half open")
        storms.update((kind, self.rage(kind, port)) for kind in STORMS)
        time.sleep(2)
        stormy = self.type_for(viewer, SECONDS)
        without = self.type_for(beside, SECONDS / 2)
        began = time.monotonic()
        self.type_for(self.viewer(port), 0.1)
        opening = time.monotonic() - began
        grown = memory_of(proxy.pid) - before
        accounts = {}
        for kind, storm in storms.items():
            assert storm.stdin is not None and storm.stdout is not None
            storm.stdin.write("\n")
            storm.stdin.flush()
            accounts[kind] = json.loads(storm.stdout.readline())

        facts = ", ".join(f"{kind} {account['done']}" for kind, account in accounts.items())
        sys.stdout.write(
            f"[p99 {p99(calm)} before, {p99(stormy)} in the storm "
            f"({p99(without)} without the proxy), another viewer in {opening:.1f} s, "
            f"{grown / 1e6:.0f} MB; {facts}; {accounts['tokens']['answers']}] "
        )
        self.assertLess(grown, MOST_GROWTH)
        self.assertEqual([each["failed"] for each in accounts.values()], [None] * len(storms))
        self.assertEqual(accounts["half-open"]["done"], HALF_OPEN)
        self.assertGreaterEqual(accounts["loris"]["done"], SLOW)
        self.assertGreater(accounts["tokens"]["done"], 1000)
        self.assertEqual(set(accounts["tokens"]["answers"]) - {"403", "404", "429"}, set())
        for kind in ("heads", "bodies", "frames"):
            self.assertGreater(accounts[kind]["done"], 10)
        self.assertIsNone(proxy.poll())

    def viewer_without(self, index: int) -> ClientConnection:
        """
        One that is at its console without a proxy, and so tells what the machine is like.
        """
        grants = json.loads((self.folder / "grants.json").read_text())
        viewer = connect(
            f"ws://127.0.0.1:{grants[index]['port']}/ws",
            additional_headers={"Authorization": f"Bearer {SECRET}"},
            subprotocols=["binary"],  # type: ignore[list-item]
            compression=None,
            ping_interval=None,
            proxy=None,
        )
        self.addCleanup(viewer.close)
        return viewer

    def viewer(self, port: int) -> ClientConnection:
        viewer = connect(
            f"ws://127.0.0.1:{port}/?token={token(0)}",
            subprotocols=["binary"],  # type: ignore[list-item]
            compression=None,
            ping_interval=None,
            open_timeout=60,
            proxy=None,
        )
        self.addCleanup(viewer.close)
        return viewer


def p99(times: list[float]) -> str:
    return f"{times[len(times) * 99 // 100] * 1e3:.1f} ms"


def memory_of(pid: int) -> int:
    """
    @return: bytes that it has to itself.
    """
    rollup = Path(f"/proc/{pid}/smaps_rollup").read_text()
    [line] = [line for line in rollup.splitlines() if line.startswith("Pss:")]
    return int(line.split()[1]) * 1024
