"""
Opening the host side of a serial device, trusting no path.

A C{/dev/pts/N} in a domain XML may be stale, and N may be somebody's ssh session
by now; a socket's path may lead through a symlink (CVE-2026-7374).  So whatever
is opened is looked at once it I{is} open, and must belong to the QEMU of this very
guest (L{computeagent.qemus}).

Everything here blocks, if only for milliseconds; it runs in a thread.
"""

from __future__ import annotations

import os
import re
import select
import socket
import stat
import struct
import termios
import tty
from pathlib import Path

from computeagent.domainxml import SerialDevice
from computeagent.listeners import inodes_listening
from computeagent.qemus import qemus_of

PTS_MAJORS = range(136, 144)
"""Unix98 pty slaves (Linux, Documentation/admin-guide/devices.txt)."""

CONNECT_TIMEOUT = 2.0
"""Seconds that a socket of QEMU's has to accept us."""

_PTS = re.compile(r"/dev/pts/(0|[1-9][0-9]{0,9})")


class DeviceRefused(Exception):
    """
    What the XML names is not the terminal of this guest.  The sentence is for
    the log and for the user.
    """


class CannotOpen(Exception):
    """
    The agent lacks the right to open it, or it is just going away.
    """


def open_device(device: SerialDevice, uuid: str) -> int:
    """
    @param uuid: of the guest.
    @return: a descriptor for both directions, close-on-exec; for a pty in raw
        mode.
    @raise DeviceRefused:
    @raise CannotOpen:
    """
    if device.type == "pty":
        return _open_pty(device.path, uuid)
    if device.type == "unix":
        return _open_unix(device.path, uuid)
    if device.type == "tcp":
        return _open_tcp(device.host, device.port, uuid)
    raise DeviceRefused(f"a device of type {device.type} can't be opened")


def has_hung_up(device: int) -> bool:
    """
    Whether the guest's side of an open device is gone for good.
    """
    looking = select.poll()
    looking.register(device, select.POLLRDHUP)
    return bool(looking.poll(0))


def has_open(pid: int, device: int) -> bool:
    """
    Whether a socat has the same device open as we have.  Not, where that can't be seen.
    """
    try:
        there, here = os.stat(f"/proc/{pid}/fd/3"), os.fstat(device)
    except OSError:
        return False
    return (there.st_dev, there.st_ino, there.st_rdev) == (here.st_dev, here.st_ino, here.st_rdev)


