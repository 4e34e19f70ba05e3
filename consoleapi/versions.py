"""
Which versions of OpenStack's compute API are spoken here.

    GET /                       {"versions": [{"id": "v2.1", "version": "2.90", ...}]}
    GET /v2.1, /v2.1/           {"version": {...}}

A client picks a microversion between 2.1 and the newest, and names it in every
request; without one, 2.1 is meant.

2.90 is the newest that says something about what is served here: it brought a
server's C{OS-EXT-SRV-ATTR:hostname}.  What came later is about volumes, shares,
host aggregates and SPICE.  A serial console needs 2.6 (C{remote-consoles}) or,
below, the action C{os-getSerialConsole}.
"""

from __future__ import annotations

import re
from typing import Any

from twisted.web.http_headers import Headers

from consoleapi.faults import Fault
from consoleapi.headers import values

Microversion = tuple[int, int]

OLDEST: Microversion = (2, 1)
NEWEST: Microversion = (2, 90)

HEADER = "OpenStack-API-Version"
LEGACY_HEADER = "X-OpenStack-Nova-API-Version"

_VERSION = re.compile(r"([1-9][0-9]{0,5})\.([1-9][0-9]{0,5}|0)")


def chosen(headers: Headers) -> Microversion:
    """
    The microversion that a request is made in.

    @raise Fault: 400, it is none; 406, it is none of ours.
    """
    text = _asked_for(headers)
    if text is None:
        return OLDEST
    if text.lower() == "latest":
        return NEWEST
    match = _VERSION.fullmatch(text)
    if match is None:
        raise Fault(
            400,
            f"API Version String {text[:40]!r} is of invalid format. "
            "Must be of format MajorNum.MinorNum.",
        )
    version = int(match[1]), int(match[2])
    if not OLDEST <= version <= NEWEST:
        raise Fault(
            406,
            f"Version {shown(version)} is not supported by the API. "
            f"Minimum is {shown(OLDEST)} and maximum is {shown(NEWEST)}.",
        )
    return version


def told(version: Microversion) -> dict[str, str]:
    """
    The headers by which an answer says which microversion it is made in.
    """
    return {
        HEADER: f"compute {shown(version)}",
        LEGACY_HEADER: shown(version),
        "Vary": f"{HEADER}, {LEGACY_HEADER}",
    }


def shown(version: Microversion) -> str:
    return f"{version[0]}.{version[1]}"


def list_of_versions(root: str) -> dict[str, Any]:
    """
    @param root: our own URL, ending with a slash.
    """
    return {"versions": [_version(root)]}


def document(root: str) -> dict[str, Any]:
    """
    @param root: our own URL, ending with a slash.
    """
    kind = "application/vnd.openstack.compute+json;version=2.1"
    return {
        "version": {
            **_version(root),
            "media-types": [{"base": "application/json", "type": kind}],
        }
    }


def _version(root: str) -> dict[str, Any]:
    return {
        "id": "v2.1",
        "status": "CURRENT",
        "version": shown(NEWEST),
        "min_version": shown(OLDEST),
        "updated": "2013-07-23T11:33:21Z",
        "links": [{"rel": "self", "href": f"{root}v2.1/"}],
    }


def _asked_for(headers: Headers) -> str | None:
    """
    The newer header names a service for each version; the older one is nova's own.
    """
    for value in values(headers, HEADER):
        for choice in value.split(","):
            service, _, version = choice.strip().partition(" ")
            if service.lower() == "compute":
                return version.strip()
    older = values(headers, LEGACY_HEADER)
    return older[-1].strip() if older else None
