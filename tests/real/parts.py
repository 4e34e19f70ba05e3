"""
The real parts that the tests in this folder share: a libvirtd, guests, daemons
in processes of their own, viewers, a browser.

These tests block, so they are C{SynchronousTestCase}s; nothing of ours runs in
their process.  Whatever waits here waits for a condition, and gives up after
L{PATIENCE}.
"""

from __future__ import annotations

import atexit
import contextlib
import functools
import os
import random
import shutil
import socket
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any, TypeVar

from computeagent.foundry import FOUNDRY
from demo.guest import Guest
from demo.libvirtd import PrivateLibvirt

T = TypeVar("T")

PATIENCE = 60.0
"""Seconds; the machine may be busy."""

ROOT = Path(__file__).resolve().parent.parent.parent

MISSING = next(
    (
        f"{program} is not installed"
        for program in ("libvirtd", "qemu-system-x86_64", "socat")
        if shutil.which(program) is None
    ),
    "only root can run a libvirtd" if os.geteuid() != 0 else None,
)
"""For a test's C{skip}."""


def until(condition: Callable[[], T], what: str, patience: float = PATIENCE) -> T:
    """
    Wait until C{condition} gives something true.
    """
    deadline = time.monotonic() + patience
    while True:
        found = condition()
        if found:
            return found
        if time.monotonic() > deadline:
            raise AssertionError(f"waited in vain until {what}")
        time.sleep(0.02)


@functools.cache
def shared_libvirt() -> PrivateLibvirt:
    """
    One for all tests that leave it running.
    """
    libvirt = PrivateLibvirt()
    libvirt.start()
    atexit.register(libvirt.stop)
    return libvirt


def new_guest(case: Any, name: str, **how: Any) -> Guest:
    """
    A running guest, gone after the test.
    """
    guest = Guest(how.pop("libvirt", None) or shared_libvirt(), name, **how)
    guest.start()

    def gone() -> None:
        with contextlib.suppress(Exception):
            guest.destroy()
        with contextlib.suppress(Exception):
            guest.undefine()

    case.addCleanup(gone)
    return guest


def free_port() -> int:
    """
    @return: one below those that the kernel gives to whoever connects, which could be
        somebody's before we listen on it.
    """
    for _ in range(100):
        port = random.randrange(20000, 32000)
        with contextlib.suppress(OSError), socket.create_server(("127.0.0.1", port)):
            return port
    raise AssertionError("no port is free")


def children_of(pid: int) -> list[int]:
    """
    @return: all descendants of a process.
    """
    parents: dict[int, list[int]] = {}
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            with contextlib.suppress(OSError):
                words = Path(f"/proc/{entry}/stat").read_text().rpartition(")")[2].split()
                parents.setdefault(int(words[1]), []).append(int(entry))
    found, wanted = [], [pid]
    while wanted:
        children = parents.get(wanted.pop(), [])
        found += children
        wanted += children
    return found


def console_children_of(pid: int) -> list[int]:
    """
    @return: the descendants of an agent that belong to its consoles.  Its foundry does not:
        it is there before the first one, and stays after the last.  What that forks has its
        command, but another parent.
    """
    foundries = [each for each in children_of(pid) if FOUNDRY in command_of(each)]
    forked = [child for each in foundries for child in children_of(each)]
    return [each for each in children_of(pid) if each not in foundries or each in forked]


def listening_ports(pids: Iterable[int]) -> list[int]:
    """
    @return: the TCP ports on which these processes listen.
    """
    rows = Path("/proc/net/tcp").read_text("ascii").splitlines()[1:]
    sockets = {
        f"socket:[{words[9]}]": int(words[1].rpartition(":")[2], 16)
        for words in map(str.split, rows)
        if words[3] == "0A"
    }
    ports = set()
    for pid in pids:
        with contextlib.suppress(OSError):
            for entry in os.scandir(f"/proc/{pid}/fd"):
                port = sockets.get(os.readlink(entry.path))
                if port is not None:
                    ports.add(port)
    return sorted(ports)


def command_of(pid: int) -> list[str]:
    try:
        return Path(f"/proc/{pid}/cmdline").read_text().split("\0")[:-1]
    except OSError:
        return []


@contextlib.contextmanager
def browser() -> Iterator[Any]:
    """
    A Chromium of Playwright's.
    """
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(
            executable_path="/usr/bin/chromium",
            args=["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
            # The certificate of tests.real.behind is nobody's.
            + ["--ignore-certificate-errors"] * bool(os.environ.get("PAGE_BEHIND")),
        )
        try:
            yield chromium
        finally:
            chromium.close()
