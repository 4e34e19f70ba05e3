"""
C{make demo}: a tiny guest's prompt in a browser.

Brings up a private libvirtd, C{ajaxconsole up} over it, and a guest; asks the
API for the guest's console, and prints the URL.  The guest is started after
the rest and its console opened at once, so that the page shows it boot.

However this ends, by Ctrl-C (once, twice, early or late), by a signal, or because a
part of it died, nothing of it is left: everything runs under a L{demo.keeper}.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import shutil
import signal
import socket
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NoReturn

from demo.guest import CACHE, PASSWORD, USER, Guest, GuestFailed, build
from demo.keeper import Keeper, KeeperFailed, alive
from demo.libvirtd import LibvirtFailed, PrivateLibvirt

NAME = "demo"
PORTS = range(8080, 8100)
DAY = 24 * 60 * 60


class DemoFailed(Exception):
    """
    The message is for the user.
    """


class Demo:
    """
    What runs, and in which order it ends.
    """

    TIMEOUT = 60.0

    def __init__(self) -> None:
        self._libvirt = PrivateLibvirt()
        self._keeper: Keeper | None = None
        self._console = 0
        self._api = ""

    def run(self) -> NoReturn:
        """
        Bring everything up, say where it is, and watch over it.
        """
        say("Getting the guest ready (the first time, its kernel is downloaded: 27 MB)")
        build()
        say("Starting a private libvirtd")
        self._libvirt.start()
        guest = Guest(self._libvirt, NAME)
        guest.define()
        say("Starting the console")
        with _alone():
            self._start_console()
            self._wait_for(guest, "SHUTOFF")
        say("Starting the guest")
        guest.start()
        self._wait_for(guest, "ACTIVE")
        url = self._open_console(guest)
        say(f"\n    {url}\n")
        say(f"Open this in a browser and log in as {USER}, password {PASSWORD}. Ctrl-C ends it.")
        while True:
            time.sleep(0.5)
            self._check()

    def end(self) -> None:
        """
        The console first, so that nothing is lost under its feet.
        """
        try:
            if self._keeper is not None:
                self._keeper.end()
        finally:
            self._libvirt.stop()

    def _start_console(self) -> None:
        port = _free_port()
        self._api = f"http://127.0.0.1:{port}/v2.1"
        self._keeper = Keeper("ajaxconsole-demo-")
        self._console = self._keeper.run(
            [
                *(str(Path(sys.executable).with_name("ajaxconsole")), "up"),
                *("--listen", f"tcp:{port}:interface=127.0.0.1"),
                *("--auth", "none"),
                *("--connect", self._libvirt.uri),
                # Its own, for there may be another demo, or an agent of this host's.
                *("--run", str(self._keeper.directory / "run")),
                *("--idle-timeout", str(DAY)),
                *("--token-ttl", str(DAY)),
            ]
        )

    def _check(self) -> None:
        if self._keeper is not None and not alive(self._console):
            raise DemoFailed(f"The console has ended. Its last words:\n{self._keeper.log_tail()}")
        if self._libvirt.pid is None or not alive(self._libvirt.pid):
            raise DemoFailed(f"libvirtd has ended. Its last words:\n{self._libvirt.log_tail()}")

    def _wait_for(self, guest: Guest, status: str) -> None:
        deadline = time.monotonic() + self.TIMEOUT
        while True:
            self._check()
            try:
                listed = self._ask("/servers/detail")["servers"]
            except (OSError, ValueError) as failure:
                seen = f"The API at {self._api} does not answer ({failure})"
            else:
                if any(each["id"] == guest.uuid and each["status"] == status for each in listed):
                    return
                seen = f"The API at {self._api} lists {listed}"
            if time.monotonic() > deadline:
                assert self._keeper is not None
                raise DemoFailed(f"{seen}. The console's last words:\n{self._keeper.log_tail()}")
            time.sleep(0.05)

    def _open_console(self, guest: Guest) -> str:
        asked = {"remote_console": {"protocol": "serial", "type": "serial"}}
        try:
            answer = self._ask(f"/servers/{guest.uuid}/remote-consoles", asked)
        except urllib.error.HTTPError as refused:
            words = refused.read().decode(errors="replace")
            raise DemoFailed(f"The API refused a console, {refused}: {words}") from refused
        return str(answer["remote_console"]["url"])

    def _ask(self, path: str, body: Any = None) -> Any:
        asking = urllib.request.Request(
            self._api + path,
            data=None if body is None else json.dumps(body).encode(),
            headers={
                "Accept": "application/json",
                "Content-Type": "application/json",
                "OpenStack-API-Version": "compute 2.8",
            },
        )
        # No proxy of the environment's: this is our own loopback.
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        with opener.open(asking, timeout=10) as answer:
            return json.load(answer)


def main() -> int:
    if os.geteuid() != 0:
        sys.stderr.write("Only root may run the demo's own libvirtd: sudo make demo\n")
        return 1
    missing = [each for each in ("libvirtd", "virsh", "unshare") if shutil.which(each) is None]
    if missing:
        sys.stderr.write(f"Not installed: {', '.join(missing)}; make demo installs them.\n")
        return 1
    for each in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT):
        signal.signal(each, _interrupted)
    demo = Demo()
    try:
        demo.run()
    except KeyboardInterrupt:
        return 0
    except (DemoFailed, GuestFailed, KeeperFailed, LibvirtFailed) as failure:
        sys.stderr.write(f"{failure}\n")
        return 1
    finally:
        for each in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT):
            signal.signal(each, signal.SIG_IGN)
        say("\nEnding the guest, the console and libvirtd")
        demo.end()


def say(words: str) -> None:
    print(words, flush=True)


def _interrupted(_signal: int, _frame: object) -> NoReturn:
    # Only the first counts: the end is under way, and its children need no hurry.
    for each in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT):
        signal.signal(each, signal.SIG_IGN)
    raise KeyboardInterrupt


@contextlib.contextmanager
def _alone() -> Iterator[None]:
    """
    One demo at a time looks for a free port, and until it has it.
    """
    lock = os.open(CACHE, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
    finally:
        os.close(lock)


def _free_port() -> int:
    for port in PORTS:
        with socket.socket() as trying:
            # As a server would: a connection that lingers is no obstacle.
            trying.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                trying.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
    raise DemoFailed(f"All ports from {PORTS[0]} to {PORTS[-1]} of 127.0.0.1 are taken.")


if __name__ == "__main__":
    sys.exit(main())
