"""
C{/openapi.json}: what there is, described for programs (OpenAPI 3.1).

It is written by hand, and a test holds it against the table of routes.
"""

from __future__ import annotations

import json
from pathlib import Path

FILE = Path(__file__).parent / "openapi.json"


def read_description(file: Path = FILE) -> bytes:
    return json.dumps(json.loads(file.read_bytes()), separators=(",", ":")).encode("ascii")
