"""
EC2's words: XML answers, error codes, names of instances.
"""

from __future__ import annotations

import re
from base64 import b64encode
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from xml.sax.saxutils import escape

from consoleapi.directory import Guest
from consoleapi.faults import Fault
from consoleapi.wanted import EVERYTHING, Wanted
from consoleapi.web import Asked, Reply

_TYPE = "text/xml;charset=UTF-8"
_VERSION = re.compile("20[0-9]{2}-[0-9]{2}-[0-9]{2}")
_INSTANCE = re.compile("i-([0-9a-f]{8})([0-9a-f]{4})([0-9a-f]{4})([0-9a-f]{4})([0-9a-f]{12})")
_NOT_IN_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")

_STATES: Mapping[str, tuple[int, str]] = {
    "running": (16, "running"),
    "shutoff": (80, "stopped"),
    "paused": (80, "stopped"),
    "suspended": (80, "stopped"),
    "crashed": (80, "stopped"),
    "unknown": (0, "pending"),
}

_CODES = {
    400: "InvalidParameterValue",
    401: "AuthFailure",
    403: "UnauthorizedOperation",
    404: "InvalidInstanceID.NotFound",
    409: "IncorrectInstanceState",
    429: "RequestLimitExceeded",
    500: "InternalError",
    501: "Unsupported",
    503: "Unavailable",
    504: "Unavailable",
}


class Ec2Fault(Exception):
    """
    @ivar code: of EC2's list.
    """

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(status, code, message)
        self.status = status
        self.code = code
        self.message = message
        self.headers: Mapping[str, str] = {}


def as_ec2(fault: Fault) -> Ec2Fault:
    # Where EC2 has too many requests it says 503, and its clients try again then.
    status = 503 if fault.status == 429 else fault.status
    made = Ec2Fault(status, _CODES.get(fault.status, "InternalError"), fault.message)
    made.headers = fault.headers
    return made


def refusal(asked: Asked, fault: Ec2Fault) -> Reply:
    body = (
        '<?xml version="1.0" encoding="UTF-8"?>\n<Response><Errors><Error>'
        f"<Code>{fault.code}</Code><Message>{_text(fault.message)}</Message></Error></Errors>"
        f"<RequestID>{asked.request_id}</RequestID></Response>"
    )
    return Reply(fault.status, body.encode("utf-8"), _TYPE, fault.headers)


def reply(asked: Asked, words: Mapping[str, str], content: str) -> Reply:
    """
    @param words: the request's; its C{Version} names the namespace.
    """
    action, version = words["Action"], words.get("Version", "")
    if not _VERSION.fullmatch(version):
        version = "2016-11-15"
    body = (
        '<?xml version="1.0" encoding="UTF-8"?>\n'
        f'<{action}Response xmlns="http://ec2.amazonaws.com/doc/{version}/">'
        f"<requestId>{asked.request_id}</requestId>{content}</{action}Response>"
    )
    return Reply(200, body.encode("utf-8"), _TYPE)


def uuid_of(name: str) -> str:
    """
    @return: the UUID that an instance's name stands for, or the name itself.
    """
    match = _INSTANCE.fullmatch(name)
    return "-".join(match.groups()) if match else name


def instance_of(guest: Guest) -> str:
    return "i-" + guest.uuid.replace("-", "")


def filters(words: Mapping[str, str]) -> Wanted:
    """
    What C{Filter.N.Name} and C{Filter.N.Value.M} ask for.

    @raise Ec2Fault: for a filter that is not understood: to pass it over would
        show more than was asked for.
    """
    wanted: list[tuple[Callable[[Guest], str], set[str]]] = []
    for key, name in words.items():
        match = re.fullmatch(r"Filter\.([0-9]{1,3})\.Name", key)
        if match is None:
            continue
        prefix = f"Filter.{match[1]}.Value."
        values = {value for key, value in words.items() if key.startswith(prefix)}
        if name not in _FILTERS:
            raise Ec2Fault(400, "InvalidParameterValue", f"The filter '{name[:100]}' is invalid")
        wanted.append((_FILTERS[name], values))
    if not wanted:
        return EVERYTHING
    names = [values for of, values in wanted if of is _name and len(values) == 1]
    sought = [value.lower() for values in names for value in values if value.isascii()]
    return Wanted(sought, lambda guest: all(of(guest) in values for of, values in wanted))


def _name(guest: Guest) -> str:
    return guest.name


_FILTERS: Mapping[str, Callable[[Guest], str]] = {
    "instance-id": instance_of,
    "tag:Name": _name,
    "instance-state-name": lambda guest: _STATES[guest.state][1],
    "owner-id": lambda guest: guest.owner,
}


def instances(guests: Sequence[Guest], following: str | None) -> str:
    listed = "".join(_reservation(guest) for guest in guests)
    token = f"<nextToken>{following}</nextToken>" if following else ""
    return f"<reservationSet>{listed}</reservationSet>{token}"


def _reservation(guest: Guest) -> str:
    code, state = _STATES[guest.state]
    name, host, owner = _text(guest.name), _text(guest.host), _text(guest.owner)
    return (
        f"<item><reservationId>r-{guest.uuid.replace('-', '')}</reservationId>"
        f"<ownerId>{owner}</ownerId><groupSet/><instancesSet><item>"
        f"<instanceId>{instance_of(guest)}</instanceId><imageId/>"
        f"<instanceState><code>{code}</code><name>{state}</name></instanceState>"
        f"<privateDnsName>{name}</privateDnsName><dnsName/><reason/><amiLaunchIndex>0</amiLaunchIndex>"
        f"<placement><availabilityZone/><hostId>{host}</hostId></placement>"
        f"<tagSet><item><key>Name</key><value>{name}</value></item></tagSet>"
        "</item></instancesSet></item>"
    )


def output(guest: Guest, text: str, now: float) -> str:
    moment = datetime.fromtimestamp(now, UTC).strftime("%Y-%m-%dT%H:%M:%S.000Z")
    encoded = b64encode(text.encode("utf-8")).decode("ascii")
    return (
        f"<instanceId>{instance_of(guest)}</instanceId>"
        f"<timestamp>{moment}</timestamp><output>{encoded}</output>"
    )


def url(address: str) -> str:
    return f"<url>{_text(address)}</url>"


def _text(text: str) -> str:
    return escape(_NOT_IN_XML.sub("\ufffd", text))
