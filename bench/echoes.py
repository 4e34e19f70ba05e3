"""
A backend for the benchmarks of proxies: it does as little as can be, so that what is measured
is what is in front of it.

    python -m bench.echoes PORT

A request for a WebSocket is answered; then each byte that comes is sent back, and C{!LENGTH}
and a newline bring that many bytes.  There are no frames, since no proxy looks at them.  Any other
request is answered with L{PAGE}.
"""

from __future__ import annotations

import socket
import sys
from select import EPOLLIN, EPOLLOUT, epoll

PAGE = b"<!doctype html><title>A page</title>" + b"<p>It says little.</p>" * 100
SWITCHED = (
    b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Accept: c2VlIGJlbmNoL2VjaG9lcw==\r\n\r\n"
)
ANSWER = (
    b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: %d\r\n"
    b"Cache-Control: no-store\r\n\r\n%s" % (len(PAGE), PAGE)
)
_TEXT = memoryview(b"What the guest says.\r\n" * (1 << 14))[: 1 << 18]


class Connection:
    """
    @ivar owed: bytes that are still to be said.
    """

    def __init__(self, end: socket.socket) -> None:
        self.end = end
        self.owed = 0
        self._head = b""
        self._switched = False

    def heard(self, words: bytes) -> None:
        if self._switched and words.startswith(b"!"):
            self.owed += int(words[1:])
        elif self._switched:
            self.end.send(words)
        else:
            self._head += words
            while b"\r\n\r\n" in self._head:
                head, _, self._head = self._head.partition(b"\r\n\r\n")
                self._switched = b"upgrade: websocket" in head.lower()
                self.end.send(SWITCHED if self._switched else ANSWER)

    def say(self) -> None:
        self.owed -= self.end.send(_TEXT[: self.owed])


def main(port: str) -> None:
    listening = socket.create_server(("127.0.0.1", int(port)), backlog=4096)
    connections: dict[int, Connection] = {}
    poll = epoll()
    poll.register(listening, EPOLLIN)
    while True:
        for number, events in poll.poll():
            if number == listening.fileno():
                end, _ = listening.accept()
                end.setblocking(False)
                end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                connections[end.fileno()] = Connection(end)
                poll.register(end, EPOLLIN)
                continue
            connection = connections[number]
            try:
                if events & EPOLLIN:
                    words = connection.end.recv(65536)
                    if not words:
                        raise ConnectionResetError()
                    connection.heard(words)
                if connection.owed:
                    connection.say()
                poll.modify(number, EPOLLIN | (EPOLLOUT if connection.owed else 0))
            except BlockingIOError:
                pass
            except OSError:
                poll.unregister(number)
                connections.pop(number).end.close()


if __name__ == "__main__":
    main(*sys.argv[1:])
