"""
A real ajaxterm as a backend for the benchmarks of proxies: of a guest that never says anything.

    python -m bench.terminal PORT

It lets in whoever shows L{SECRET}.
"""

from __future__ import annotations

import socket
import sys

from ajaxterm.grants import Grant, digest_of
from ajaxterm.idleness import Limits
from ajaxterm.serve import Terms, serve_guest
from ajaxterm.web import Page, ProxyDoor
from bench.fronts import SECRET

FOR_EVER = 1e6


def main(port: str) -> None:
    from twisted.internet import reactor

    # Nobody joins its line or gives it orders, so these have no name.
    http, tty, control = (socket.socket(kind) for kind in (socket.AF_INET, *[socket.AF_UNIX] * 2))
    http.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    http.bind(("127.0.0.1", int(port)))
    for each in (http, tty, control):
        if each is not http:
            each.bind("")
        each.listen(1024)
        each.setblocking(False)
    terms = Terms("bench", Limits(FOR_EVER), 1 << 20)
    terminal = serve_guest(reactor, terms, Page.load(), ProxyDoor, http, tty, control, lambda: None)
    terminal.grants.add(digest_of(SECRET), Grant("bench", "rw", "bench", FOR_EVER))
    reactor.run()  # type: ignore[attr-defined]


if __name__ == "__main__":
    main(*sys.argv[1:])
