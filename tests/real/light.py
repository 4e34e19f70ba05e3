"""
Many consoles in one process, and a proxy that knows them without a bus, as processes of a
test's own: what makes a proxy's life hard, without a host for each console.

    python -m tests.real.light terminals COUNT talk|echo
    python -m tests.real.light proxy PORT FOLDER

The first says the ports of its terminals in one line of JSON; their guests talk until it reads a
line, or only say what they hear; then it says what each said and heard in all.  The second has
C{FOLDER/grants.json}, a list as L{grant} makes, and the key for its cookies in that folder.
"""

from __future__ import annotations

import json
import sys
from hashlib import sha256
from pathlib import Path
from random import Random
from typing import Any

from twisted.internet.stdio import StandardIO
from twisted.internet.task import LoopingCall
from twisted.protocols.basic import LineOnlyReceiver

from ajaxterm.grants import Grant, Grants, digest_of
from ajaxterm.idleness import Limits
from ajaxterm.scrollback import Scrollback
from ajaxterm.session import Session
from ajaxterm.web import Page, ProxyDoor, TerminalResource
from consolebus.memory import MemoryBroker, MemoryBus
from consoleproxy.composing import make_proxy
from consoleproxy.tap import ProxyOptions
from groundwork.monotonic import MonotonicClock
from groundwork.site import BoundedSite

SECRET = "the-secret-of-every-console"
FOR_EVER = 1e6
EVERY = 0.1
"""Seconds from what a guest says to what it says next."""


def token(index: int) -> str:
    return f"t{index}".ljust(43, "x")


def grant(index: int, port: int) -> dict[str, object]:
    """
    @return: what an agent tells the proxies.
    """
    return {
        "grant": f"g{index:016x}",
        "console": f"c{index}",
        "digest": digest_of(token(index)),
        "host": "127.0.0.1",
        "port": port,
        "secret": SECRET,
        "mode": "rw",
        "user": "ann",
        "expires_in": FOR_EVER,
    }


class Guest:
    """
    One who talks all the time, and listens.
    """

    resizable = False

    def __init__(self, reactor: Any, index: int, echoes: bool) -> None:
        self._echoes = echoes
        self._random = Random(index)
        self._said, self._heard = sha256(), sha256()
        self.said_length = self.heard_length = 0
        grants = Grants(reactor)
        grants.add(digest_of(SECRET), Grant("g", "rw", "ann", FOR_EVER))
        self._session = Session(
            reactor,
            self,
            grants,
            Scrollback(1 << 20),
            f"guest {index}",
            Limits(idle=0.0),
            lambda _: None,
            lambda _: None,
        )
        page = Page({"index.html": b"<html>"})
        resource = TerminalResource(reactor, self._session, ProxyDoor(grants), page, "1")
        site = BoundedSite(resource, reactor)
        self.port: int = reactor.listenTCP(0, site, interface="127.0.0.1").getHost().port

    def write(self, keys: bytes) -> None:
        self._heard.update(keys)
        self.heard_length += len(keys)
        if self._echoes:
            self._say(keys)

    def forget(self) -> None:
        raise AssertionError("nothing was cancelled")

    def resize(self, rows: int, columns: int) -> None:
        raise AssertionError("it has no size")

    def talk(self) -> None:
        if not self._echoes:
            self._say(self._random.randbytes(self._random.randrange(1, 3000)))

    def _say(self, words: bytes) -> None:
        self._said.update(words)
        self.said_length += len(words)
        self._session.output(words)

    def account(self) -> dict[str, object]:
        return {
            "said": self._said.hexdigest(),
            "said_length": self.said_length,
            "heard": self._heard.hexdigest(),
            "heard_length": self.heard_length,
        }


class Ear(LineOnlyReceiver):
    delimiter = b"\n"

    def __init__(self, guests: list[Guest], talking: LoopingCall) -> None:
        self._guests = guests
        self._talking = talking

    def lineReceived(self, line: bytes) -> None:
        if self._talking.running:
            self._talking.stop()
        _print([guest.account() for guest in self._guests])


def _print(said: object) -> None:
    sys.stdout.write(json.dumps(said) + "\n")
    sys.stdout.flush()


def terminals(reactor: Any, count: str, how: str) -> None:
    guests = [Guest(reactor, index, how == "echo") for index in range(int(count))]

    def talk() -> None:
        for guest in guests:
            guest.talk()

    talking = LoopingCall(talk)
    talking.start(EVERY)
    StandardIO(Ear(guests, talking))
    _print([guest.port for guest in guests])


def proxy(reactor: Any, port: str, folder: str) -> None:
    clock = MonotonicClock(reactor)
    options = ProxyOptions()
    options.parseOptions(["--cookie-key", str(Path(folder) / "cookie-key")])
    service, resource = make_proxy(reactor, options, MemoryBus(MemoryBroker(clock), clock))
    service.startService()
    for words in json.loads((Path(folder) / "grants.json").read_text()):
        service.authorize_console(None, **words)  # type: ignore[arg-type]
    reactor.listenTCP(int(port), BoundedSite(resource, reactor), backlog=4096)


def main() -> None:
    from twisted.internet import reactor

    {"terminals": terminals, "proxy": proxy}[sys.argv[1]](reactor, *sys.argv[2:])
    reactor.run()  # type: ignore[attr-defined]


if __name__ == "__main__":
    main()
