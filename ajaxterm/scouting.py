"""
How a foundry starts: what its terminals will run is found out before anything is loaded.

    python -c "from ajaxterm.scouting import foundry; foundry()" [UID:GID]

A scout, which is a child, tries all of it (L{ajaxterm.trial}), tells the names and the code that
it met, and is gone.

Python keeps one object of each name, so where these lie is decided by who names them first.  So
this file imports next to nothing, and is not run by C{-m}, which would import twenty modules.
"""

from __future__ import annotations

import os
import sys

SCOUTING = 5
"""Whole seconds that the scout has; it takes less than one (measured)."""


def foundry() -> None:
    """
    Find out, lay the names together, and go on as the foundry.
    """
    user = sys.argv[1] if len(sys.argv) > 1 else None
    names, places = scouted(user)
    kept = [sys.intern(each) for each in names]
    from ajaxterm.foundry import run

    run(user, kept, places)


def scouted(user: str | None) -> tuple[list[str], list[str]]:
    """
    @return: the names that a terminal's code knows, and where that code is
        (L{ajaxterm.nearby.place_of}); nothing if the scout does not come back within L{SCOUTING}.
    """
    ours, its = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            import signal

            from ajaxterm.trial import tried

            # By the kernel, as there may be nobody any more who could end it.
            signal.signal(signal.SIGALRM, signal.SIG_DFL)
            signal.alarm(SCOUTING)
            try:
                names, places = tried(user, SCOUTING)
            except Exception as problem:
                # There may be no loopback; or a Python, or a Twisted, that does not let us.
                words = "Without a trial each terminal takes more memory"
                sys.stderr.write(f"{words}: {problem!r}\n")
            else:
                with open(its, "w") as answer:
                    answer.write("\n".join(names) + "\n\n" + "\n".join(places) + "\n\n")
        finally:
            os._exit(0)
    os.close(its)
    with open(ours) as answer:
        said = answer.read().split("\n\n")
    os.waitpid(pid, 0)
    if len(said) != 3:
        return [], []  # it came to nothing, or not to an end
    names, places, _ = (each.split("\n") for each in said)
    return names, places
