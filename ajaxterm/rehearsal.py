"""
A terminal that is served once, to ourselves, before any is forked.

What only the first of everything costs (classes looked up, code specialised,
caches filled) then lies in pages that all children share.  It has a reactor of its
own, which is not L{twisted.internet.reactor}, and is gone when it returns.
"""

from __future__ import annotations

import base64
import json
import os
import signal
import socket
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from types import CodeType, FrameType
from typing import Any

from twisted.internet.epollreactor import EPollReactor

from ajaxterm.frames import PLAIN, V1
from ajaxterm.grants import digest_of
from ajaxterm.serve import Terminal
from ajaxterm.viewer import End

TURNS = 8
"""Of the reactor, which are enough for anything we ask; nothing here waits for time."""

PATIENCE = 1.0
"""Seconds for a connection to ourselves, which some firewalls would have take minutes."""

KEYS = 20
"""Typed in each session: what runs that often is specialised."""

Turn = Callable[[socket.socket | None], None]

Serve = Callable[[Any, socket.socket, socket.socket, socket.socket], Terminal]
"""Takes the reactor and the sockets for viewers, line and agent; all listen."""


def rehearse(serve: Serve) -> None:
    """
    @raise OSError: there is no loopback here, for example.
    """
    with ExitStack() as stack:
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGCHLD):
            stack.callback(signal.signal, number, signal.getsignal(number))
        stack.callback(signal.set_wakeup_fd, -1)
        reactor = EPollReactor()
        stack.enter_context(_quiet())
        stack.callback(_leave, reactor)
        _play(reactor, serve, stack)


def watch(serve: Serve) -> set[CodeType]:
    """
    Rehearse, slower, and with nothing specialised by it.

    @return: the code that ran.
    @raise OSError: there is no loopback here, for example.
    """
    ran: set[CodeType] = set()

    def called(frame: FrameType, event: str, _: object) -> None:
        if event == "call":
            ran.add(frame.f_code)

    sys.setprofile(called)
    try:
        rehearse(serve)
    finally:
        sys.setprofile(None)
    return ran


def _play(reactor: Any, serve: Serve, stack: ExitStack) -> None:
    stage, doors = listening()
    terminal = serve(reactor, *stage)
    reactor.startRunning()

    def turn(one: socket.socket | None = None) -> None:
        for _ in range(TURNS):
            reactor.iterate(0)
        hear(one)

    act(doors, turn, stack)
    terminal.session.finish(End("leaving", "The rehearsal is over.", 1001))
    turn()


def listening() -> tuple[list[socket.socket], list[Any]]:
    """
    @return: what a terminal listens on (for viewers, its line and its agent), and where
        each of them is.
    """
    sockets = []
    for family, where in (
        (socket.AF_INET, ("127.0.0.1", 0)),
        (socket.AF_UNIX, ""),  # in the abstract namespace, named by the kernel
        (socket.AF_UNIX, ""),
    ):
        one = socket.socket(family)
        one.bind(where)
        one.listen()
        one.setblocking(False)
        sockets.append(one)
    return sockets, [each.getsockname() for each in sockets]


def act(doors: Sequence[Any], turn: Turn, stack: ExitStack) -> None:
    """
    Be a terminal's line, agent and viewers.

    @param doors: where these are met, viewers first.
    @param turn: lets the terminal go on, until it has said something on what is given.
    @raise OSError: it does not.
    """

    def connected(family: int, where: Any) -> socket.socket:
        one = stack.enter_context(socket.socket(family))
        one.settimeout(PATIENCE)
        one.connect(where)
        return one

    line, agent = (connected(socket.AF_UNIX, where) for where in doors[1:])
    secret = base64.urlsafe_b64encode(os.urandom(32)).decode("ascii")
    words = {"grant": "rehearsal", "mode": "rw", "user": "rehearsal", "lifetime": 60.0}
    order = {"do": "grant", "digest": digest_of(secret), **words}
    agent.sendall(json.dumps(order).encode("ascii") + b"\n")
    turn(agent)
    for subprotocol in (PLAIN, V1):
        with connected(socket.AF_INET, doors[0]) as viewer:
            viewer.sendall(_hello(secret, subprotocol))
            turn(viewer)
            if subprotocol == V1:
                viewer.sendall(_frame(0x81, b'{"do":"attach"}'))
                turn(viewer)
            for _ in range(KEYS):
                viewer.sendall(_frame(0x82, b"k"))
                turn(line)
                line.sendall(b"k")
                turn(viewer)
        turn(agent)


def _hello(secret: str, subprotocol: str) -> bytes:
    """As a proxy asks."""
    return (
        "GET /ws?replay=1 HTTP/1.1\r\nHost: rehearsal\r\n"
        "Connection: Upgrade\r\nUpgrade: websocket\r\n"
        "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: cmVoZWFyc2FsIG9mIDE2Yg==\r\n"
        f"Sec-WebSocket-Protocol: {subprotocol}\r\n"
        f"Authorization: Bearer {secret}\r\nX-Ajaxterm-Through: rehearsal\r\n\r\n"
    ).encode("ascii")


def _frame(first: int, words: bytes) -> bytes:
    """As a browser does, with a mask that changes nothing (RFC 6455, 5.2)."""
    return bytes([first, 0x80 | len(words)]) + bytes(4) + words


def hear(one: socket.socket | None) -> None:
    """
    Read what has come, or comes within L{PATIENCE}; nothing of C{None}.

    @raise OSError: nothing does.
    """
    if one is not None and not one.recv(1 << 16):
        raise OSError("the rehearsal was cut short")


@contextmanager
def _quiet() -> Iterator[None]:
    """What is logged meanwhile is nobody's business, but the logging is rehearsed too."""
    sys.stderr.flush()
    kept = os.dup(2)
    try:
        with open(os.devnull, "wb") as nowhere:
            os.dup2(nowhere.fileno(), 2)
        yield
        sys.stderr.flush()
    finally:
        os.dup2(kept, 2)
        os.close(kept)


def _leave(reactor: Any) -> None:
    reactor.disconnectAll()
    for each in reactor._internalReaders:  # its pipes for signals; no public name is known
        each.connectionLost(None)
