"""
What somebody types while attached: keys for the guest, and, at the beginning
of a line, the escape character and one more for us; as in ssh(1).
"""

from __future__ import annotations

from dataclasses import dataclass

LEAVE = "leave"
HELP = "help"
REPAINT = "repaint"

_ORDERS = {b".": LEAVE, b"?": HELP, b"r": REPAINT}


@dataclass(frozen=True, slots=True)
class Typed:
    """
    @ivar keys: for the guest.
    @ivar orders: for us, in their order; what follows a L{LEAVE} is gone.
    """

    keys: bytes
    orders: tuple[str, ...]


class Escape:
    """
    Tells them apart.  A beginning is remembered from one piece to the next.
    """

    def __init__(self, character: bytes) -> None:
        """
        @param character: one byte; empty for none.
        """
        self.character = character
        self._at_start = True
        self._pending = False

    def typed(self, piece: bytes) -> Typed:
        keys, orders = bytearray(), []
        for value in piece:
            key = bytes((value,))
            if self._pending:
                self._pending = False
                order = _ORDERS.get(key)
                if order is not None:
                    orders.append(order)
                    self._at_start = True
                    if order == LEAVE:
                        break
                    continue
                # Twice is once; before anything else it was meant for the guest.
                keys += self.character if key == self.character else self.character + key
            elif self._at_start and self.character and key == self.character:
                self._pending = True
                continue
            else:
                keys += key
            # Control and C, or D, lead to a new line as well.
            self._at_start = key in (b"\r", b"\n", b"\x03", b"\x04")
        return Typed(bytes(keys), tuple(orders))


def parse_escape(text: str) -> bytes:
    """
    @param text: a character, C{^X} for one typed with Control, or C{none}.
    @raise ValueError: with a sentence.
    """
    if text == "none":
        return b""
    if len(text) == 2 and text[0] == "^" and "@" <= text[1].upper() <= "_":
        return bytes((ord(text[1].upper()) & 0x1F,))
    if len(text) == 1 and text.isascii() and text not in "\r\n":
        return text.encode("ascii")
    raise ValueError("an escape is one character, such as ~, or ^] for Control and ], or none")


def help_text(character: bytes) -> str:
    shown = character.decode("ascii")
    if character < b" ":
        shown = f"^{chr(character[0] | 0x40)}"
    rows = [
        (".", "leave; the console stays open for others"),
        ("r", "show again what the console keeps"),
        ("?", "this"),
        (shown, f"the character {shown} itself"),
    ]
    listed = "".join(f"  {shown}{key:<3} {what}\r\n" for key, what in rows)
    return f"\r\nAt the beginning of a line:\r\n{listed}"
