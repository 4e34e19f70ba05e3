"""
What an agent and its ajaxterm say to each other.

A unix socket; each line one JSON object of at most 64 KiB.  The agent asks,
with a number that the answer bears:

  -> {"id": 1, "do": "grant", "grant": "g..", "digest": "<hex>", "mode": "rw",
      "user": "ann", "lifetime": 600}
  <- {"id": 1, "done": {}}
  -> {"id": 2, "do": "revoke", "grant": "g.."}      done: {"known": true}
  -> {"id": 3, "do": "viewers"}       done: {"viewers": [..], "end": 5120, "typed": 17}
      how many bytes were shown, and how many have gone to the line
  -> {"id": 4, "do": "output", "most": 4096}        done: {"output": "<base64>", "offset": 7}
      the last bytes, or with "before": N those before that offset; at most 32 KiB
  -> {"id": 5, "do": "line", "state": "waiting", "message": ".."}
      C{waiting}: the guest is down. What is typed is refused, with the message, until the
      line is C{live}, or a socat joins; what the guest has not taken yet is dropped
  -> {"id": 6, "do": "finish", "reason": "closed", "message": ".."}
      with "logout": true, not before the logout has its verdict, if one is wanted
  -> {"id": 7, "do": "grants"}                      done: {"grants": ["g..", ..]}
      those that are neither revoked nor expired
  -> {"id": 8, "do": "notice", "name": "silent", "message": ".."}
      lasts until the same name comes with no message; 16 at a time, one more is ignored
  -> {"id": 9, "do": "prefill", "output": "<base64>"}     done: {"end": 7}
      what the guest said before; in several parts, before anything else comes from it
  -> {"id": 10, "do": "missed", "output": "<base64>"}
      what the guest has said while nothing was joined to it
  -> {"id": 11, "do": "mark", "text": ".."}
      a line in the output, for people
  -> {"id": 12, "do": "abilities", "abilities": ["break", "sysrq"]}
      what may be wished, see below
  -> {"id": 13, "do": "part"}
      whatever is joined to the line is let go: an agent does not know what its predecessor
      has joined
  <- {"id": 14, "failed": "a sentence"}              for whatever can't be done

and, unasked:

  <- {"event": "viewer_came", "viewer": "v1", "user": "ann", "typed": 0, "offset": 100}
  <- {"event": "viewer_left", "viewer": "v1", "user": "ann", "typed": 12, "offset": 5120}
  <- {"event": "wish", "what": "break", "viewer": "v1", "user": "ann"}
  <- {"event": "wish", "what": "sysrq", "key": "b", "viewer": "v1", "user": "ann"}
  <- {"event": "logout", "state": "trying"}
      then C{out}, C{in} or C{unknown}; nothing if somebody came back in time
  <- {"event": "ended", "reason": "idle"}

Secrets come here as digests only.  Any number of agents may be connected,
since one that restarts finds its old connection still closing.
"""

from __future__ import annotations

import json
import re
from base64 import b64decode, b64encode
from collections.abc import Callable, Mapping
from typing import Any, TypeGuard

from twisted.internet.interfaces import IAddress, IPushProducer
from twisted.internet.protocol import Factory, connectionDone
from twisted.logger import Logger
from twisted.protocols.basic import LineOnlyReceiver
from twisted.python.failure import Failure
from zope.interface import implementer

from ajaxterm.grants import Grant, Grants, TooManyGrants
from ajaxterm.session import Session
from ajaxterm.viewer import End, Event

LONGEST = 1 << 16
MOST_OUTPUT = 32 * 1024
ABILITIES = {"break", "sysrq"}

_DIGEST = re.compile("[0-9a-f]{64}")


class _Refused(Exception):
    """An order that can't be carried out, with a sentence for the log."""


@implementer(IPushProducer)
class _Conversation(LineOnlyReceiver):
    """
    One agent's connection.

    @cvar MOST_WAITING: bytes that may wait for an agent that does not read; then it is cut off.
        When it comes back it asks for what it needs.
    """

    delimiter = b"\n"
    MAX_LENGTH = LONGEST
    MOST_WAITING = 1 << 20
    transport: Any

    def __init__(self, control: Control) -> None:
        self._control = control
        self._is_full = False
        self._waiting = 0

    def connectionMade(self) -> None:
        self._control.conversations.append(self)
        self.transport.registerProducer(self, True)

    def pauseProducing(self) -> None:
        self._is_full = True

    def resumeProducing(self) -> None:
        self._is_full, self._waiting = False, 0

    def stopProducing(self) -> None:
        self._is_full = False

    def lineReceived(self, line: bytes) -> None:
        self.say(self._control.obey(line))

    def lineLengthExceeded(self, line: bytes) -> None:
        self.say({"id": None, "failed": f"a line is at most {LONGEST} bytes"})
        self.transport.unregisterProducer()
        self.transport.loseConnection()

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        self._control.conversations.remove(self)

    def say(self, words: Mapping[str, Any]) -> None:
        line = json.dumps(words, separators=(",", ":")).encode("ascii")
        self._waiting += len(line) if self._is_full else 0
        if self._waiting > self.MOST_WAITING:
            self.transport.abortConnection()
        else:
            self.sendLine(line)


