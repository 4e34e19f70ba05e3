"""
C{ajaxconsole end-consoles}: ends what an agent has left running on this host when it was
stopped, or killed, where no other one shall go on with it.
"""

from __future__ import annotations

import argparse
import os
import socket
import sys
from collections.abc import Sequence
from pathlib import Path

from ajaxconsole.outcome import DONE, FAILED, Problem
from computeagent.rooms import Rooms, runtime_directory
from computeagent.sweeping import sweep

ENDED = "The host's administrator has ended all consoles."


def run(words: Sequence[str]) -> int:
    """
    @return: what the program ends with.
    @raise Problem: an agent is running, or the directory can't be had.
    """
    parser = argparse.ArgumentParser(
        prog="ajaxconsole end-consoles",
        description="End the consoles that a stopped agent has left on this host. "
        "(Those of a running one are ended by 'ajaxconsole close'.)",
    )
    parser.add_argument("--host", default=socket.gethostname(), help="the agent's --host")
    parser.add_argument("--run", metavar="DIR", help="the agent's --run (/run/ajaxconsole/HOST)")
    asked = parser.parse_args(list(words))
    run = Path(asked.run or runtime_directory(asked.host, os.geteuid(), os.environ))
    if not run.is_dir():
        raise Problem(FAILED, f"there is no {run}; name the agent's by --run, or be who it runs as")
    rooms = Rooms(run)
    try:
        rooms.prepare()
    except OSError as error:
        raise Problem(FAILED, str(error)) from None
    try:
        ended = sweep(list(rooms.left_over()), ENDED)
    finally:
        rooms.release()
    sys.stdout.write(f"ended: {ended}\n")
    return DONE
