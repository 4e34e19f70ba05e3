"""
Tests for L{consolesettings.options}.
"""

from __future__ import annotations

from pathlib import Path

from twisted.python import usage
from twisted.trial.unittest import SynchronousTestCase

from consolesettings.options import SettingsOptions


def _number(text: str) -> int:
    return int(text)


_number.coerceDoc = "a number"  # type: ignore[attr-defined]


class Kitchen(SettingsOptions):
    """
    Options of every kind.
    """

    section = "kitchen"
    optParameters = [
        ["oven", "o", "gas", "What heats it."],
        ["plates", None, 4, "How many.", _number],
        ["idle-timeout", None, 1.5, "Seconds.", float],
    ]
    optFlags = [["steam", None, "Whether there is steam."]]
    repeatable = {"spice": "A spice"}


class House(Kitchen):
    """
    What reads others' sections too.
    """

    section = "house"
    shared_sections = ("garden", "kitchen")


class SettingsTestCase(SynchronousTestCase):
    def file(self, text: str | bytes) -> str:
        """
        @return: the path of a file that says C{text}.
        """
        path = Path(self.mktemp())
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return str(path)

    def parsed(
        self, text: str, *words: str, kind: type[SettingsOptions] = Kitchen
    ) -> usage.Options:
        options = kind()
        options.parseOptions(["--config", self.file(text), *words])
        return options

    def refused(self, text: str | bytes, *words: str) -> str:
        """
        @return: the sentence.
        """
        path = self.file(text)
        error = self.assertRaises(
            usage.UsageError, Kitchen().parseOptions, ["--config", path, *words]
        )
        return str(error).replace(path, "FILE")


class SettingsTests(SettingsTestCase):
    """
    What the file says is as if it stood on the command line, before what really does.
    """

    def test_without_a_file(self) -> None:
        """
        A file is not needed.
        """
        options = Kitchen()
        options.parseOptions(["--oven", "wood", "--spice", "salt", "--spice=pepper"])

        self.assertEqual(options["oven"], "wood")
        self.assertEqual(options["plates"], 4)
        self.assertEqual(options["spice"], ["salt", "pepper"])
        self.assertIsNone(options["config"])

    def test_file(self) -> None:
        """
        Texts, numbers, flags and lists, each coerced as on the command line.
        """
        options = self.parsed(
            '[kitchen]\noven = "wood"\nplates = 6\nidle-timeout = 2.5\nsteam = true\n'
            'spice = ["salt", "pepper"]\n'
        )

        self.assertEqual(options["oven"], "wood")
        self.assertEqual(options["plates"], 6)
        self.assertEqual(options["idle-timeout"], 2.5)
        self.assertTrue(options["steam"])
        self.assertEqual(options["spice"], ["salt", "pepper"])

    def test_numbers_as_texts(self) -> None:
        """
        A number may be written as a text.
        """
        self.assertEqual(self.parsed('[kitchen]\nplates = "6"\n')["plates"], 6)

    def test_flags_win(self) -> None:
        """
        What is on the command line wins, wherever --config stands; a list there replaces
        the file's.
        """
        path = self.file('[kitchen]\noven = "wood"\nspice = ["salt"]\n')
        for words in (["--config", path], [f"--config={path}"]):
            for line in (
                [*words, "--oven", "solar", "--spice", "a", "--spice", "b"],
                ["--oven", "solar", "--spice", "a", "--spice", "b", *words],
            ):
                options = Kitchen()
                options.parseOptions(line)

                self.assertEqual(options["oven"], "solar")
                self.assertEqual(options["spice"], ["a", "b"])
                self.assertEqual(options["config"], path)

    def test_other_sections_are_others(self) -> None:
        """
        One file serves all daemons: a section that is not ours may say what it likes.
        """
        options = self.parsed('[garden]\noven = "wood"\nrake = 1\n[chicken]\n')

        self.assertEqual(options["oven"], "gas")

    def test_shared_sections(self) -> None:
        """
        Who reads several sections takes of them what it knows; its own counts most, then
        the last.
        """
        options = self.parsed(
            '[house]\noven = "solar"\n[kitchen]\noven = "wood"\nplates = 6\n'
            "[garden]\nplates = 2\nrake = 1\n",
            kind=House,
        )

        self.assertEqual(options["oven"], "solar")
        self.assertEqual(options["plates"], 6)

    def test_two_parses_do_not_share_lists(self) -> None:
        """
        Each object has lists of its own.
        """
        one, other = Kitchen(), Kitchen()
        one.parseOptions(["--spice", "salt"])
        other.parseOptions([])

        self.assertEqual(other["spice"], [])

    def test_help(self) -> None:
        """
        Every option stands in --help, the repeatable ones too.
        """
        text = str(Kitchen())

        for words in ("--config", "--oven", "--spice", "may be repeated", "--steam"):
            self.assertIn(words, text)


