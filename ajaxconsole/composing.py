"""
Agent, proxy and API become one process.

Each has a bus of its own, as in processes of their own; the buses meet at a
broker in memory.  Proxy and API share one port, so one URL is all there is to know.
"""

from __future__ import annotations

import sys
from typing import Any

from twisted.application.service import MultiService

from ajaxconsole.front import Front
from ajaxconsole.tap import Options
from computeagent.composing import make_agent
from computeagent.workshop import Unfit
from consoleapi.composing import make_api
from consolebus.memory import MemoryBroker, MemoryBus
from consoleproxy.composing import make_proxy
from consoleproxy.cookies import BadKey
from groundwork.listening import listening
from groundwork.monotonic import MonotonicClock
from groundwork.settled import settle_when_running
from groundwork.site import BoundedSite


def make_all(reactor: Any, options: Options) -> MultiService:
    """
    Put everything together.

    @raise Unfit: this host lacks something; the sentence says what.
    @raise BadKey: the cookie key can't be had.
    @raise ValueError: something that was given can't be used; a sentence.
    """
    clock = MonotonicClock(reactor)
    broker = MemoryBroker(clock)
    api, api_resource = make_api(reactor, options, MemoryBus(broker, clock))
    proxy, proxy_resource = make_proxy(reactor, options, MemoryBus(broker, clock))
    agent = make_agent(reactor, options, MemoryBus(broker, clock))
    site = BoundedSite(Front(api_resource, proxy_resource), reactor, outside=options["outside"])
    together = MultiService()
    # The last to listen is the first to stop: nobody asks for what is ending.
    for service in (agent, proxy, api, listening(options["listen"], site)):
        service.setServiceParent(together)
    return together


def make_service(options: Options) -> MultiService:
    """
    @raise SystemExit: it can't be; with a sentence.
    """
    from twisted.internet import reactor

    settle_when_running(reactor)

    try:
        return make_all(reactor, options)
    except (Unfit, BadKey, ValueError) as error:
        sys.exit(f"ajaxconsole: {error}")
