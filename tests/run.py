"""
Runs the tests: the fast ones under coverage, the page's, and those on real parts.

    tests/run.py                     everything
    tests/run.py --fast, --real      the fast ones (and the page's), the real ones
    tests/run.py tests.ajaxterm ...  what is named, as trial takes it

WORKERS=1 runs the real ones one after the other, which is easier to follow.

Ends with C{N passed, N failed}, and with success only if none failed.  A runner that crashes,
hangs beyond its time limit, or finds no test at all counts as a failure.
"""

from __future__ import annotations

import contextlib
import os
import re
import select
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
FAST = [
    *("groundwork", "consolebus", "consolesettings", "ajaxterm"),
    *("computeagent", "consoleapi", "consoleproxy", "ajaxconsole", "fuzz", "mutations"),
]
LONGEST = [
    f"tests.real.test_{name}"
    for name in ("life", "adoption", "kills", "nova", "page_looks", "lobby", "cli")
]
"""They come first, so that no worker ends long after the others."""
PAGE = ROOT / "ajaxterm/page"

_TRIAL = [sys.executable, "-m", "twisted.trial", "--temp-directory"]
_COVERAGE = [sys.executable, "-m", "coverage"]


@dataclass(frozen=True, slots=True)
class Counts:
    passed: int = 0
    failed: int = 0
    skipped: int = 0

    def __add__(self, other: Counts) -> Counts:
        return Counts(
            self.passed + other.passed,
            self.failed + other.failed,
            self.skipped + other.skipped,
        )

    def __str__(self) -> str:
        skips = f", {self.skipped} skipped" if self.skipped else ""
        return f"{self.passed} passed, {self.failed} failed{skips}"


def main(arguments: list[str]) -> int:
    os.chdir(ROOT)
    names = [each for each in arguments if not each.startswith("-")]
    options = set(arguments) - set(names)
    if options - {"--fast", "--real"}:
        sys.stderr.write(__doc__ or "")
        return 2
    total = Counts()
    if names:
        total += _named(names)
    if "--fast" in options or not (options or names):
        total += _fast()
        total += _page()
    if "--real" in options or not (options or names):
        total += _real()
    _say(str(total))
    return 1 if total.failed or not total.passed else 0


def _named(names: list[str]) -> Counts:
    command = [*_TRIAL, ".work/trial-named", "--reporter=verbose", *names]
    return _suite("the tests named", command, _trial_counts, limit=1800)


def _fast() -> Counts:
    rooms = [f"tests.{room}" for room in FAST if any((ROOT / "tests" / room).glob("test_*.py"))]
    measured = [*_COVERAGE, "run", "-m", "twisted.trial", "--temp-directory", ".work/trial-fast"]
    counts = _suite("the fast tests", [*measured, *rooms], _trial_counts, limit=600)
    report = subprocess.run([*_COVERAGE, "report"], capture_output=True, text=True)
    _say(report.stdout.rstrip() or report.stderr.rstrip())
    covered = re.search(r"^TOTAL.*?(\d+%)$", report.stdout, re.MULTILINE)
    if covered:
        _say(f"The fast tests alone cover {covered[1]} of the lines")
    return counts


def _page() -> Counts:
    if not (PAGE / "package.json").exists():
        return Counts()
    command = ["npm", "--prefix", str(PAGE), "test"]
    return _suite("the page's tests", command, _node_counts, limit=300)


def _real() -> Counts:
    """
    By several workers, since these tests wait more than they compute.  Each has a
    libvirtd, a broker and whatever else tests share, of its own.
    """
    workers = os.environ.get("WORKERS") or str((os.cpu_count() or 1) + 1)
    others = {f"tests.real.{path.stem}" for path in (ROOT / "tests/real").glob("test_*.py")}
    names = [*LONGEST, *sorted(others - set(LONGEST))]
    command = [*_TRIAL, ".work/trial-real", "--reporter=verbose", "-j", workers, *names]
    return _suite(f"the tests on real parts, by {workers} workers", command, _trial_counts, 1800)


def _suite(title: str, command: list[str], count: Callable[[str], Counts], limit: float) -> Counts:
    """
    Run one runner in a session of its own, pass its output on, and count.

    @param limit: seconds until it is ended.
    """
    _say(f"--- {title}")
    began = time.monotonic()
    running = subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        start_new_session=True,
    )
    late = threading.Timer(limit, _end, [running])
    late.start()
    try:
        output = _pass_on(running)
        status = running.wait()
    except KeyboardInterrupt:
        _end(running)
        raise
    finally:
        late.cancel()
    took = time.monotonic() - began
    counts = count(output)
    if took >= limit:
        counts = _failure(counts, f"{title} were not done within {limit:.0f} s")
    elif status != 0 and not counts.failed:
        counts = _failure(counts, f"the runner of {title} ended with status {status}")
    elif counts == Counts():
        counts = _failure(counts, f"{title}: there was none")
    _say(f"--- {title}: {counts}, {took:.0f} s")
    return counts


def _pass_on(running: subprocess.Popen[bytes]) -> str:
    """
    Until its end, not that of its output: what it left running may hold that open.
    """
    assert running.stdout is not None
    output = bytearray()
    while True:
        ended = running.poll() is not None
        if select.select([running.stdout], [], [], 0 if ended else 0.2)[0]:
            piece = os.read(running.stdout.fileno(), 65536)
            output += piece
            sys.stdout.buffer.write(piece)
            sys.stdout.buffer.flush()
            if piece:
                continue
            running.wait()
            ended = True
        if ended:
            return output.decode(errors="replace")


def _end(running: subprocess.Popen[bytes]) -> None:
    """
    As by Ctrl-C, so that it clears up what it started; after ten seconds, at once.
    """
    for how in (signal.SIGINT, signal.SIGKILL):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(running.pid, how)
        with contextlib.suppress(subprocess.TimeoutExpired):
            running.wait(10)


def _failure(counts: Counts, words: str) -> Counts:
    _say(f"FAILED: {words}")
    return counts + Counts(failed=1)


def _trial_counts(output: str) -> Counts:
    """
    Out of C{FAILED (skips=1, failures=1, errors=2, successes=6)}, trial's last line.
    """
    summaries = re.findall(r"^(?:PASSED|FAILED)(?: \((.*)\))?$", output, re.MULTILINE)
    if not summaries:
        return Counts()
    numbers = {what: int(n) for what, n in re.findall(r"(\w+)=(\d+)", summaries[-1])}
    return Counts(
        passed=numbers.get("successes", 0) + numbers.get("expectedFailures", 0),
        failed=sum(numbers.get(bad, 0) for bad in ("failures", "errors", "unexpectedSuccesses")),
        skipped=numbers.get("skips", 0) + numbers.get("todos", 0),
    )


def _node_counts(output: str) -> Counts:
    """
    Out of C{# pass 6}, which is C{\u2139 pass 6} for a person.
    """
    numbers = {what: int(n) for what, n in re.findall(r"^[#\u2139] (\w+) (\d+)\s*$", output, re.M)}
    return Counts(
        passed=numbers.get("pass", 0),
        failed=numbers.get("fail", 0) + numbers.get("cancelled", 0),
        skipped=numbers.get("skipped", 0) + numbers.get("todo", 0),
    )


def _say(words: str) -> None:
    sys.stdout.write(words + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except KeyboardInterrupt:
        sys.exit(130)
