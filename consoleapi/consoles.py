"""
A console for a user.

    API    call compute.HOST get_console            the agent opens it, mints grant and token
    API    fan-out consoleproxy authorize_console   every proxy learns the token's digest
    API    the URL, with the token, to who asked

The token is in nobody's log and in no other message.
"""

from __future__ import annotations

import re
from base64 import b64decode
from collections.abc import Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any

from twisted.logger import Logger

from consoleapi.directory import Guest
from consolebus.ibus import (
    Broken,
    BusAway,
    Context,
    DeadlineExceeded,
    IConsoleBus,
    NobodyThere,
    NotFound,
    Unavailable,
)

_TOKEN = re.compile(r"[A-Za-z0-9_-]{20,200}")
_ENDING = "closing"
_TOLD = ("grant", "console", "host", "port", "secret", "expires_in")
_KINDS: dict[str, type | tuple[type, ...]] = {"port": int, "expires_in": (int, float)}


@dataclass(frozen=True, slots=True)
class Opened:
    """
    @ivar token: what opens it; to be shown to nobody but who asked.
    @ivar grant: the public name of what it opens.
    @ivar device: the alias of the serial device.
    @ivar lifetime: seconds in which it must be used.
    """

    token: str = field(repr=False)
    grant: str
    console: str
    device: str
    mode: str
    lifetime: float


@dataclass(frozen=True, slots=True)
class Console:
    """
    One that is open.
    """

    name: str
    device: str
    state: str


class Consoles:
    """
    @cvar PATIENCE: seconds for a host's answer.  A terminal may take up to 15
        to start on a busy host, and its agent then says so itself.
    """

    PATIENCE = 20.0

    _log = Logger()

    def __init__(self, bus: IConsoleBus) -> None:
        self._bus = bus

    async def open(self, guest: Guest, device: str | None, mode: str, context: Context) -> Opened:
        """
        @param device: an alias, an index, or C{None} for the first that can be
            used.
        @raise BusFailure: it can't be opened; a sentence for people.
        """
        answer = await self._ask(guest, device, mode, context)
        try:
            token, told = _parse(answer)
        except (TypeError, ValueError, KeyError):
            # Not the answer itself: it may hold the token.
            self._log.error("Host {host} answered get_console with nonsense", host=guest.host)
            raise Broken(f"Host {guest.host} gave an answer that makes no sense.") from None
        self._bus.fanout(
            "consoleproxy",
            "authorize_console",
            {
                **told,
                "digest": sha256(token.encode("ascii")).hexdigest(),
                "mode": mode,
                "user": context.user,
            },
            context,
        )
        self._log.info(
            "{request_id}: a console of {name} ({uuid}) on {host} for {user}, {mode}: {grant}",
            request_id=context.request_id,
            name=guest.name,
            uuid=guest.uuid,
            host=guest.host,
            user=context.user,
            mode=mode,
            grant=told["grant"],
        )
        return Opened(
            token=token,
            grant=told["grant"],
            console=told["console"],
            device=str(answer.get("device", "")),
            mode=mode,
            lifetime=told["expires_in"],
        )

    async def output(self, guest: Guest, device: str | None, most: int, context: Context) -> bytes:
        """
        The last C{most} bytes of what C{guest} said.

        @raise BusFailure: they can't be had.
        """
        words = {"domain": guest.uuid, "device": device, "length": most}
        answer = await self._call(guest, "get_output", words, context)
        try:
            return b64decode(answer["output"], validate=True)
        except (TypeError, ValueError, KeyError):
            raise Broken(f"Host {guest.host} gave an answer that makes no sense.") from None

    async def listed(self, guest: Guest, context: Context) -> list[Console]:
        """
        The open consoles of C{guest}, as its host tells them now.

        @raise BusFailure: it does not tell.
        """
        answer = await self._call(guest, "list_consoles", {}, context)
        listed = answer.get("consoles") if isinstance(answer, dict) else None
        return [
            Console(*(str(one.get(key, ""))[:100] for key in ("console", "device", "state")))
            for one in (listed if isinstance(listed, list) else ())
            if isinstance(one, dict) and one.get("domain") == guest.uuid
        ]

    async def viewers(
        self, guest: Guest, console: Console, context: Context
    ) -> list[dict[str, str]] | None:
        """
        Who is on it: name, user and mode of each; nothing of what opens it.

        @return: C{None} where it has ended, or is just ending.  One that hangs names
            nobody, but is there: it can be closed.
        @raise BusFailure: its host can't be asked.
        """
        words = {"console": console.name}
        try:
            answer = await self._call(guest, "list_viewers", words, context)
        except (NobodyThere, BusAway):
            raise
        except NotFound:
            return None
        except Unavailable:
            return None if console.state == _ENDING else []
        listed = answer.get("viewers") if isinstance(answer, dict) else None
        return [
            {key: str(one.get(key, ""))[:255] for key in ("name", "user", "mode")}
            for one in (listed if isinstance(listed, list) else ())
            if isinstance(one, dict)
        ]

    async def close(self, guest: Guest, console: str, context: Context) -> None:
        await self._call(guest, "close_console", {"console": console}, context)

    async def _ask(self, guest: Guest, device: str | None, mode: str, context: Context) -> Any:
        words = {"domain": guest.uuid, "device": device, "mode": mode, "user": context.user}
        return await self._call(guest, "get_console", words, context)

    async def _call(
        self, guest: Guest, method: str, words: Mapping[str, Any], context: Context
    ) -> Any:
        try:
            return await self._bus.call(
                f"compute.{guest.host}", method, words, context, timeout=self.PATIENCE
            )
        except NobodyThere:
            raise NobodyThere(
                f"The console agent on host {guest.host} does not answer: "
                "it is not running there, or is cut off."
            ) from None
        except BusAway:
            raise BusAway(
                "The message broker can't be reached now. "
                "Consoles that are open go on; try again in a moment."
            ) from None
        except DeadlineExceeded:
            raise DeadlineExceeded(
                f"Host {guest.host} did not answer within {self.PATIENCE:g} seconds; "
                "try again in a moment."
            ) from None


def _parse(answer: Any) -> tuple[str, dict[str, Any]]:
    token = answer["token"]
    if not _TOKEN.fullmatch(token):
        raise ValueError("token")
    told = {name: answer[name] for name in _TOLD}
    for name, value in told.items():
        if not isinstance(value, _KINDS.get(name, str)) or isinstance(value, bool):
            raise TypeError(name)
    return token, told
