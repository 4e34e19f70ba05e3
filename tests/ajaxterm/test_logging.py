"""
Tests for L{ajaxterm.logging}.
"""

from __future__ import annotations

import sys
from io import StringIO

from twisted.logger import Logger, LogPublisher
from twisted.python.log import LogPublisher as OldPublisher
from twisted.trial.unittest import SynchronousTestCase

from ajaxterm.logging import _write, log_from


class LogTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.said = StringIO()
        self.patch(sys, "stderr", self.said)
        self.addCleanup(log_from, "debug")
        self.log = Logger("a.room", observer=LogPublisher(_write))

    def lines(self) -> list[str]:
        """
        @return: what was written, less the moments.
        """
        lines = self.said.getvalue().splitlines()
        self.assertTrue(all(line[:1] in "2\t" for line in lines), lines)
        return [line if line[0] == "\t" else line.partition(" ")[2] for line in lines]

    def test_line(self) -> None:
        """
        The room, the level, the words with their fields.
        """
        self.log.info("Viewer {viewer} of {user!r}", viewer="v1", user="ann")

        self.assertEqual(self.lines(), ["[a.room#info] Viewer v1 of 'ann'"])
        self.assertRegex(self.said.getvalue(), r"\A2[0-9]{3}-[0-9-]{5}T[0-9:]{8}[+-][0-9]{4} \[")

    def test_level(self) -> None:
        """
        What is less than asked for is not written.
        """
        for least, count in [("debug", 3), ("info", 2), ("warn", 1), ("critical", 0)]:
            self.said.truncate(0)
            log_from(least)
            for say in (self.log.debug, self.log.info, self.log.warn):
                say("so")
            self.assertEqual(self.said.getvalue().count("so"), count, least)

    def test_twisteds_own_forms(self) -> None:
        """
        Calls in the words, the old publisher, fields that are not there: nothing is lost.
        """
        self.log.info("{name()} is called", name=lambda: "it")
        self.log.info("{missing}")
        old = OldPublisher(publishPublisher=LogPublisher(_write))
        old.msg("old", "words", system="-")

        called, missing, words = self.lines()
        self.assertEqual(called, "[a.room#info] it is called")
        self.assertIn("missing", missing)
        self.assertIn("old words", words)

    def test_failure(self) -> None:
        """
        A traceback follows, each line indented, so that a line that begins with a moment is
        an event.
        """
        try:
            raise ValueError("bad")
        except ValueError:
            self.log.failure("while {what}", what="testing")

        first, *more = self.lines()
        self.assertEqual(first, "[a.room#critical] while testing")
        self.assertTrue(all(line.startswith("\t") for line in more))
        self.assertIn("ValueError: bad", self.said.getvalue())
