"""
What the agent adds to a session: what the guest said earlier, marks in the
output, notices, and what else viewers may ask for.
"""

from __future__ import annotations

from collections.abc import Callable

from ajaxterm.scrollback import Scrollback
from ajaxterm.viewer import Event


class Additions:
    """
    @ivar abilities: what viewers can ask for, the agent's and the session's own.
    @cvar MOST_NOTICES: that last at a time; one more is not told, for it could not be
        taken back.
    """

    MOST_NOTICES = 16

    def __init__(
        self,
        scrollback: Scrollback,
        output: Callable[[bytes], None],
        tell: Callable[[Event], None],
        own: list[str],
    ) -> None:
        """
        @param output: shows something as if the line had sent it.
        @param tell: tells all viewers.
        @param own: what the session can do without an agent.
        """
        self._own = own
        self._scrollback = scrollback
        self._output = output
        self._tell = tell
        self._prefilled = 0
        self._notices: dict[str, str] = {}
        self.abilities = own

    def able(self, abilities: list[str]) -> None:
        """From now on the agent can do these: C{break}, C{sysrq}."""
        if [*self._own, *abilities] != self.abilities:
            self.abilities = [*self._own, *abilities]
            self._tell({"event": "abilities", "abilities": self.abilities})

    def notices(self) -> list[Event]:
        """@return: those that last."""
        return [{"name": name, "message": text} for name, text in self._notices.items()]

    def notice(self, name: str, message: str) -> None:
        """
        Something that people should know, until it is taken back.

        @param message: an empty one takes it back.
        """
        if message == self._notices.get(name, ""):
            return
        if not message:
            del self._notices[name]
        elif name in self._notices or len(self._notices) < self.MOST_NOTICES:
            self._notices[name] = message
        else:
            return
        self._tell({"event": "notice", "name": name, "message": message})

    def prefill(self, output: bytes) -> bool:
        """
        The guest had said C{output} before this session was there.

        @return: whether it is in the scrollback now; once the line has said
            anything, it can't be put before that any more.
        """
        if self._scrollback.end != self._prefilled:
            return False
        self._output(output)
        self._prefilled = self._scrollback.end
        return True

    def mark(self, text: str) -> None:
        """Put a line for people into the output."""
        shown = "".join(each if each.isprintable() else " " for each in text)
        only_ours = self._scrollback.end == self._prefilled
        self._output(b"\r\n\x1b[0;7m " + shown.encode("utf-8", "replace") + b" \x1b[0m\r\n")
        if only_ours:
            self._prefilled = self._scrollback.end
