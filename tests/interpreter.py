"""
Programs in an interpreter of their own, for tests of what forks.
"""

from __future__ import annotations

import subprocess
import sys
from textwrap import dedent


def said_by(script: str) -> str:
    """@return: what a program writes, also to stderr."""
    return subprocess.run(
        [sys.executable, "-c", dedent(script)],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=20,
    ).stdout