def _open_pty(path: str, uuid: str) -> int:
    if not path:
        raise CannotOpen("it has no terminal on the host yet, or no more")
    match = _PTS.fullmatch(path)
    if match is None:
        raise DeviceRefused(f"{path[:100]!r} is no /dev/pts/ and a number")
    number = int(match[1])
    try:
        folder = os.open("/dev/pts", os.O_PATH | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError as error:
        raise DeviceRefused(f"/dev/pts can't be used: {error.strerror}") from None
    try:
        if _file_system(folder) != "devpts":
            raise DeviceRefused("/dev/pts is not a devpts file system")
        flags = os.O_RDWR | os.O_NOCTTY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
        opened = os.open(match[1], flags, dir_fd=folder)
    except FileNotFoundError:
        raise CannotOpen(f"{path} is gone") from None
    except PermissionError:
        raise CannotOpen(
            f"the agent may not open {path}: run it as root, or as the user that QEMU runs as"
        ) from None
    except OSError as error:
        # ELOOP for a symlink; EIO where the master is gone.
        raise DeviceRefused(f"{path} can't be opened: {error.strerror}") from None
    finally:
        os.close(folder)
    try:
        status = os.fstat(opened)
        if not stat.S_ISCHR(status.st_mode) or os.major(status.st_rdev) not in PTS_MAJORS:
            raise DeviceRefused(f"{path} is no pseudo-terminal")
        _require_master(path, number, status.st_uid, uuid)
        # QEMU makes it raw as well, but a socat that was stopped may have put
        # back what it found.  A cooked line echoes the guest's output to it.
        tty.setraw(opened, termios.TCSANOW)
        os.set_blocking(opened, True)  # socat shares this with us, and waits
    except termios.error as error:
        os.close(opened)
        raise CannotOpen(f"{path} is going away: {error}") from None
    except BaseException:
        os.close(opened)
        raise
    return opened


def _open_unix(path: str, uuid: str) -> int:
    if not path.startswith("/") or os.path.normpath(path) != path:
        raise DeviceRefused(f"{path[:100]!r} is no absolute path")
    try:
        leaf = os.open(path, os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError as error:
        raise CannotOpen(f"{path} can't be opened: {error.strerror}") from None
    joined = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        if not stat.S_ISSOCK(os.fstat(leaf).st_mode):
            raise DeviceRefused(f"{path} is no socket")
        joined.settimeout(CONNECT_TIMEOUT)
        joined.connect(f"/proc/self/fd/{leaf}")
        # Who accepted is asked of the kernel, so no path can lie about it.
        format = "3i"
        credentials = joined.getsockopt(
            socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize(format)
        )
        pid = struct.unpack(format, credentials)[0]
        if pid not in set(qemus_of(uuid)):
            raise DeviceRefused(f"{path} is not held by this guest's QEMU")
        joined.settimeout(None)
        return joined.detach()
    except OSError as error:
        raise CannotOpen(f"{path} does not accept us: {error}") from None
    finally:
        joined.close()
        os.close(leaf)


def _open_tcp(host: str, port: int, uuid: str) -> int:
    here = {"": "127.0.0.1", "0.0.0.0": "127.0.0.1", "::": "::1", "localhost": "127.0.0.1"}
    address = here.get(host, host)
    try:
        found = socket.getaddrinfo(address, port, type=socket.SOCK_STREAM)
    except OSError as error:
        raise CannotOpen(f"{address[:100]} is not found: {error}") from None
    # Looked at and connected to by number, so a name can't change its mind in between.
    number = str(found[0][4][0])
    held = {name for pid in qemus_of(uuid) for name in _open_files(pid)}
    inodes = inodes_listening(number, port)
    if not inodes or not all(f"socket:[{inode}]" in held for inode in inodes):
        raise DeviceRefused(f"{number}, port {port}, is not listened on by this guest's QEMU")
    try:
        joined = socket.create_connection((number, port), CONNECT_TIMEOUT)
    except OSError as error:
        raise CannotOpen(f"{number}, port {port}, does not accept us: {error}") from None
    joined.settimeout(None)
    return joined.detach()


def _require_master(path: str, number: int, owner: int, uuid: str) -> None:
    """
    Some QEMU of the guest must hold the master side, which is what
    C{tty-index} in C{/proc/PID/fdinfo} of its C{/dev/ptmx} says.
    """
    unreadable: list[int] = []
    for pid in qemus_of(uuid):
        try:
            if number in _masters(pid):
                return
        except PermissionError:
            unreadable.append(pid)
        except OSError:
            continue  # it has just ended
    for pid in unreadable:
        # Not root: the pty must at least belong to whom that QEMU runs as.
        try:
            if Path(f"/proc/{pid}").stat().st_uid == owner:
                return
        except OSError:
            continue
    raise DeviceRefused(f"{path} is not a terminal of this guest: its QEMU does not hold it")


def _masters(pid: int) -> set[int]:
    """@raise PermissionError: we may not look into that process."""
    numbers = set()
    for entry in os.scandir(f"/proc/{pid}/fdinfo"):
        try:
            text = Path(entry.path).read_text("ascii", "replace")
        except (FileNotFoundError, ProcessLookupError):
            continue
        match = re.search(r"^tty-index:\s*([0-9]+)$", text, re.MULTILINE)
        if match is not None:
            numbers.add(int(match[1]))
    return numbers


def _open_files(pid: int) -> set[str]:
    found = set()
    try:
        for entry in os.scandir(f"/proc/{pid}/fd"):
            try:
                found.add(os.readlink(entry.path))
            except OSError:
                continue
    except OSError:
        pass
    return found


def _file_system(descriptor: int) -> str:
    """The type of the file system that an open file is on."""
    text = Path(f"/proc/self/fdinfo/{descriptor}").read_text("ascii")
    match = re.search(r"^mnt_id:\s*([0-9]+)$", text, re.MULTILINE)
    if match is not None:
        for line in Path("/proc/self/mountinfo").read_text("utf-8", "replace").splitlines():
            words = line.split()
            if words[0] == match[1]:
                return words[words.index("-") + 1]
    return ""
