"""
What is typed for the guest, and what for us.
"""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from ajaxconsole.escape import HELP, LEAVE, REPAINT, Escape, help_text, parse_escape
from ajaxconsole.quiet import Quiet


class EscapeTests(SynchronousTestCase):
    def typed(self, *pieces: bytes, character: bytes = b"~") -> tuple[bytes, tuple[str, ...]]:
        escape = Escape(character)
        typed = [escape.typed(piece) for piece in pieces]
        return b"".join(t.keys for t in typed), tuple(o for t in typed for o in t.orders)

    def test_leave(self) -> None:
        for pieces in ((b"~.",), (b"ls\r~.",), (b"ls\n", b"~", b"."), (b"~.more",)):
            keys, orders = self.typed(*pieces)

            self.assertEqual(orders, (LEAVE,))
            self.assertNotIn(b"~", keys)
            self.assertNotIn(b"more", keys)

    def test_only_at_the_beginning_of_a_line(self) -> None:
        self.assertEqual(self.typed(b"cd ~.\r"), (b"cd ~.\r", ()))

    def test_help_and_repaint(self) -> None:
        self.assertEqual(self.typed(b"~?~r~?x"), (b"x", (HELP, REPAINT, HELP)))

    def test_twice_is_once(self) -> None:
        self.assertEqual(self.typed(b"~~"), (b"~", ()))
        self.assertEqual(self.typed(b"~~."), (b"~.", ()))

    def test_before_anything_else_it_is_a_character(self) -> None:
        self.assertEqual(self.typed(b"~/bin\r"), (b"~/bin\r", ()))
        self.assertEqual(self.typed(b"~\r~."), (b"~\r", (LEAVE,)))

    def test_other_characters(self) -> None:
        self.assertEqual(self.typed(b"\x1d.", character=b"\x1d"), (b"", (LEAVE,)))
        self.assertEqual(self.typed(b"~.", character=b""), (b"~.", ()))

    def test_parse(self) -> None:
        self.assertEqual(
            [parse_escape(text) for text in ("~", "^]", "^a", "none", "%")],
            [b"~", b"\x1d", b"\x01", b"", b"%"],
        )
        for text in ("", "ab", "\r", "ä"):
            self.assertRaises(ValueError, parse_escape, text)

    def test_help_names_it(self) -> None:
        self.assertIn("~. ", help_text(b"~"))
        self.assertIn("^]. ", help_text(b"\x1d"))


class QuietTests(SynchronousTestCase):
    def test_questions(self) -> None:
        for question in (
            b"\x1b[6n", b"\x1b[?6n", b"\x1b[c", b"\x1b[>c", b"\x1b[18t", b"\x05", b"\x1bZ",
            b"\x1b]11;?\x07", b"\x1b]52;c;?\x1b\\", b"\x1bP$qm\x1b\\", b"\x1b[?2026$p", b"\x1b[>q",
        ):  # fmt: skip
            for cut in range(len(question)):
                quiet = Quiet()
                shown = quiet.filter(b"a" + question[:cut]) + quiet.filter(question[cut:] + b"b")

                self.assertEqual(shown, b"ab", (question, cut))

    def test_the_rest_stays(self) -> None:
        text = b"\x1b[1;31mred\x1b[0m \x1b[2J\x1b[10;5H \xc3\xa4\r\n\x1b7\x1b8\x1b[?25l\x1b[3 q"

        self.assertEqual(Quiet().filter(text), text)

    def test_what_is_held_is_bounded(self) -> None:
        quiet = Quiet()
        shown = b"".join(quiet.filter(b"\x1b]" + b"x" * 3000) for _ in range(20))

        self.assertGreater(len(shown), 30000)
