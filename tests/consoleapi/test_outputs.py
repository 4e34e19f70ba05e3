"""
What a guest said, over the OpenStack API.
"""

from __future__ import annotations

from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from consoleapi.output import as_text, last_lines
from tests.consoleapi.world import Answer, FakeHost, World, domain, uuid


class ConsoleOutputTests(SynchronousTestCase):
    """
    C{os-getConsoleOutput}.
    """

    def setUp(self) -> None:
        self.world = World()
        self.host = FakeHost(self.world, "h1", domain(1, "web1"))
        self.host.output = b"one\r\ntwo\r\nthree\r\n"
        self.world.start()

    def ask(self, words: Any) -> Answer:
        return self.world.post(f"/v2.1/servers/{uuid(1)}/action", {"os-getConsoleOutput": words})

    def test_all_of_it(self) -> None:
        for words in ({}, {"length": None}, {"length": -1}, {"length": "-1"}):
            self.assertEqual(self.ask(words).json, {"output": "one\ntwo\nthree\n"}, words)

    def test_last_lines(self) -> None:
        self.assertEqual(self.ask({"length": 2}).json, {"output": "two\nthree\n"})
        self.assertEqual(self.ask({"length": "1"}).json, {"output": "three\n"})
        self.assertEqual(self.ask({"length": 0}).json, {"output": ""})
        self.assertEqual(self.ask({"length": 10**8}).json, {"output": "one\ntwo\nthree\n"})

    def test_odd_lengths(self) -> None:
        for words in ({"length": "x"}, {"length": -2}, {"length": True}, {"more": 1}, None, []):
            self.assertEqual(self.ask(words).status, 400, words)

    def test_nothing_is_open(self) -> None:
        self.host.output = None

        answer = self.ask({})

        self.assertEqual(answer.status, 409)
        self.assertIn("nothing was recorded", answer.message)


class TextTests(SynchronousTestCase):
    """
    Output as text that does nothing to a terminal it is shown in.
    """

    def test_sequences_are_taken_away(self) -> None:
        for output, text in (
            (b"\x1b[1;31mred\x1b[0m", "red"),
            (b"\x1b]0;title\x07x\x1b]52;c;aGk=\x1b\\y", "xy"),
            (b"\x1bP+q544e\x1b\\z", "z"),
            (b"a\x08b\x07c\x00d\x7fe", "abcde"),
            (b"\xc2\x9b31mC1", "C1"),
            (b"\xff\xfeUTF-8 \xc3\xa4", "\ufffd\ufffdUTF-8 \xe4"),
            (b"cut \x1b[", "cut "),
            (b"tab\tline\n", "tab\tline\n"),
        ):
            self.assertEqual(as_text(output), text, output)

    def test_nothing_takes_long(self) -> None:
        for output in (b"\x1b[" * 100_000, b"\x1b]" + b"x" * 500_000, b"\x1b[0" * 100_000):
            as_text(output)

    def test_last_lines_of_what_does_not_end(self) -> None:
        self.assertEqual(last_lines("a\nb\nc", 2), "b\nc")
        self.assertEqual(last_lines("a", 5), "a")
        self.assertEqual(last_lines("", 5), "")
