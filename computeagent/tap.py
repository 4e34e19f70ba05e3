"""
C{twistd computeagent}: what it can be told.  (What comes of it is L{computeagent.composing}.)
"""

from __future__ import annotations

import os
import re
import socket
from importlib.util import find_spec
from ipaddress import ip_address

from twisted.application.service import IService
from twisted.logger import InvalidLogLevelError, LogLevel
from twisted.python import usage

from computeagent.ports import PortRange
from computeagent.rooms import runtime_directory
from consolesettings.options import SettingsOptions
from groundwork.tls import spare_tls

DEFAULT_CHILD_USER = "nobody"

_HOST = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._-]{0,188}[A-Za-z0-9])?")
"""What the bus and the API take."""


def port_range(text: str) -> PortRange:
    """Coerce C{--portrange}."""
    return PortRange.parse(text)


def seconds(text: str) -> float:
    """Coerce a length of time."""
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 0 < value < 1e9:
        raise ValueError(f"a number of seconds over 0 is wanted, not {text!r}")
    return value


def bind_address(text: str) -> str:
    """Coerce C{--address}: one address of this host, never all of them."""
    if ip_address(text).is_unspecified:
        raise ValueError("consoles must not listen on every address; give the one proxies reach")
    return text


def log_level(text: str) -> str:
    """Coerce the name of a level of C{twisted.logger}."""
    try:
        return str(LogLevel.levelWithName(text).name)
    except InvalidLogLevelError:
        raise ValueError(f"there is no level {text}") from None


def way_of_spawning(text: str) -> str:
    """Coerce C{--spawn}."""
    if text not in ("fork", "direct"):
        raise ValueError(f"there is no way {text}")
    return text


def way_of_stopping(text: str) -> str:
    """Coerce C{--at-stop}."""
    if text not in ("leave", "end"):
        raise ValueError(f"there is no way {text}")
    return text


def way_of_attaching(text: str) -> str:
    """Coerce C{--attach}."""
    if text not in ("on-demand", "always"):
        raise ValueError(f"there is no way {text}")
    return text


def limit(text: str) -> float:
    """Coerce a length of time that may be without end."""
    return 0.0 if text == "0" else seconds(text)


def file_size(text: str) -> int:
    """Coerce C{--record-most}."""
    length = int(text)
    if length < 4096:
        raise ValueError("a recording's file has at least 4096 bytes")
    return length


def scrollback(text: str) -> int:
    """Coerce C{--scrollback}."""
    length = int(text)
    if not 4096 <= length <= 1 << 30:
        raise ValueError("a scrollback is of 4096 bytes to 1 GiB")
    return length


file_size.coerceDoc = "bytes, from 4096"  # type: ignore[attr-defined]
way_of_attaching.coerceDoc = "on-demand or always"  # type: ignore[attr-defined]
way_of_stopping.coerceDoc = "leave or end"  # type: ignore[attr-defined]
limit.coerceDoc = "seconds, or 0"  # type: ignore[attr-defined]
scrollback.coerceDoc = "bytes, 4096 to 1 GiB"  # type: ignore[attr-defined]
way_of_spawning.coerceDoc = "fork or direct"  # type: ignore[attr-defined]
log_level.coerceDoc = "debug, info, warn, error or critical"  # type: ignore[attr-defined]
port_range.coerceDoc = "FIRST-LAST"  # type: ignore[attr-defined]
seconds.coerceDoc = "seconds"  # type: ignore[attr-defined]
bind_address.coerceDoc = "one IP address of this host"  # type: ignore[attr-defined]


