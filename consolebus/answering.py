"""
From the bytes of a request to the bytes of its reply: the method is found,
its arguments are bound to its signature, it runs, and whatever comes of it is
put into words that may cross the bus.

Both providers answer through here, so a method cannot tell them apart.
"""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from typing import Any

from twisted.internet.defer import Deferred, maybeDeferred
from twisted.logger import Logger

from consolebus.ibus import BadArguments, Broken, BusFailure, Method
from consolebus.messages import Reply, Request, format_reply, parse_request

_Signatures = dict[str, tuple[Method, inspect.Signature]]


class Methods:
    """
    The methods of one topic.

    @ivar topic: named in the log.
    @ivar refused: how many messages were no request for any method here.
    """

    _log = Logger()

    def __init__(self, topic: str, methods: Mapping[str, Method]) -> None:
        self.topic = topic
        self.refused = 0
        self._methods: _Signatures = {
            name: (method, inspect.signature(method)) for name, method in methods.items()
        }

    def answer(self, body: bytes) -> Deferred[bytes]:
        """
        @return: the reply.  Never fails, whatever C{body} is and whatever the
            method does.
        """
        return Deferred.fromCoroutine(self._answer(body))

    def refuse(self, failure: BadArguments) -> bytes:
        """
        Count a message that is not to be run, and say in the log why; its
        words are not repeated there.
        """
        self.refused += 1
        self._log.warn(
            "A message to {topic} was refused ({refused} so far): {reason}",
            topic=self.topic,
            refused=self.refused,
            reason=failure.message,
        )
        return format_reply(Reply(failure=failure))

    async def _answer(self, body: bytes) -> bytes:
        try:
            request = parse_request(body)
            running = self._bind(request)
        except BadArguments as failure:
            return self.refuse(failure)
        return await self._run(request, running)

    def _bind(self, request: Request) -> tuple[Method, inspect.BoundArguments]:
        known = self._methods.get(request.method)
        if known is None:
            raise BadArguments(f"{self.topic} has no such method.")
        method, signature = known
        try:
            return method, signature.bind(request.context, **request.args)
        except TypeError:
            # What Python says would quote the names that a stranger chose.
            raise BadArguments(
                f"The arguments do not fit {request.method}{_parameters(signature)}."
            ) from None

    async def _run(self, request: Request, running: tuple[Method, inspect.BoundArguments]) -> bytes:
        method, bound = running
        try:
            result: Any = await maybeDeferred(method, *bound.args, **bound.kwargs)
        except BusFailure as failure:
            return format_reply(Reply(failure=failure))
        except Exception:
            self._log.failure(
                "{method} of {topic} broke (request {request_id})",
                method=request.method,
                topic=self.topic,
                request_id=request.context.request_id,
            )
            return self._broken(request)
        try:
            return format_reply(Reply(result=result))
        except BadArguments as failure:
            self._log.error(
                "{method} of {topic} answered what cannot be sent (request {request_id}): {reason}",
                method=request.method,
                topic=self.topic,
                request_id=request.context.request_id,
                reason=failure.message,
            )
            return self._broken(request)

    def _broken(self, request: Request) -> bytes:
        sentence = f"{request.method} of {self.topic} broke; the log there says more."
        return format_reply(Reply(failure=Broken(sentence)))


def _parameters(signature: inspect.Signature) -> str:
    """
    The names of the arguments that a caller gives: C{(domain, mode)}.
    """
    return "(" + ", ".join(list(signature.parameters)[1:]) + ")"
