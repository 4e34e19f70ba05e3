"""
A coroutine that answers a web request, and whose failure has an end.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any

from twisted.internet.defer import CancelledError, Deferred
from twisted.python.failure import Failure
from twisted.web.server import NOT_DONE_YET, Request


def answer(
    request: Request,
    coroutine: Coroutine[Deferred[Any], Any, None],
    failed: Callable[[Failure, Request], None],
) -> int:
    """
    Run C{coroutine}, which writes and finishes the answer itself; stop it when
    the client goes away first.

    @param failed: called with what the coroutine raised, to answer instead.
        It is not called when the client is gone.
    @return: what a C{render_*} method returns.
    """
    gone = False

    def left(_: Failure) -> None:
        nonlocal gone
        gone = True
        answering.cancel()

    def ended(failure: Failure) -> None:
        if gone:
            failure.trap(CancelledError, Exception)
        else:
            failed(failure, request)

    request.notifyFinish().addErrback(left)
    answering = Deferred.fromCoroutine(coroutine)
    answering.addErrback(ended)
    return NOT_DONE_YET
