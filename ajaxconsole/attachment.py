"""
One's own terminal on a console, over connections that come and go: what is
sent, shown and kept, without the sockets (docs/protocol.md, C{ajaxterm.v1}).

Input is numbered, by us and by the console.  What it has not counted when a
connection breaks is kept, and sent again on the next one from where it counted;
output goes on at the byte after the last one that was shown.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

from ajaxconsole.quiet import Quiet

MOST_KEPT = 64 << 10
"""Bytes of input that are kept until the console has counted them."""

_MOST_MESSAGE = 32 << 10


class Attachment:
    """
    @ivar ended: why there is nothing to come back to; C{None} while there is.
    @ivar is_attached: whether the console has said hello on this connection.
    """

    def __init__(self, show: Callable[[bytes], None], notice: Callable[[str], None]) -> None:
        """
        @param show: puts output on the terminal.
        @param notice: says something of ours.
        """
        self._show = show
        self._notice = notice
        self._send: Callable[[bytes | str], None] | None = None
        self.is_attached = False
        self.ended: str | None = None
        self.mode = ""
        self._resume: str | None = None
        self._console: str | None = None
        self._offset: int | None = None
        self._live = 0
        self._name = ""
        self._answering: str | None = None
        self._quiet = Quiet()
        self._counted = 0
        self._kept = bytearray()
        self._line = ""
        self._size: tuple[int, int] | None = None
        self._is_resizable = False

    # Connections.

    def connected(self, send: Callable[[bytes | str], None]) -> None:
        self._send = send
        self.is_attached = False
        self._say(
            {
                "do": "attach",
                "resume": self._resume,
                "offset": self._offset,
                "console": self._console,
            }
        )

    def lost(self) -> None:
        self._send = None
        self.is_attached = False

    def is_another_grant(self) -> None:
        """
        What comes is another viewer on the same console, so the key is nobody's.
        """
        self._resume = None

    def repaint(self) -> None:
        """
        Ask, on the next connection, for all that the console keeps.
        """
        self._offset = None

    # The user.

    def typed(self, keys: bytes) -> None:
        if self.mode == "ro" or not keys:
            return
        if len(keys) > self.room:
            self._notice("the console takes no input now; what you typed is dropped")
            return
        self._kept += keys
        if self.is_attached:
            self._type(keys)

    @property
    def room(self) -> int:
        """
        Bytes that may be typed now; more at a time are dropped, and that is said.
        """
        return MOST_KEPT - len(self._kept)

    @property
    def is_counted(self) -> bool:
        """
        Whether the console has taken all that was typed.
        """
        return not self._kept

    def resized(self, rows: int, columns: int) -> None:
        self._size = rows, columns
        if self.is_attached:
            self._tell_size()

    # The console.

    def received(self, message: bytes | str) -> None:
        if isinstance(message, bytes):
            self._output(message)
            return
        try:
            event = json.loads(message)
        except ValueError:
            return
        if isinstance(event, dict):
            hear = getattr(self, f"_hear_{event.get('event')}", None)
            if hear is not None:
                hear(event)

    def _output(self, output: bytes) -> None:
        begin = self._offset or 0
        self._offset = begin + len(output)
        replay = min(max(0, self._live - begin), len(output))
        shown = self._quiet.filter(output[:replay]) if replay else b""
        if replay < len(output):
            rest = output[replay:]
            if self._answering in (None, self._name):
                shown += self._quiet.rest() + rest
            else:
                shown += self._quiet.filter(rest)
        if shown:
            self._show(shown)

    def _hear_hello(self, event: Mapping[str, Any]) -> None:
        is_first = self._console is None and self._offset is None
        is_same = self._console in (None, event.get("console"))
        offset, counted = int(event["offset"]), int(event["input"])
        if self._offset is not None and offset > self._offset and is_same:
            self._notice(f"{offset - self._offset} bytes of output are gone")
        elif not is_first and (not is_same or offset < (self._offset or 0)):
            self._notice("this is another console than before")
        self._offset, self._live = offset, int(event.get("live", offset))
        self._name, self.mode = str(event.get("viewer")), str(event.get("mode"))
        self._resume, self._console = str(event["resume"]), event.get("console")
        if event.get("resumed"):
            del self._kept[: max(0, counted - self._counted)]
        elif self._kept and not is_first:
            self._kept.clear()
            self._notice("what you typed last may not have arrived")
        self._counted = counted
        self.is_attached = True
        if is_first and self.mode == "ro":
            self._kept.clear()
        self._type(bytes(self._kept))
        self._is_resizable = bool(event.get("resizable"))
        self._tell_size()
        self._hear_line(event.get("line") or {})

    def _hear_counted(self, event: Mapping[str, Any]) -> None:
        counted = int(event["input"])
        del self._kept[: max(0, counted - self._counted)]
        self._counted = max(self._counted, counted)

    def _hear_gap(self, event: Mapping[str, Any]) -> None:
        self._offset = int(event["offset"])
        self._notice(f"{event.get('missed')} bytes of output are gone")

    def _hear_viewers(self, event: Mapping[str, Any]) -> None:
        self._answering = event.get("answering")

    def _hear_line(self, event: Mapping[str, Any]) -> None:
        message = str(event.get("message") or "")
        if message and message != self._line:
            self._notice(message)
        self._line = message

    def _hear_refused(self, event: Mapping[str, Any]) -> None:
        self._notice(str(event.get("message") or "that was refused"))

    def _hear_end(self, event: Mapping[str, Any]) -> None:
        if not event.get("retry"):
            self.ended = str(event.get("message") or event.get("reason") or "the console has ended")

    # To it.

    def _type(self, keys: bytes) -> None:
        for begin in range(0, len(keys), _MOST_MESSAGE):
            if self._send is not None:
                self._send(keys[begin : begin + _MOST_MESSAGE])

    def _tell_size(self) -> None:
        if self._size is not None and self._is_resizable:
            rows, columns = self._size
            self._say({"do": "size", "rows": rows, "columns": columns})

    def _say(self, words: Mapping[str, Any]) -> None:
        if self._send is not None:
            self._send(json.dumps(words))
