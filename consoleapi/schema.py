"""
Bodies of requests, checked as strictly as nova's own schemas do and refused in
their words, so that tools which read the words find what they know.

A schema here is an object whose properties are all required, and no others
allowed; a property is an object again or one of a few words.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

from consoleapi.faults import Fault

Schema: TypeAlias = "Mapping[str, Schema | Sequence[str]]"

_MOST_LINES = 1_000_000

PROTOCOLS = ("vnc", "spice", "serial", "rdp", "mks")
TYPES = ("novnc", "xvpvnc", "rdp-html5", "spice-html5", "serial", "webmks")

REMOTE_CONSOLE: Schema = {"remote_console": {"protocol": PROTOCOLS, "type": TYPES}}
GET_SERIAL_CONSOLE: Schema = {"os-getSerialConsole": {"type": ("serial",)}}


def parse_object(body: bytes) -> dict[str, Any]:
    """
    @raise Fault: 400, it is no JSON object.
    """
    try:
        value = json.loads(body.decode("utf-8"), parse_constant=_no_constant)
    except (ValueError, RecursionError):
        raise Fault(400, "Malformed request body: it is not JSON.") from None
    if not isinstance(value, dict):
        raise Fault(400, "Malformed request body: it is not a JSON object.")
    return value


def check(value: Any, schema: Schema) -> None:
    """
    @raise Fault: 400, C{value} is not as C{schema} says.
    """
    _check_object(value, schema, "")


def console_length(value: Any) -> int | None:
    """
    How many lines C{os-getConsoleOutput} asks for; C{None} for all.

    @raise Fault: 400.
    """
    if not isinstance(value, dict):
        raise _invalid("os-getConsoleOutput", value, f"{_shown(value)} is not of type 'object'")
    strange = set(value) - {"length"}
    if strange:
        raise _invalid(
            "os-getConsoleOutput",
            value,
            f"Additional properties are not allowed ({_shown(min(strange))} was unexpected)",
        )
    length = value.get("length")
    if length is None:
        return None
    if isinstance(length, str) and re.fullmatch(r"-?[0-9]{1,9}", length):
        length = int(length)
    if not isinstance(length, int) or isinstance(length, bool):
        raise _invalid("length", length, f"{_shown(length)} is not of type 'integer'")
    if length < -1:
        raise _invalid("length", length, f"{length} is less than the minimum of -1")
    return None if length == -1 else min(length, _MOST_LINES)


def _check_object(value: Any, schema: Schema, field: str) -> None:
    if not isinstance(value, dict):
        raise _invalid(field, value, f"{_shown(value)} is not of type 'object'")
    for name, expected in schema.items():
        if name not in value:
            raise _invalid(field, value, f"'{name}' is a required property")
        if isinstance(expected, Mapping):
            _check_object(value[name], expected, name)
        elif not isinstance(value[name], str):
            raise _invalid(name, value[name], f"{_shown(value[name])} is not of type 'string'")
        elif value[name] not in expected:
            words = f"{_shown(value[name])} is not one of {list(expected)}"
            raise _invalid(name, value[name], words)
    strange = [name for name in value if name not in schema]
    if strange:
        listed = ", ".join(_shown(name) for name in strange[:5])
        were = "was" if len(strange) == 1 else "were"
        raise _invalid(
            field, value, f"Additional properties are not allowed ({listed} {were} unexpected)"
        )


def _invalid(field: str, value: Any, message: str) -> Fault:
    if not field:
        return Fault(400, message)
    return Fault(
        400, f"Invalid input for field/attribute {field}. Value: {_shown(value)}. {message}"
    )


def _shown(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 100 else text[:97] + "..."


def _no_constant(name: str) -> None:
    raise ValueError(name)