class RefusalTests(SettingsTestCase):
    """
    What is wrong is told in a sentence, with the place.
    """

    def test_unknown_key(self) -> None:
        """
        A misspelt key is refused, with what is probably meant.
        """
        self.assertEqual(
            self.refused("[kitchen]\nplate = 4\n"),
            "--config: there is no setting 'plate' in [kitchen]; is 'plates' meant?",
        )
        self.assertEqual(
            self.refused("[kitchen]\nxyzzy = 4\n"),
            "--config: there is no setting 'xyzzy' in [kitchen]",
        )

    def test_not_from_a_file(self) -> None:
        """
        A file names no other file.
        """
        self.assertIn("no setting 'config'", self.refused('[kitchen]\nconfig = "x"\n'))

    def test_wrong_types(self) -> None:
        """
        A value of a kind that the option does not take is refused.
        """
        for text, sentence in (
            ("oven = true", "oven in FILE must be a text or a number"),
            ("oven = [1]", "oven in FILE must be a text or a number"),
            ("oven = 2026-01-01", "oven in FILE must be a text or a number"),
            ('steam = "yes"', "steam in FILE must be true or false"),
            ("steam = 1", "steam in FILE must be true or false"),
            ('spice = "salt"', "spice in FILE must be a list of texts"),
            ("spice = [1]", "spice in FILE must be a list of texts"),
        ):
            self.assertEqual(self.refused(f"[kitchen]\n{text}\n"), f"--config: {sentence}")

    def test_misspelt_section(self) -> None:
        """
        A section that is nearly ours, where ours is missing, is not silently left out.
        """
        for name in ("kitchens", "Kitchen", "kitchn"):
            self.assertEqual(
                self.refused(f"[{name}]\nplates = 4\n"),
                f"--config: [{name}] in FILE: is [kitchen] meant?",
            )

    def test_section_that_is_none(self) -> None:
        """
        The daemon's name is a section, not a value.
        """
        self.assertEqual(
            self.refused("kitchen = 1\n"), "--config: kitchen in FILE must be a section"
        )

    def test_bad_files(self) -> None:
        """
        A file that can't be read, or is no TOML, is named.
        """
        self.assertIn("FILE is not TOML", self.refused("[kitchen\n"))
        self.assertIn("FILE is not TOML", self.refused(b"\xff\xfe"))
        for path, why in (("/nonexistent", "No such file"), ("/", "Is a directory")):
            error = self.assertRaises(usage.UsageError, Kitchen().parseOptions, ["--config", path])
            self.assertIn(f"--config: {path} can't be read: {why}", str(error))

    def test_no_file_named(self) -> None:
        """
        C{--config} wants a file.
        """
        error = self.assertRaises(usage.UsageError, Kitchen().parseOptions, ["--config"])

        self.assertEqual(str(error), "--config wants a file")

    def test_abbreviated(self) -> None:
        """
        An abbreviation that getopt would take does not silently go without the file; nor
        does a second file.
        """
        path, other = self.file('[kitchen]\noven = "wood"\n'), self.file("")
        for words in (["--conf", path], [f"--confi={path}"], ["--config", other, "--config", path]):
            error = self.assertRaises(usage.UsageError, Kitchen().parseOptions, words)

            self.assertEqual(str(error), "--config is written in full, and given once")

    def test_values_that_do_not_fit(self) -> None:
        """
        A value that can't be understood is told with its option, and where it stands.
        """
        error = self.assertRaises(usage.UsageError, Kitchen().parseOptions, ["--plates", "many"])

        self.assertTrue(str(error).startswith("--plates: "), error)
        self.assertIn("'many'", str(error))
        self.assertTrue(
            self.refused('[kitchen]\nplates = "many"\n').startswith("--config: plates in FILE: ")
        )
