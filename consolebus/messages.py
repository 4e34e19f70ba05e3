"""
What crosses the bus: JSON, in UTF-8, at most 1 MiB of it.

A request::

    {"method": "get_console",
     "args": {"domain": "7a1b...", "mode": "rw"},
     "context": {"request_id": "req-5", "user": "ann"},
     "version": 1}

and its reply, one of::

    {"result": ...}
    {"failure": {"code": "not-found", "message": "There is no such guest."}}

Fields that are not known are ignored, so that a newer daemon may say more; a
request of another version is refused, since it may mean something else.

Nothing here does I/O, and nothing here says what was in a message that it
refuses: messages carry secrets, and its sentences are logged.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from consolebus.ibus import FAILURES, BadArguments, Broken, BusFailure, Context

VERSION = 1

MESSAGE_BYTES = 1024 * 1024
"""How long a message may be, request or reply."""

METHOD_CHARACTERS = 64
SENTENCE_CHARACTERS = 1000
REQUEST_ID_CHARACTERS = 64
USER_CHARACTERS = 255


@dataclass(frozen=True, slots=True)
class Request:
    """
    @ivar args: kept out of C{repr}, where a token could reach a log.
    """

    method: str
    args: Mapping[str, Any] = field(repr=False)
    context: Context = field(default_factory=Context)


@dataclass(frozen=True, slots=True)
class Reply:
    """
    @ivar failure: why there is no result; C{None} where there is one.
    """

    result: Any = field(default=None, repr=False)
    failure: BusFailure | None = None


def format_request(request: Request) -> bytes:
    """
    @raise BadArguments: the arguments are no JSON, or too long.
    """
    return _format(
        {
            "method": request.method,
            "args": dict(request.args),
            "context": {
                "request_id": request.context.request_id[:REQUEST_ID_CHARACTERS],
                "user": request.context.user[:USER_CHARACTERS],
            },
            "version": VERSION,
        }
    )


def parse_request(body: bytes) -> Request:
    """
    @raise BadArguments: C{body} is no request; says why, without its words.
    """
    message = _parse(body)
    version = message.get("version")
    if type(version) is not int or version != VERSION:
        raise BadArguments(f"The request is not of version {VERSION}.")
    method = message.get("method")
    if not isinstance(method, str) or not 0 < len(method) <= METHOD_CHARACTERS:
        raise BadArguments("The request names no method.")
    args = message.get("args", {})
    if not isinstance(args, dict):
        raise BadArguments("The arguments of the request are not an object.")
    return Request(method, args, _parse_context(message.get("context", {})))


def _parse_context(context: object) -> Context:
    if not isinstance(context, dict):
        raise BadArguments("The context of the request is not an object.")
    request_id = context.get("request_id", "")
    user = context.get("user", "")
    if not isinstance(request_id, str) or len(request_id) > REQUEST_ID_CHARACTERS:
        raise BadArguments("The request_id of the request is no short string.")
    if not isinstance(user, str) or len(user) > USER_CHARACTERS:
        raise BadArguments("The user of the request is no short string.")
    return Context(request_id, user)


def format_reply(reply: Reply) -> bytes:
    """
    @raise BadArguments: the result is no JSON, or too long.
    """
    if reply.failure is None:
        return _format({"result": reply.result})
    message = reply.failure.message[:SENTENCE_CHARACTERS]
    return _format({"failure": {"code": reply.failure.code, "message": message}})


def parse_reply(body: bytes) -> Reply:
    """
    Never raises: a reply that cannot be read is one that says L{Broken}.
    """
    try:
        message = _parse(body)
    except BadArguments:
        return Reply(failure=Broken("The answer could not be read."))
    if "failure" not in message:
        return Reply(result=message.get("result"))
    failure = message["failure"]
    if not isinstance(failure, dict):
        return Reply(failure=Broken("The answer could not be read."))
    code, sentence = failure.get("code"), failure.get("message")
    kind = FAILURES.get(code, Broken) if isinstance(code, str) else Broken
    if not isinstance(sentence, str):
        sentence = "It failed without saying why."
    return Reply(failure=kind(sentence[:SENTENCE_CHARACTERS]))


def _format(message: Mapping[str, Any]) -> bytes:
    try:
        body = json.dumps(message, separators=(",", ":"), allow_nan=False).encode("ascii")
    except (TypeError, ValueError, RecursionError):
        # Not chained: the exception may quote the value.
        raise BadArguments("What was to be sent is no JSON.") from None
    if len(body) > MESSAGE_BYTES:
        raise BadArguments(
            f"What was to be sent has {len(body)} bytes; {MESSAGE_BYTES} is the most."
        )
    return body


def _parse(body: bytes) -> dict[str, Any]:
    if len(body) > MESSAGE_BYTES:
        raise BadArguments(f"The message is longer than {MESSAGE_BYTES} bytes.")
    try:
        message = json.loads(body.decode("utf-8"), parse_constant=_no_constant)
    except (ValueError, RecursionError):
        raise BadArguments("The message is no JSON.") from None
    if not isinstance(message, dict):
        raise BadArguments("The message is not an object.")
    return message


def _no_constant(name: str) -> None:
    """
    Python would read C{NaN} and C{Infinity}, which are no JSON (RFC 8259, 6).
    """
    raise ValueError
