"""
Options that can stand in a file as well as on the command line.

  [computeagent]                  # the section of one daemon
  bus = "amqp://..."              # its options, spelled as on the command line
  portrange = "10000-12000"

  [consoleapi]
  allowed-host = ["console.example.org"]    # options that may be repeated: lists

What the file says is treated just as if it were on the command line, before
everything that really is there; so both go through the same checks, and flags win.
"""

from __future__ import annotations

import difflib
import tomllib
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

from twisted.python import usage

_ALIKE = 0.85
"""How alike a section's name must be to ours to be a slip, from 0 to 1; those of the
other daemons are not."""


class SettingsOptions(usage.Options):
    """
    @cvar section: which section of the file is ours.
    @cvar shared_sections: others that are read too, for the keys that we know;
        of a key that stands in several, ours counts, or else the last.
    @cvar repeatable: options that may be given several times, with their help;
        their value is a list.
    """

    section: ClassVar[str] = ""
    shared_sections: ClassVar[Sequence[str]] = ()
    repeatable: ClassVar[Mapping[str, str]] = {}

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        for name, text in cls.repeatable.items():
            # usage.Options finds its methods by their names.
            setattr(cls, "opt_" + name.replace("-", "_"), _collector(name, text))

    def __init__(self) -> None:
        super().__init__()
        for name in self.repeatable:
            self[name] = []
        self["config"] = None
        for name, dispatched in self._dispatch.items():
            if isinstance(dispatched, usage.CoerceParameter):
                self._dispatch[name] = _Parameter(self, dispatched.coerce)
        self._from_file: set[str] = set()

    def opt_config(self, path: str) -> None:
        """A TOML file with a section for each daemon; flags win over it."""
        # It was read beforehand, by parseOptions, where it was found.
        if path != self["config"]:
            raise usage.UsageError("--config is written in full, and given once")

    def parseOptions(self, options: Sequence[str] | None = None) -> None:
        """
        @raise usage.UsageError: with a sentence for the user.
        """
        words = list(options or [])
        path = _find_config(words)
        if path is not None:
            self["config"] = path
            for name, value in self._settings(Path(path)):
                self._apply(name, value, path)
        super().parseOptions(words)

    def _settings(self, path: Path) -> Iterator[tuple[str, Any]]:
        try:
            read = tomllib.loads(path.read_text("utf-8"))
        except OSError as error:
            raise usage.UsageError(f"--config: {path} can't be read: {error.strerror}") from None
        except ValueError as error:
            raise usage.UsageError(f"--config: {path} is not TOML: {error}") from None
        if self.section not in read:
            for name in difflib.get_close_matches(self.section, read, 1, _ALIKE):
                raise usage.UsageError(f"--config: [{name}] in {path}: is [{self.section}] meant?")
        known = {word.rstrip("=") for word in self.longOpt} - {"config", "help", "version"}
        settings: dict[str, Any] = {}
        for section in (*self.shared_sections, self.section):
            keys = read.get(section, {})
            if not isinstance(keys, dict):
                raise usage.UsageError(f"--config: {section} in {path} must be a section")
            for name, value in keys.items():
                if name in known:
                    settings[name] = value
                elif section == self.section:
                    near = difflib.get_close_matches(name, known, 1)
                    hint = f"; is {near[0]!r} meant?" if near else ""
                    raise usage.UsageError(
                        f"--config: there is no setting {name!r} in [{section}]{hint}"
                    )
        yield from settings.items()

    def _apply(self, name: str, value: Any, path: str) -> None:
        if name in self.repeatable:
            if not isinstance(value, list) or not all(isinstance(one, str) for one in value):
                raise usage.UsageError(f"--config: {name} in {path} must be a list of texts")
            self[name] = list(value)
            self._from_file.add(name)
            return
        takes_value = f"{name}=" in self.longOpt
        if isinstance(value, bool) and not takes_value:
            self[name] = int(value)
            return
        if not takes_value or not isinstance(value, (str, int, float)) or isinstance(value, bool):
            raise usage.UsageError(
                f"--config: {name} in {path} must be "
                + ("a text or a number" if takes_value else "true or false")
            )
        try:
            self._dispatch[name].dispatch(name, str(value))
        except _Unfit as unfit:
            raise usage.UsageError(f"--config: {name} in {path}: {unfit.why}") from None

    def collect(self, name: str, value: str) -> None:
        """One more value of a repeatable option, from the command line."""
        if name in self._from_file:
            self._from_file.discard(name)
            self[name] = []
        self[name].append(value)


class _Unfit(usage.UsageError):
    """A value that its option does not understand."""

    def __init__(self, name: str, why: str) -> None:
        super().__init__(f"--{name}: {why}")
        self.why = why


class _Parameter(usage.CoerceParameter):
    """An option with a value, which names itself where the value does not fit."""

    def dispatch(self, name: str, value: str) -> None:
        try:
            self.options.opts[name] = self.coerce(value)
        except ValueError as error:
            raise _Unfit(name, str(error)) from None


def _collector(name: str, text: str) -> Callable[[SettingsOptions, str], None]:
    def given(self: SettingsOptions, value: str) -> None:
        self.collect(name, value)

    given.__doc__ = f"{text} (may be repeated)"
    return given


def _find_config(words: Sequence[str]) -> str | None:
    for position, word in enumerate(words):
        if word == "--":
            return None
        if word == "--config":
            if position + 1 == len(words):
                raise usage.UsageError("--config wants a file")
            return words[position + 1]
        if word.startswith("--config="):
            return word.partition("=")[2]
    return None
