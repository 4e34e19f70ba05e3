"""
Tells C{twistd} and C{twist} the names of our daemons.
"""

from twisted.application.service import ServiceMaker

computeagent = ServiceMaker(
    name="Compute agent",
    module="computeagent.tap",
    description="Opens the serial consoles of this host's guests.",
    tapname="computeagent",
)

consoleproxy = ServiceMaker(
    name="Console proxy",
    module="consoleproxy.tap",
    description="Carries web viewers to the serial consoles of guests.",
    tapname="consoleproxy",
)

consoleapi = ServiceMaker(
    name="Console API",
    module="consoleapi.tap",
    description="Answers OpenStack clients and the lobby page with console URLs.",
    tapname="consoleapi",
)

ajaxconsole = ServiceMaker(
    name="ajaxconsole",
    module="ajaxconsole.tap",
    description="Agent, proxy and API in one process, for one host.",
    tapname="ajaxconsole",
)
