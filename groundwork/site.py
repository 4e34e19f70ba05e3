"""
A web server with a limit on everything a client sends, and no access log.

C{twisted.web} bounds the head of a request (16 KiB, 500 headers) and the time
a silent connection lives, but takes a body of any length onto the disk, and
reads a form before anybody has asked for it.
"""

from __future__ import annotations

from typing import Any

from twisted.internet.interfaces import IReactorTime
from twisted.web.resource import IResource
from twisted.web.server import Request, Site

from groundwork.channel import BoundedChannel
from groundwork.outside import Outside

TOO_LARGE = (
    b"HTTP/1.1 413 Content Too Large\r\n"
    b"Content-Type: text/plain; charset=utf-8\r\n"
    b"Content-Length: 30\r\n"
    b"Connection: close\r\n"
    b"\r\n"
    b"The request body is too long.\n"
)


class BoundedRequest(Request):
    """
    A request that is refused with 413 as soon as its body is known to be
    longer than L{MOST}.

    @cvar MOST: bytes of body.
    """

    MOST = 1 << 20

    _received = 0
    _refused = False

    def __repr__(self) -> str:
        # Without the URI, which can open a console; twisted.web logs this.
        return f"<{self.__class__.__name__} at {id(self):#x}>"

    def gotLength(self, length: int | None) -> None:
        super().gotLength(0 if length is not None and length > self.MOST else length)
        if length is not None and length > self.MOST:
            self._refuse()

    def handleContentChunk(self, data: bytes) -> None:
        self._received += len(data)
        if self._received > self.MOST and not self._refused:
            self._refuse()
        if not self._refused:
            super().handleContentChunk(data)

    def requestReceived(self, command: bytes, path: bytes, version: bytes) -> None:
        if not self._refused:
            super().requestReceived(command, path, version)

    def process(self) -> None:
        channel: Any = self.channel
        channel.site.outside.restore(self)
        super().process()

    def _refuse(self) -> None:
        self._refused = True
        channel: Any = self.channel
        channel.persistent = 0
        channel.write(TOO_LARGE)
        channel.loseConnection()


class BoundedSite(Site):
    """
    The site of every daemon here.

    There is no access log: a URL of ours can open a console, and what is not
    written cannot leak (nova's CVE-2015-9543).  What deserves a line is logged
    where it is decided.
    """

    noisy = False
    # Its type says that it is private; HTTP/2, which that would choose, is not wanted.
    protocol: Any = BoundedChannel

    def __init__(
        self,
        root: IResource,
        clock: IReactorTime,
        timeout: float = 60.0,
        outside: Outside = Outside(),  # noqa: B008 (it never changes)
    ) -> None:
        """
        @param timeout: seconds a connection may be silent while we wait for a
            request or the rest of one.
        @param outside: who is believed about what a request was before it came here.
        """
        self.outside = outside
        # A form of 1 MiB keeps the reactor for 0.2 s, whoever sends it, and nobody here wants
        # one: EC2's requests are read where they are understood.
        super().__init__(
            root,
            requestFactory=BoundedRequest,
            timeout=timeout,
            reactor=clock,
            parsePOSTFormSubmission=False,
        )
        self.displayTracebacks = False

    def log(self, request: Any) -> None:
        pass
