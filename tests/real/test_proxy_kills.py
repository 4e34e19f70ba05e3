"""
A proxy that is killed under two hundred consoles, all of which talk.
"""

from __future__ import annotations

import json
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from tests.real.crowd import Crowd
from tests.real.light import grant
from tests.real.parts import ROOT, free_port, until

CONSOLES = 200
KILLS = 4


class Lightweight(SynchronousTestCase):
    """
    Consoles that are many and light, and proxies in front of them.
    """

    def setUp(self) -> None:
        folder = tempfile.TemporaryDirectory(prefix="ajaxconsole-light-")
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)

    def spawn(self, *words: str) -> subprocess.Popen[bytes]:
        with (self.folder / f"{words[0]}.log").open("ab") as log:
            process = subprocess.Popen(
                [sys.executable, "-m", "tests.real.light", *words],
                cwd=ROOT,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
            )

        def end() -> None:
            process.kill()
            process.wait()
            for pipe in (process.stdin, process.stdout):
                assert pipe is not None
                pipe.close()

        self.addCleanup(end)
        return process

    def open_consoles(self, count: int, how: str = "talk") -> subprocess.Popen[bytes]:
        process = self.spawn("terminals", str(count), how)
        assert process.stdout is not None
        ports = json.loads(process.stdout.readline())
        grants = [grant(index, port) for index, port in enumerate(ports)]
        (self.folder / "grants.json").write_text(json.dumps(grants))
        return process

    def open_proxy(self, port: int) -> subprocess.Popen[bytes]:
        proxy = self.spawn("proxy", str(port), str(self.folder))

        def listens() -> bool:
            assert proxy.poll() is None, (self.folder / "proxy.log").read_text()[-3000:]
            with socket.socket() as trying:
                return trying.connect_ex(("127.0.0.1", port)) == 0

        until(listens, "the proxy listens")
        return proxy


class KilledTests(Lightweight):
    def test_under_output(self) -> None:
        """
        Two proxies are killed in turn with -9 while every console talks and every viewer types: all
        go on at the other one or, when it is restarted, at the same; each has seen every
        byte of its guest once, and each that it typed was typed once.
        """
        consoles = self.open_consoles(CONSOLES)
        ports = [free_port(), free_port()]
        proxies = [self.open_proxy(port) for port in ports]
        crowd = Crowd(CONSOLES, ports)
        self.addCleanup(crowd.stop)
        crowd.start()
        until(lambda: all(each.port for each in crowd.watchers), "all are there")
        moved = 0
        for kill in range(KILLS):
            which = kill % 2
            at = [each.offset or 0 for each in crowd.watchers]
            time.sleep(0.7)
            moved += sum(each.port == ports[which] for each in crowd.watchers)
            proxies[which].kill()
            proxies[which].wait()
            until(
                lambda at=at: all(  # type: ignore[misc]
                    each.port and (each.offset or 0) > before
                    for each, before in zip(crowd.watchers, at, strict=True)
                ),
                "all go on",
            )
            proxies[which] = self.open_proxy(ports[which])
        # Now both at once, so that they come back to the very one that they were at.
        arrivals = [each.arrivals for each in crowd.watchers]
        for which, proxy in enumerate(proxies):
            proxy.kill()
            proxy.wait()
            proxies[which] = self.open_proxy(ports[which])
        until(
            lambda: all(
                each.port and each.arrivals > before
                for each, before in zip(crowd.watchers, arrivals, strict=True)
            ),
            "all are back",
        )

        crowd.types = False
        until(lambda: all(w.counted == w.length for w in crowd.watchers), "all is counted")
        assert consoles.stdin is not None and consoles.stdout is not None
        consoles.stdin.write(b"\n")
        consoles.stdin.flush()
        accounts = json.loads(consoles.stdout.readline())
        until(
            lambda: all(
                watcher.offset == account["said_length"]
                for watcher, account in zip(crowd.watchers, accounts, strict=True)
            ),
            "all is seen",
        )

        self.assertEqual(crowd.failures, [])
        for watcher, account in zip(crowd.watchers, accounts, strict=True):
            self.assertEqual(watcher.seen.hexdigest(), account["said"])
            self.assertEqual(watcher.typed.hexdigest(), account["heard"])
            self.assertEqual(watcher.length, account["heard_length"])
            self.assertGreater(account["said_length"], 10_000)
        self.assertGreaterEqual(moved, CONSOLES * KILLS // 2)
        total = sum(account["said_length"] for account in accounts)
        sys.stdout.write(f"[{moved} moved by {KILLS} kills, {total / 1e6:.0f} MB exact] ")
