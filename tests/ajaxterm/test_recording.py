"""
Tests for L{ajaxterm.recording} and L{ajaxterm.asciicast}: a session as a file.
"""

from __future__ import annotations

import json
import os
import stat
import sys
import threading
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

from twisted.internet.task import Clock
from twisted.logger import capturedLogs
from twisted.trial.unittest import SynchronousTestCase

from ajaxterm.asciicast import Cast, Part, name_for
from ajaxterm.idleness import Limits
from ajaxterm.recording import CanNotRecord, Recorder
from ajaxterm.serve import Record, Terminal, Terms
from ajaxterm.viewer import End
from ajaxterm.web import ProxyDoor
from tests.ajaxterm.fakereactor import FakeReactor
from tests.ajaxterm.stage import PAGE, FakeLine


class FolderFixture(SynchronousTestCase):
    def setUp(self) -> None:
        self.folder = Path(self.mktemp())
        self.folder.mkdir()
        self.descriptor = os.open(self.folder, os.O_RDONLY)
        self.addCleanup(os.close, self.descriptor)

    def read(self, name: str = "web1.cast") -> tuple[dict[str, Any], list[list[Any]]]:
        """
        @return: the header, and the events.
        """
        header, *events = (self.folder / name).read_text().splitlines()
        return json.loads(header), [json.loads(event) for event in events]

    def text(self, name: str = "web1.cast") -> str:
        return "".join(text for _, kind, text in self.read(name)[1] if kind == "o")


class CastTests(FolderFixture):
    def cast(self, most: int = 1 << 20) -> Cast:
        cast = Cast(self.descriptor, "web1", "web1 serial0", most)
        self.addCleanup(cast.close)
        cast.open(100.0)
        return cast

    def test_version_2(self) -> None:
        """
        A header, then what was seen and when; the file is its owner's alone.
        """
        self.cast().write([(100.5, "o", b"login: "), (101.25, "i", b"ann\r"), (102, "m", b"!")])

        header, events = self.read()
        self.assertEqual((header["version"], header["title"]), (2, "web1 serial0"))
        self.assertEqual((header["width"], header["height"]), (80, 24))
        self.assertLess(abs(header["timestamp"] - datetime.now(UTC).timestamp()), 60)
        self.assertEqual(events, [[0.5, "o", "login: "], [1.25, "i", "ann\r"], [2.0, "m", "!"]])
        mode = stat.S_IMODE((self.folder / "web1.cast").stat().st_mode)
        self.assertEqual(mode, 0o600)

    def test_characters_that_were_cut(self) -> None:
        """
        A character in two reads is one, and input between them does not disturb it; what is
        none is marked.
        """
        emoji = "🐧".encode()
        self.cast().write(
            [(100, "o", emoji[:3]), (101, "i", b"x"), (102, "o", emoji[3:] + b"\xff.")]
        )

        self.assertEqual(self.read()[1], [[1.0, "i", "x"], [2.0, "o", "🐧\ufffd."]])

    def test_files_are_bounded(self) -> None:
        """
        However long a session is, there are two files, of a bounded length each: the last two.
        Nothing is lost between them, and the time begins anew.
        """
        cast = self.cast(most=4096)
        for number in range(1000):
            cast.write([(100.0 + number, "o", b"%06d" % number)])

        self.assertEqual(sorted(os.listdir(self.folder)), ["web1.1.cast", "web1.cast"])
        for name in os.listdir(self.folder):
            self.assertLessEqual((self.folder / name).stat().st_size, 4096)
        text = self.text("web1.1.cast") + self.text()
        self.assertEqual(text, "".join(f"{number:06}" for number in range(1000))[-len(text) :])
        self.assertEqual(self.read()[1][0][0], 0)

    def test_nothing_is_overwritten(self) -> None:
        """
        A file that is there, or a link in its place, is not touched.
        """
        (self.folder / "web1.cast").symlink_to(self.folder / "elsewhere")

        self.assertRaises(FileExistsError, self.cast)

    def test_names(self) -> None:
        """
        Title, moment and something by chance; a title is no path.
        """
        moment = datetime(2026, 1, 2, 3, 4, 5, tzinfo=timezone(timedelta(hours=1)))

        for title, expected in [
            ("web1 serial0", "web1-serial0"),
            ("../../etc/x", "etc-x"),
            ("", "console"),
        ]:
            name = name_for(title, moment)
            self.assertRegex(name, rf"\A{expected}-20260102T020405Z-[0-9a-f]{{6}}\Z")


class SlowCast(Cast):
    """
    A disk that writes when it may.
    """

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self.may = threading.Event()

    def write(self, parts: Iterable[Part]) -> None:
        self.may.wait(10)
        super().write(parts)


class FullCast(Cast):
    """
    A disk that is full.
    """

    def write(self, parts: Iterable[Part]) -> None:
        raise OSError("No space left on device")


