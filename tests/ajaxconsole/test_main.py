"""
The command C{ajaxconsole}: what it says to who mistypes, or lacks something.
"""

from __future__ import annotations

import io
import sys

from twisted.trial.unittest import SynchronousTestCase

from ajaxconsole.main import main
from computeagent import tap


class MainTests(SynchronousTestCase):
    def ended(self, *words: str) -> object:
        """
        @return: what the command ends with, before anything is started: a status, or a sentence.
        """
        with self.assertRaises(SystemExit) as caught:
            main(words)
        return caught.exception.code

    def refused(self, *words: str) -> str:
        sentence = self.ended(*words)
        assert isinstance(sentence, str)
        return sentence

    def printed(self, *words: str) -> str:
        said = io.StringIO()
        self.patch(sys, "stdout", said)
        self.assertEqual(self.ended(*words), 0)
        return said.getvalue()

    def test_help(self) -> None:
        self.assertIn("ajaxconsole COMMAND", self.printed("--help"))
        self.assertIn("Usage: ajaxconsole up [options]", self.printed("up", "--help"))

    def test_version(self) -> None:
        self.assertRegex(self.printed("--version"), r"^ajaxconsole [0-9]+\.[0-9]+")

    def test_unknown_command(self) -> None:
        said = io.StringIO()
        self.patch(sys, "stderr", said)

        self.assertEqual(self.ended("serve"), 2)
        self.assertIn("there is no command 'serve'", said.getvalue())

    def test_wrong_options_are_named_and_no_more(self) -> None:
        """
        The sentence is not lost below a page of help.
        """
        for words, wrong in (
            (["--frobnicate"], "--frobnicate"),
            (["--auth", "none", "--portrange", "5"], "--portrange"),
            (["--auth", "none", "--listen", "tcp:80"], "tcp:80"),
            ([], "--users FILE"),
        ):
            sentence = self.refused("up", *words)

            self.assertIn(wrong, sentence)
            self.assertTrue(sentence.endswith("\nTry 'ajaxconsole up --help'."), sentence)
            self.assertEqual(sentence.count("\n"), 1, sentence)

    def test_without_libvirts_binding(self) -> None:
        """
        Who has left out the extra is told which.
        """
        self.patch(tap, "find_spec", lambda name: None)

        self.assertIn(".[agent]", self.refused("up", "--auth", "none"))
