"""
TLS with a certificate that is read again on SIGHUP, as programs that renew
certificates expect.

Connections that are open keep the one that they began with; whoever connects from then on gets the
new one.  A certificate that can't be used is a line in the log, and the old one stays.
"""

from __future__ import annotations

import signal
from typing import Any

from twisted.application.service import Service
from twisted.internet.defer import Deferred, maybeDeferred
from twisted.internet.endpoints import serverFromString
from twisted.internet.interfaces import IOpenSSLContextFactory, IProtocolFactory, IReactorSSL
from twisted.logger import Logger
from zope.interface import implementer


@implementer(IReactorSSL)
class _Asked:
    """
    A reactor that only hears where an endpoint would listen, and with what certificate; so the
    whole syntax of C{ssl:} stays Twisted's.
    """

    words: dict[str, Any]

    def listenSSL(
        self,
        port: int,
        factory: Any,
        contextFactory: Any,
        backlog: int = 50,
        interface: str = "",
    ) -> Any:
        self.words = {
            "port": port,
            "contextFactory": contextFactory,
            "backlog": backlog,
            "interface": interface,
        }

    def connectSSL(
        self,
        host: str,
        port: int,
        factory: Any,
        contextFactory: Any,
        timeout: float = 30,
        bindAddress: Any = None,
    ) -> Any:
        raise NotImplementedError()


@implementer(IOpenSSLContextFactory)
class RenewedListening(Service):
    """
    Serves a site at an C{ssl:} endpoint.
    """

    _log = Logger()

    def __init__(self, reactor: Any, endpoint: str, site: IProtocolFactory) -> None:
        """
        @raise Exception: of any kind: the endpoint is none, or its files can't be used.
        """
        self._reactor = reactor
        self._endpoint = endpoint
        self._site = site
        self._where = self._read()
        self._port: Any = None
        self._before: Any = None

    def getContext(self) -> Any:
        """Called by Twisted for each connection."""
        return self._where["contextFactory"].getContext()

    def privilegedStartService(self) -> None:
        # Here, as strports does it: a port that is taken ends the start.
        where = {**self._where, "contextFactory": self}
        self._port = self._reactor.listenSSL(factory=self._site, **where)
        self._before = signal.signal(signal.SIGHUP, self._signalled)

    def startService(self) -> None:
        super().startService()
        if self._port is None:
            self.privilegedStartService()

    def stopService(self) -> Deferred[Any]:
        super().stopService()
        port, self._port = self._port, None
        if signal.getsignal(signal.SIGHUP) == self._signalled:
            signal.signal(signal.SIGHUP, self._before)
        return maybeDeferred(port.stopListening) if port is not None else maybeDeferred(int)

    def renew(self) -> None:
        """Read the certificate again."""
        try:
            self._where = self._read()
        except Exception as error:
            self._log.error(
                "The certificate of {endpoint} can't be used, so the one before stays: {error}",
                endpoint=self._endpoint,
                error=error,
            )
        else:
            self._log.info("The certificate of {endpoint} is read", endpoint=self._endpoint)

    def _read(self) -> dict[str, Any]:
        asked = _Asked()
        serverFromString(asked, self._endpoint).listen(self._site)
        where = asked.words
        # Files that do not belong together are found here rather than by who connects.
        where["contextFactory"].getContext().check_privatekey()
        return where

    def _signalled(self, number: int, frame: Any) -> None:
        self._reactor.callFromThread(self.renew)
        if callable(self._before):
            self._before(number, frame)