class Control(Factory):
    """
    The factory of the control socket.

    @ivar conversations: the agents connected now.
    """

    noisy = False
    _log = Logger()

    def __init__(
        self, session: Session, grants: Grants, part: Callable[[], None] = lambda: None
    ) -> None:
        """
        @param part: lets go of what is joined to the line.
        """
        self._session = session
        self._grants = grants
        self._part_line = part
        self.conversations: list[_Conversation] = []
        self._orders: dict[str, Callable[[Mapping[str, Any]], dict[str, Any]]] = {
            "grant": self._grant,
            "revoke": self._revoke,
            "grants": self._names,
            "viewers": self._viewers,
            "output": self._output,
            "line": self._line,
            "finish": self._finish,
            "notice": self._notice,
            "prefill": self._prefill,
            "missed": self._missed,
            "mark": self._mark,
            "abilities": self._abilities,
            "part": self._part,
        }

    def buildProtocol(self, addr: IAddress | None) -> _Conversation:
        return _Conversation(self)

    def tell(self, event: Event) -> None:
        """Send an event to every agent connected."""
        for conversation in self.conversations:
            conversation.say(event)

    def obey(self, line: bytes) -> dict[str, Any]:
        """@return: the answer to one line."""
        number = None
        try:
            asked = json.loads(line)
            if not isinstance(asked, dict):
                raise _Refused("an order is a JSON object")
            number = asked.get("id")
            order = self._orders.get(str(asked.get("do")))
            if order is None:
                raise _Refused("no such order")
            return {"id": number, "done": order(asked)}
        except _Refused as refused:
            return {"id": number, "failed": str(refused)}
        except (ValueError, RecursionError):
            return {"id": number, "failed": "an order is a line of JSON"}

    def _grant(self, asked: Mapping[str, Any]) -> dict[str, Any]:
        mode, lifetime = asked.get("mode"), asked.get("lifetime")
        if self._session.end is not None:
            raise _Refused("this console has ended")
        if mode not in ("rw", "ro"):
            raise _Refused("a grant's mode is rw or ro")
        if isinstance(lifetime, bool) or not isinstance(lifetime, (int, float)):
            raise _Refused("a grant's lifetime is a number of seconds")
        if not 0 < lifetime <= 1e9:
            raise _Refused("a grant's lifetime is a number of seconds")
        digest = _text(asked, "digest")
        if _DIGEST.fullmatch(digest) is None:
            raise _Refused("a digest is a SHA-256 in hex")
        grant = Grant(_text(asked, "grant"), mode, _text(asked, "user"), float(lifetime))
        try:
            self._grants.add(digest, grant)
        except TooManyGrants:
            raise _Refused(f"this console has {Grants.MOST} grants already") from None
        self._session.touch()
        return {}

    def _revoke(self, asked: Mapping[str, Any]) -> dict[str, Any]:
        return {"known": self._session.revoke(_text(asked, "grant"))}

    def _names(self, asked: Mapping[str, Any]) -> dict[str, Any]:
        return {"grants": self._grants.names()}

    def _viewers(self, asked: Mapping[str, Any]) -> dict[str, Any]:
        return {
            "viewers": self._session.viewers(),
            "end": self._session.scrollback.end,
            "typed": self._session.keys.sent,
        }

    def _output(self, asked: Mapping[str, Any]) -> dict[str, Any]:
        scrollback = self._session.scrollback
        most, end = asked.get("most"), asked.get("before")
        if not _is_whole(most) or not 0 <= most <= MOST_OUTPUT:
            raise _Refused(f"most is from 0 to {MOST_OUTPUT} bytes")
        if end is None:
            end = scrollback.end
        if not _is_whole(end) or not scrollback.start <= end <= scrollback.end:
            raise _Refused("that offset is not in the scrollback")
        offset = max(scrollback.start, end - most)
        output = scrollback.read(offset, end - offset)
        return {"output": b64encode(output).decode("ascii"), "offset": offset}

    def _line(self, asked: Mapping[str, Any]) -> dict[str, Any]:
        state = asked.get("state")
        if state not in ("live", "waiting"):
            raise _Refused("a line is live or waiting")
        self._session.line_is(state, _text(asked, "message"), down=state == "waiting")
        return {}

    def _part(self, asked: Mapping[str, Any]) -> dict[str, Any]:
        self._part_line()
        return {}

    def _notice(self, asked: Mapping[str, Any]) -> dict[str, Any]:
        self._session.additions.notice(_text(asked, "name"), _text(asked, "message"))
        return {}

    def _prefill(self, asked: Mapping[str, Any]) -> dict[str, Any]:
        if not self._session.additions.prefill(_bytes(asked, "output")):
            raise _Refused("the guest has said something already")
        return {"end": self._session.scrollback.end}

    def _missed(self, asked: Mapping[str, Any]) -> dict[str, Any]:
        self._session.output(_bytes(asked, "output"))
        return {}

    def _mark(self, asked: Mapping[str, Any]) -> dict[str, Any]:
        self._session.additions.mark(_text(asked, "text"))
        return {}

    def _abilities(self, asked: Mapping[str, Any]) -> dict[str, Any]:
        abilities = asked.get("abilities")
        if not isinstance(abilities, list) or not set(map(str, abilities)) <= ABILITIES:
            raise _Refused("abilities are a list of break and sysrq")
        self._session.additions.able(abilities)
        return {}

    def _finish(self, asked: Mapping[str, Any]) -> dict[str, Any]:
        end = End(_text(asked, "reason"), _text(asked, "message"), 1000)
        if asked.get("logout") is True:
            self._session.leaving.close(end)
        else:
            self._session.finish(end)
        return {}


def _is_whole(value: object) -> TypeGuard[int]:
    return isinstance(value, int) and not isinstance(value, bool)


def _bytes(asked: Mapping[str, Any], name: str) -> bytes:
    value = asked.get(name)
    try:
        if isinstance(value, str):
            return b64decode(value, validate=True)
    except ValueError:
        pass
    raise _Refused(f"{name} is bytes in base64")


def _text(asked: Mapping[str, Any], name: str) -> str:
    value = asked.get(name)
    if not isinstance(value, str) or len(value) > 1000:
        raise _Refused(f"{name} is a text of at most 1000 characters")
    return value