class AgentOptions(SettingsOptions):
    """
    What an agent needs to know; the all-in-one takes them too.

    @cvar at_stop: the default of C{--at-stop}.
    """

    section = "computeagent"
    at_stop = "leave"
    optParameters = [
        ["connect", "c", "qemu:///system", "URI of the host's libvirt."],
        ["host", None, socket.gethostname(), "Name of this host on the bus."],
        ["address", None, "127.0.0.1", "IP address that consoles listen on.", bind_address],
        ["portrange", None, PortRange(10000, 12000), "Ports of consoles.", port_range],
        [
            "attach",
            None,
            "on-demand",
            "on-demand: a console is opened when it is asked for; always: when its guest starts.",
            way_of_attaching,
        ],
        ["idle-timeout", None, 300.0, "Seconds a console lives without a viewer.", seconds],
        ["input-timeout", None, 0.0, "Seconds it lives without a key typed; 0: for ever.", limit],
        [
            "watch-timeout",
            None,
            0.0,
            "Seconds it lives with viewers none of whom can type; 0: for ever.",
            limit,
        ],
        ["logout", None, "none", "How to log out at the guest: none, eof, or a text to type."],
        [
            "logout-grace",
            None,
            10.0,
            "Seconds after the last tab has closed until it is tried.",
            seconds,
        ],
        ["scrollback", None, 1 << 20, "Bytes of output that a console keeps.", scrollback],
        ["record", None, "", "Directory for recordings, where the child user can write."],
        ["record-most", None, 64 << 20, "Bytes of one of a recording's two files.", file_size],
        ["token-ttl", None, 600.0, "Seconds a URL lives unused.", seconds],
        ["child-user", None, None, "Who socat and ajaxterm run as (nobody, if the agent is root)."],
        ["run", None, None, "Runtime directory (/run/ajaxconsole/HOST)."],
        [
            "spawn",
            None,
            "fork",
            "fork: terminals are forked from one that is loaded already; "
            "direct: each is an interpreter of its own.",
            way_of_spawning,
        ],
        [
            "at-stop",
            None,
            None,
            "leave: consoles go on when the agent is stopped, and the next one goes on with them; "
            "end: they end.",
            way_of_stopping,
        ],
        ["terminal-log-level", None, "info", "Of what the terminals log.", log_level],
    ]

    optFlags = [["record-input", None, "Record what is typed too, passwords included."]]
    repeatable = {
        "attach-guest": "Name of guests, with * and ?, for which it is --attach always.",
    }

    def postOptions(self) -> None:
        if find_spec("libvirt") is None:
            raise usage.UsageError(
                "libvirt's Python binding is missing; it comes with the extra 'agent': "
                "pip install '.[agent]' in place of pip install ."
            )
        host = self["host"]
        if not _HOST.fullmatch(host):
            raise usage.UsageError(
                "--host consists of 1 to 190 letters, digits, dots and hyphens, a letter or digit "
                "first and last"
            )
        if self["record"]:
            self["record"] = os.path.abspath(self["record"])
            if not os.path.isdir(self["record"]):
                raise usage.UsageError(f"--record: there is no directory {self['record']}")
        if self["child-user"] is None:
            self["child-user"] = DEFAULT_CHILD_USER if os.geteuid() == 0 else ""
        if self["at-stop"] is None:
            self["at-stop"] = self.at_stop
        if self["run"] is None:
            self["run"] = runtime_directory(host, os.geteuid(), os.environ)


class Options(AgentOptions):
    """
    C{twistd computeagent}.
    """

    synopsis = "[options]"
    longdesc = (
        "Finds the serial devices of this host's guests in libvirt and starts a terminal for each "
        "that is asked for over the bus. Runs as root, or as the user that QEMU runs as."
    )
    optParameters = [
        ["bus", "b", None, "URL of the bus: amqp://USER:PASSWORD@HOST:PORT/VHOST"],
    ]

    def postOptions(self) -> None:
        super().postOptions()
        if not self["bus"] or self["bus"].startswith("memory"):
            raise usage.UsageError(
                "--bus: an agent of its own needs a broker, amqp://...; "
                "for one host without one there is 'ajaxconsole up'"
            )


def makeService(options: Options) -> IService:
    """Called by C{twistd}."""
    spare_tls(options["bus"])

    from computeagent.composing import make_service

    return make_service(options)
