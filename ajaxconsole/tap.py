"""
C{twistd ajaxconsole}: what it can be told.  (What comes of it is L{ajaxconsole.composing}.)
"""

from __future__ import annotations

from typing import Any

from twisted.application.service import IService

from computeagent.tap import AgentOptions
from consoleapi.tap import ApiOptions
from consoleproxy.tap import ProxyOptions
from groundwork.tls import spare_tls


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


def makeService(options: Options) -> IService:
    """Called by C{twistd}."""
    spare_tls(options["listen"], options["status-listen"])

    from ajaxconsole.composing import make_service

    return make_service(options)
