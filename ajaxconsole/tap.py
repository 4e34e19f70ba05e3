"""
C{twistd ajaxconsole}: agent, proxy and API in one process, for one host.

Each has a bus of its own, as in processes of their own; the buses meet at a
broker in memory.  Proxy and API share one port, so one URL is all there is to know.
"""

from __future__ import annotations

import sys
from typing import Any

from twisted.application.service import MultiService

from ajaxconsole.front import Front
from computeagent.tap import AgentOptions, make_agent
from computeagent.workshop import Unfit
from consoleapi.tap import ApiOptions, make_api
from consolebus.memory import MemoryBroker, MemoryBus
from consoleproxy.cookies import BadKey
from consoleproxy.tap import ProxyOptions, make_proxy
from groundwork.listening import listening
from groundwork.monotonic import MonotonicClock
from groundwork.site import BoundedSite


class Options(AgentOptions, ProxyOptions, ApiOptions):
    """
    C{twistd ajaxconsole}, which is C{ajaxconsole up} too.
    """

    section = "ajaxconsole"
    at_stop = "end"  # who types Ctrl-C expects nothing to stay
    shared_sections = ("computeagent", "consoleproxy", "consoleapi")
    synopsis = "[options]"
    longdesc = (
        "Serves the serial consoles of this host's guests in the browser: open the address that "
        "it listens on, or ask by any OpenStack client. Runs as root, or as the user that QEMU "
        "runs as."
    )
    repeatable = {
        **AgentOptions.repeatable,
        **ProxyOptions.repeatable,
        **ApiOptions.repeatable,
    }
    optParameters: list[Any] = [
        ["listen", "l", "tcp:8080:interface=127.0.0.1", "Endpoint to listen on."],
    ]

    def __init__(self) -> None:
        super().__init__()
        # What several of them know, --help would list as often.
        self.longOpt = list(dict.fromkeys(self.longOpt))

    def postOptions(self) -> None:
        for options in (AgentOptions, ProxyOptions, ApiOptions):
            options.postOptions(self)


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


def makeService(options: Options) -> MultiService:
    """Called by C{twistd}."""
    from twisted.internet import reactor

    try:
        return make_all(reactor, options)
    except (Unfit, BadKey, ValueError) as error:
        sys.exit(f"ajaxconsole: {error}")
