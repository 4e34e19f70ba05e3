"""
Where a daemon listens, in words.  (Apart from L{groundwork.site}, of which each
terminal has a copy in its memory.)
"""

from __future__ import annotations

import os
import signal
import sys
from typing import Any

from twisted.application import strports
from twisted.application.service import MultiService, Service
from twisted.internet.defer import Deferred
from twisted.internet.error import CannotListenError
from twisted.logger import Logger
from twisted.web.server import Site

from groundwork.renewal import RenewedListening


class Listening(MultiService):
    """
    Listens at an endpoint.  Where it can't, the process ends with a sentence.  SIGHUP, which is
    sent to have certificates and logs opened anew, ends nothing, also if there is nothing to open.
    """

    _log = Logger()

    def __init__(self, reactor: Any, where: str, service: Service) -> None:
        """
        @param where: the option and what was given, for the sentences.
        """
        super().__init__()
        self._reactor = reactor
        self._where = where
        self._minds_hangups = False
        service.setServiceParent(self)

    def privilegedStartService(self) -> None:
        try:
            super().privilegedStartService()
        except CannotListenError as error:
            sys.exit(self._sentence(error))
        self._mind_hangups()

    def startService(self) -> None:
        try:
            super().startService()
        except CannotListenError as error:
            sys.exit(self._sentence(error))
        self._mind_hangups()

    def stopService(self) -> Deferred[Any]:
        if self._minds_hangups and signal.getsignal(signal.SIGHUP) == self._signalled:
            signal.signal(signal.SIGHUP, signal.SIG_DFL)
        self._minds_hangups = False
        stopped: Deferred[Any] = super().stopService()
        return stopped

    def _sentence(self, error: CannotListenError) -> str:
        why = getattr(error.socketError, "strerror", None) or error.socketError
        return f"{self._where}: {why}; name another endpoint, or end what listens there"

    def _mind_hangups(self) -> None:
        # Whoever minds them already does more, and nohup ignores them.  From a terminal it
        # means that the terminal is gone, and what was started there ends with it.
        if signal.getsignal(signal.SIGHUP) != signal.SIG_DFL or os.isatty(0):
            return
        try:
            signal.signal(signal.SIGHUP, self._signalled)
        except ValueError:
            return  # not in the main thread, so not as a daemon
        self._minds_hangups = True

    def _signalled(self, number: int, frame: Any) -> None:
        self._reactor.callFromThread(
            self._log.info, "SIGHUP: nothing is read again for {where}", where=self._where
        )


def listening(endpoint: str, site: Site, option: str = "--listen") -> Listening:
    """
    A service that serves C{site}.

    @param endpoint: as C{strports} takes it.
    @param option: where it was given.
    @raise ValueError: it is none, or what it names can't be used; a sentence.
    """
    from twisted.internet import reactor

    where = f"{option} {endpoint}"
    service: Service
    try:
        if endpoint.startswith("ssl:"):
            service = RenewedListening(reactor, endpoint, site)
        else:
            service = strports.service(endpoint, site)
    except Exception as error:
        # From the parsers of endpoints comes anything: OSError for a key that is not there,
        # OpenSSL's for one that is none, TypeError for a word that means nothing.
        raise ValueError(f"{where}: {error}") from None
    return Listening(reactor, where, service)
