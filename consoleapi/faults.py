"""
Answers that say what is wrong, worded as OpenStack's compute API words them:

    404  {"itemNotFound": {"code": 404, "message": "Instance 7a1b... could not be found."}}

A page in a browser gets the same sentence as HTML.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from html import escape
from http import HTTPStatus

from consolebus.ibus import (
    BadArguments,
    Broken,
    BusFailure,
    Conflict,
    DeadlineExceeded,
    NotFound,
    Refused,
    Unavailable,
)

_KINDS = {
    400: "badRequest",
    401: "unauthorized",
    403: "forbidden",
    404: "itemNotFound",
    405: "badMethod",
    409: "conflictingRequest",
    413: "overLimit",
    415: "badMediaType",
    429: "overLimit",
    501: "notImplemented",
    503: "serviceUnavailable",
}
"""What nova has no word for is C{computeFault}."""

_STATUSES: Mapping[type[BusFailure], int] = {
    NotFound: 404,
    Conflict: 409,
    BadArguments: 400,
    Refused: 403,
    Unavailable: 503,
    DeadlineExceeded: 504,
    Broken: 500,
}

_MOST_MESSAGE = 2000


class Fault(Exception):
    """
    The answer to a request that can't be done.

    @ivar message: one sentence or two for people.
    @ivar headers: what the answer bears besides.
    """

    def __init__(self, status: int, message: str, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(status, message)
        self.status = status
        self.message = message
        self.headers = headers or {}

    def as_json(self) -> bytes:
        kind = _KINDS.get(self.status, "computeFault")
        return json.dumps(
            {kind: {"code": self.status, "message": self.message[:_MOST_MESSAGE]}}
        ).encode("ascii")

    def as_html(self) -> bytes:
        title = f"{self.status} {HTTPStatus(self.status).phrase}"
        return (
            '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">'
            '<meta name="viewport" content="width=device-width">'
            f"<title>{escape(title)}</title></head>"
            f"<body><h1>{escape(title)}</h1>"
            f"<p>{escape(self.message[:_MOST_MESSAGE])}</p></body></html>\n"
        ).encode("ascii", "xmlcharrefreplace")


def fault_of(failure: BusFailure) -> Fault:
    """
    What a failure on the bus means to who asked over HTTP.
    """
    message = _as_sentence(failure.message)
    for kind in type(failure).__mro__:
        if issubclass(kind, BusFailure) and kind in _STATUSES:
            return Fault(_STATUSES[kind], message)
    return Fault(500, message)


def _as_sentence(text: str) -> str:
    """
    Agents say it in a few words, for a log as for people.
    """
    return text[:1].upper() + text[1:] + ("" if text.endswith((".", "!", "?")) else ".")