class RecorderTests(FolderFixture):
    def recorder(self, kind: type[Cast] = Cast) -> Recorder:
        self.clock = Clock()
        self.told: list[bool] = []
        self.cast = kind(self.descriptor, "web1", "web1", 64 << 20)
        recorder = Recorder(self.clock, self.cast, self.told.append)
        self.addCleanup(recorder.wait)
        recorder.start()
        return recorder

    def test_written_behind(self) -> None:
        """
        What was seen is written a moment later, and the rest at the end.
        """
        recorder = self.recorder()
        typed: list[bytes] = []
        recorder.output(b"login: ")
        recorder.beside(typed.append)(b"ann\r")
        self.clock.advance(Recorder.EVERY)
        recorder.output(b"Password: ")

        recorder.wait()

        kinds = [(kind, text) for _, kind, text in self.read()[1]]
        self.assertEqual(kinds, [("o", "login: "), ("i", "ann\r"), ("o", "Password: ")])
        self.assertEqual((typed, self.told), ([b"ann\r"], [True, False]))
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_slow_disk_delays_nothing(self) -> None:
        """
        What comes while too much waits is left out, bounded in memory; the recording and the
        log say how much.
        """
        recorder = self.recorder(SlowCast)
        chunk = b"x" * (1 << 20)
        for _ in range(20):
            recorder.output(chunk)
            self.clock.advance(Recorder.EVERY)
        self.cast.may.set()  # type: ignore[attr-defined]
        while recorder._given > recorder._written:
            threading.Event().wait(0.001)

        with capturedLogs() as logs:
            recorder.output(b"after")
            recorder.wait()

        kept = Recorder.MOST >> 20
        missing = [text for _, kind, text in self.read()[1] if kind == "m"]
        self.assertEqual(len(self.text()), kept * len(chunk) + 5)
        self.assertEqual(len(missing), 1)
        self.assertIn(f"{(20 - kept) << 20} bytes are missing", missing[0])
        self.assertEqual([log["words"] for log in logs], missing)

    def test_many_small_reads(self) -> None:
        """
        A guest that says one byte at a time takes no more memory while the disk hangs.
        """
        recorder = self.recorder(SlowCast)
        said = Recorder.MOST // 100

        for _ in range(said):
            recorder.output(b"x")
        recorder.stop()
        self.cast.may.set()  # type: ignore[attr-defined]
        recorder.wait()

        kept = len(self.text())
        self.assertLess(kept * sys.getsizeof((0.0, "o", b"x")), Recorder.MOST)
        self.assertIn(f"{said - kept} bytes are missing", self.read()[1][-1][2])

    def test_disk_that_is_slow_at_the_end(self) -> None:
        """
        What was left out just before the end is said too.
        """
        recorder = self.recorder(SlowCast)
        for _ in range(6):
            recorder.output(b"x" * (1 << 20))

        with capturedLogs() as logs:
            recorder.stop()
        self.cast.may.set()  # type: ignore[attr-defined]
        recorder.wait()

        missing = (6 << 20) - len(self.text())
        self.assertGreater(missing, 0)
        kind, words = self.read()[1][-1][1:]
        self.assertEqual((kind, words.split()[0]), ("m", str(missing)))
        self.assertEqual([log["words"] for log in logs], [words])

    def failed(self) -> Recorder:
        """
        @return: one whose disk is full, which it has not found yet.
        """
        recorder = self.recorder(FullCast)
        recorder.output(b"x")
        self.clock.advance(Recorder.EVERY)
        while recorder._failed is None:
            threading.Event().wait(0.001)
        return recorder

    def test_full_disk_ends_it(self) -> None:
        """
        The viewers hear that they are not recorded any more.
        """
        recorder = self.failed()

        with capturedLogs() as logs:
            recorder.output(b"y")
            self.clock.advance(Recorder.EVERY)
        recorder.output(b"z")
        recorder.stop()

        self.assertIn("No space left", str(logs[0]["why"]))
        self.assertEqual((self.told, recorder.on), ([True, False], False))

    def test_full_disk_at_the_end(self) -> None:
        """
        They hear it once, also when the session ends before that was found.
        """
        recorder = self.failed()

        with capturedLogs() as logs:
            recorder.stop()

        self.assertEqual((len(logs), self.told, recorder.on), (1, [True, False], False))

    def test_where_nothing_can_be_written(self) -> None:
        """
        A console that was to be recorded, and can't be, does not begin.
        """
        os.rmdir(self.folder)

        can_not = self.assertRaises(CanNotRecord, self.recorder)

        self.assertIn("can't be written", str(can_not))


class TerminalTests(FolderFixture):
    def terminal(self, with_input: bool) -> Terminal:
        self.reactor = FakeReactor()
        record = Record(self.descriptor, with_input)
        terms = Terms("web1", Limits(0.0), 4096, record=record)
        return Terminal(self.reactor, terms, FakeLine(), PAGE, ProxyDoor, lambda: None)

    def recorded(self, with_input: bool) -> list[str]:
        """
        @return: the kinds of what was recorded of a session.
        """
        terminal = self.terminal(with_input)
        self.assertTrue(terminal.session.recording)
        terminal.session.output(b"login: ")
        terminal.session.keys.write(b"ann\r")
        terminal.session.finish(End("closed", "", 1000))
        for function, args, keywords in self.reactor.triggers["after"]["shutdown"]:
            function(*args, **keywords)
        self.assertFalse(terminal.session.recording)
        [name] = os.listdir(self.folder)
        self.assertRegex(name, r"^web1-.*\.cast$")
        kinds = [kind for _, kind, _ in self.read(name)[1]]
        os.remove(self.folder / name)
        return kinds

    def test_input_only_if_asked_for(self) -> None:
        """
        What is typed, passwords too, is left out unless it was asked for.
        """
        self.assertEqual(self.recorded(with_input=False), ["o"])
        self.assertEqual(self.recorded(with_input=True), ["o", "i"])
