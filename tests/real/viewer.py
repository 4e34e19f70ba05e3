"""
Clients that attach to a console as the page does.
"""

from __future__ import annotations

import contextlib
import json
import re
import time
from collections.abc import Callable
from typing import Any, TypeVar
from urllib.parse import urlsplit

import requests
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, connect

from demo.guest import PASSWORD, USER, Guest
from tests.real.known import known
from tests.real.parts import PATIENCE

T = TypeVar("T")


class Viewer:
    """
    A client that attaches by a URL as the page does.

    @ivar output: the bytes of the guest that it has seen.
    @ivar events: from JSON.
    @ivar closed: the close code, once it is.
    """

    def __init__(self, case: Any, url: str, resume: str | None = None) -> None:
        """
        @param resume: a key to try, which nobody gave us.
        """
        exchanged = exchange(url)
        assert exchanged.status_code == 303, f"{exchanged.status_code} {exchanged.text}"
        parts = urlsplit(url)
        place = f"{parts.netloc}/{exchanged.headers['Location']}"
        cookies = "; ".join(f"{c.name}={c.value}" for c in exchanged.cookies)
        for cookie in exchanged.cookies:
            known.add("cookie", str(cookie.value))
        self.place = f"http://{place}"
        self.headers = {"Cookie": cookies}
        self.output = b""
        self.events: list[dict[str, Any]] = []
        self.closed: int | None = None
        self.closing = ""
        case.addCleanup(self.close)
        self._attach(resume, None)

    def reconnect(self) -> None:
        """
        As the page does after its connection broke: it goes on where it was.
        """
        offset = self.first + len(self.output)
        self.closed = None
        self._attach(self.hello["resume"], offset)

    @property
    def first(self) -> int:
        """
        The offset of the first byte it saw.
        """
        first = next(event for event in self.events if event["event"] == "hello")
        return int(first["offset"])

    def _attach(self, resume: str | None, offset: int | None) -> None:
        parts = urlsplit(self.place)
        self._ws: ClientConnection = connect(
            f"ws://{parts.netloc}{parts.path}ws",
            additional_headers=self.headers,
            origin=f"http://{parts.netloc}",  # type: ignore[arg-type]
            subprotocols=["ajaxterm.v1"],  # type: ignore[list-item]
            compression=None,
            max_size=None,
            proxy=None,
            # Its answer would wait behind whatever a test does not read.
            ping_interval=None,
            open_timeout=PATIENCE,
        )
        greeted = self._greetings()
        self._ws.send(json.dumps({"do": "attach", "resume": resume, "offset": offset}))
        self.until(lambda: self._greetings() > greeted, "it is greeted")
        known.add("resume key", self.hello["resume"])

    def _greetings(self) -> int:
        return len(self.events_named("hello"))

    @property
    def hello(self) -> dict[str, Any]:
        hello = self.event("hello")
        assert hello is not None
        return hello

    @property
    def line(self) -> str:
        """
        The state of the guest's side, as it was told last.
        """
        return next(
            str(said["state"])
            for event in reversed(self.events)
            for said in (event if event["event"] == "line" else event.get("line"),)
            if said
        )

    def event(self, name: str) -> dict[str, Any] | None:
        """
        @return: the last one of that name.
        """
        return next((e for e in reversed(self.events) if e["event"] == name), None)

    def events_named(self, name: str) -> list[dict[str, Any]]:
        return [event for event in self.events if event["event"] == name]

    def type(self, keys: str) -> None:
        self._ws.send(keys.encode())

    def until(self, condition: Callable[[], T], what: str, patience: float = PATIENCE) -> T:
        deadline = time.monotonic() + patience
        while not (found := condition()):
            if time.monotonic() > deadline or self.closed is not None:
                raise AssertionError(
                    f"waited in vain until {what}; closed: {self.closed} {self.closing}, "
                    f"the end of what it saw: {self.output[-1000:]!r}"
                )
            self._take()
        return found

    def until_seen(self, words: str, after: int = 0) -> int:
        """
        @return: where in the output C{words} end.
        """
        wanted = words.encode()
        self.until(lambda: wanted in self.output[after:], f"it sees {words!r}")
        return self.output.index(wanted, after) + len(wanted)

    def until_closed(self) -> int:
        return self.until(lambda: self.closed or 0, "it is closed")

    def log_in(self, guest: Guest) -> None:
        """
        Wake the getty, and log in; leaves a prompt.
        """
        before = len(self.output)
        if b"login:" not in self.output:
            self.type("\r")
        at = self.until_seen("login:", 0 if b"login:" in self.output else before)
        self.type(f"{USER}\r")
        at = self.until_seen("Password:", at)
        self.type(f"{PASSWORD}\r")
        self.until_seen("# ", at)

    def close(self) -> None:
        with contextlib.suppress(Exception):
            self._ws.close()

    def _take(self) -> None:
        """
        Take one message, or wait for a moment.
        """
        try:
            message = self._ws.recv(timeout=0.1)
        except TimeoutError:
            return
        except ConnectionClosed as closed:
            self.closed = closed.rcvd.code if closed.rcvd is not None else 1006
            self.closing = str(closed)
            return
        if isinstance(message, bytes):
            self.output += message
        else:
            self.events.append(json.loads(message))


def exchange(url: str) -> requests.Response:
    """
    Show a URL's token, as a browser does first.
    """
    with requests.Session() as session:
        session.trust_env = False
        return session.get(url, allow_redirects=False, timeout=PATIENCE)


def token_of(url: str) -> str:
    match = re.search(r"[?&]token=([^&]+)", url)
    assert match is not None, url
    return known.add("token", match[1])
