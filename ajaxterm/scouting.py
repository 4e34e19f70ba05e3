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
    _spare_children()
    os.chdir("/")
    if os.getpgid(0) != os.getpid():
        os.setsid()  # a Ctrl-C for the agent is none for us
    user = sys.argv[1] if len(sys.argv) > 1 else None
    names, places = scouted(user)
    kept = [sys.intern(each) for each in names]
    from ajaxterm.foundry import run

    run(user, kept, frozenset(places))


def _spare_children() -> None:
    """
    Have no module do anything in forked children.  L{threading} and L{logging} make their locks
    anew there, as a thread that is not in the child might hold one, and L{random} begins another
    sequence: 0.3 MB for each terminal (measured).  There is one thread here, and what is to
    be secret comes from the kernel.
    """
    os.register_at_fork = lambda **_: None


def scouted(user: str | None) -> tuple[list[str], list[str]]:
    """
    @return: the names that a terminal's code knows, and where that code is
        (L{ajaxterm.nearby.place_of}); nothing, and a line in the log, if the scout can't tell or
        does not come back within L{SCOUTING}.
    """
    ours, its = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            _scout(user, its)
        except Exception as problem:
            sys.stderr.write(f"The scout found nothing out: {problem!r}\n")
        finally:
            os._exit(0)
    os.close(its)
    with open(ours) as answer:
        said = answer.read().split("\n\n")
    os.waitpid(pid, 0)
    if len(said) != 3:
        # It came to nothing (there may be no loopback), or not to an end.
        sys.stderr.write("Without a trial each terminal takes more memory\n")
        return [], []
    names, places, _ = (each.split("\n") for each in said)
    return names, places


def _scout(user: str | None, its: int) -> None:
    import signal

    # By the kernel, as there may be nobody any more who could end it.
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    signal.alarm(SCOUTING)

    from ajaxterm.trial import tried

    names, places = tried(user, SCOUTING)
    with open(its, "w") as answer:
        answer.write("\n".join(names) + "\n\n" + "\n".join(places) + "\n\n")
