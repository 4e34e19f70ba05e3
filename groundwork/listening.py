"""
Where a daemon listens, in words.  (Apart from L{groundwork.site}, of which each
terminal has a copy in its memory.)
"""

from __future__ import annotations

from twisted.application import strports
from twisted.application.service import Service
from twisted.web.server import Site

from groundwork.renewal import RenewedListening


def listening(endpoint: str, site: Site, option: str = "--listen") -> Service:
    """
    A service that serves C{site}.

    @param endpoint: as C{strports} takes it.
    @param option: where it was given.
    @raise ValueError: it is none, or what it names can't be used; a sentence.
    """
    try:
        if endpoint.startswith("ssl:"):
            from twisted.internet import reactor

            return RenewedListening(reactor, endpoint, site)
        service: Service = strports.service(endpoint, site)
    except Exception as error:
        # From the parsers of endpoints comes anything: OSError for a key that is not there,
        # OpenSSL's for one that is none, TypeError for a word that means nothing.
        raise ValueError(f"{option} {endpoint}: {error}") from None
    return service
