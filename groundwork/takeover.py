"""
Taking a connection over from the web server, to speak something else on it.
"""

from __future__ import annotations

from typing import Any

from twisted.internet.interfaces import IProtocol
from twisted.web.server import Request


def take_over(request: Request, protocol: IProtocol) -> None:
    """
    Give the connection that C{request} came on to C{protocol}: bytes and the
    loss of the connection go there from now on, and the request is never
    finished.  Afterwards C{render_*} returns C{NOT_DONE_YET}.

    The channel is its transport's producer and a request's idle timer is off
    while it is answered, so after C{unregisterProducer} nothing of the web
    server holds on to the connection.  (Public attributes only; tried with
    Twisted 26.10, plain and TLS.)
    """
    transport: Any = request.channel.transport
    transport.unregisterProducer()
    if hasattr(transport, "wrappedProtocol"):  # TLS; its module takes 6 MB
        transport.wrappedProtocol = protocol
    else:
        transport.protocol = protocol
    # Before the protocol knows of it, since that may pause it again.
    transport.resumeProducing()
    protocol.makeConnection(transport)
