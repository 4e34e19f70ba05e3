"""
What a guest said before its console was opened: the file that libvirt keeps of a
serial device with C{<log file='...'/>}.

QEMU writes what the guest says to the pty, and then to the log; what nobody reads at
the pty is lost there, but not in the log.  Once we hold the pty open, what the
kernel keeps for us is the log's end.  So, in a moment in which nothing moves, the log
less as many bytes as the kernel keeps is exactly what came before; what follows comes by
the pty, and nothing is missing or twice.  Where the guest does not stop talking for
long enough, or more is kept than can be counted, that is not sure, and said so.

virtlogd begins a log anew when it is 2 MiB long, and keeps the one before as C{.0}
(virtlogd.conf(5)); what is not in the one any more is looked for in the other.  Not where
libvirt empties the log at each start of the guest (C{append='off'}): the other may be of
an earlier life then, and something between them is gone.

The agent may be root, and the path comes from a description that others write.  So
nothing is read that is not a plain file, reached without a link, with one name,
and held open for writing right now by this guest's QEMU or by libvirt's virtlogd.

Everything here blocks, if only for milliseconds; it runs in a thread.
"""

from __future__ import annotations

import fcntl
import os
import stat
import struct
import termios
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from computeagent.devices import has_hung_up
from computeagent.qemus import qemus_of

QUIET = 0.02
"""Seconds in which nothing may move, and once more.  From the pty to the log it takes QEMU
some microseconds, virtlogd some hundred; inside the pty up to 13 ms on a busy host (measured)."""

PATIENCE = 0.4
"""Seconds that such a moment is waited for."""

COUNTABLE = 3900
"""Bytes that a pty's reader can be told of; there may be more behind (Linux, n_tty)."""


class LogRefused(Exception):
    """What the XML names is not this guest's log; the sentence is for our log."""


@dataclass(frozen=True, slots=True)
class Before:
    """
    @ivar output: what the guest said last, before what its line will bring.
    @ivar sure: whether the one follows the other without a gap, and nothing twice.
    """

    output: bytes
    sure: bool


def read_log(
    path: str, uuid: str, device: int, most: int, since: int | None = None, appends: bool = True
) -> Before:
    """
    @param uuid: of the guest.
    @param device: its open serial device, of which nobody has read yet.
    @param most: bytes.
    @param since: of the log, which bytes are known already; C{None} for all there is.
    @param appends: whether it goes on over the guest's lives.
    @raise LogRefused:
    """
    log = _open(path, uuid)
    try:
        end, sure = _joint(log, device)
        older = b""
        if since is None or os.fstat(log).st_size < since:  # it was begun anew
            if appends:
                older = _read_older(path, log, since or 0, most - end)
            since = None
        start = max(since or 0, end - most)
        return Before(older + _read(log, start, end), sure)
    except OSError as error:
        raise LogRefused(f"{path} can't be read: {error.strerror}") from None
    finally:
        os.close(log)


def _joint(log: int, device: int) -> tuple[int, bool]:
    """
    @return: the size of what came before, and whether that is sure.
    """
    if not os.isatty(device):
        return os.fstat(log).st_size, False
    deadline = time.monotonic() + PATIENCE
    seen = first = _seen(log, device)
    quiet = 0
    while (before := time.monotonic()) < deadline:
        time.sleep(QUIET)
        # Where we get no processor for long, QEMU or virtlogd may not have got one at all.
        in_time = time.monotonic() - before < 2 * QUIET
        size, kept = now = _seen(log, device)
        quiet = quiet + 1 if now == seen and in_time else 0
        if quiet == 2 and kept < COUNTABLE and kept <= size:
            return size - kept, True
        seen = now
    # It talks since it was started, but nothing was said before we held it.
    return seen[0] if first[0] else 0, not first[0]


def _seen(log: int, device: int) -> tuple[int, int]:
    """@return: bytes in the log, and bytes that the kernel keeps for us."""
    # Where there is nothing, this takes in what is on its way first (Linux, n_tty_poll).
    has_hung_up(device)
    kept = fcntl.ioctl(device, termios.FIONREAD, b"\0\0\0\0")
    return os.fstat(log).st_size, struct.unpack("i", kept)[0]


def _read(log: int, start: int, end: int) -> bytes:
    parts = []
    while start < end:
        part = os.pread(log, min(1 << 20, end - start), start)
        if not part:
            break
        parts.append(part)
        start += len(part)
    return b"".join(parts)


def _read_older(path: str, log: int, start: int, most: int) -> bytes:
    """@return: the end of the log before this one, as far as that can be had."""
    if most <= 0:
        return b""
    try:
        older, _ = _open_plain(path + ".0")
    except LogRefused:
        return b""
    try:
        status = os.fstat(older)
        if status.st_uid != os.fstat(log).st_uid:
            return b""
        return _read(older, max(start, status.st_size - most), status.st_size)
    finally:
        os.close(older)


def _open(path: str, uuid: str) -> int:
    log, status = _open_plain(path)
    try:
        if not _is_written(status, os.path.basename(path), uuid):
            raise LogRefused(f"{path} is not being written by this guest's QEMU or by virtlogd")
    except BaseException:
        os.close(log)
        raise
    return log


def _open_plain(path: str) -> tuple[int, os.stat_result]:
    if not path.startswith("/") or os.path.normpath(path) != path or path.startswith("//"):
        raise LogRefused(f"{path[:100]!r} is no plain absolute path")
    flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK
    *folders, name = path[1:].split("/")
    place = os.open("/", os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        for folder in folders:
            inner = os.open(
                folder,
                os.O_PATH | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC,
                dir_fd=place,
            )
            os.close(place)
            place = inner
        # Looked at before it is opened to be read: some files do something then.
        status = os.stat(name, dir_fd=place, follow_symlinks=False)
        if not stat.S_ISREG(status.st_mode) or status.st_nlink != 1:
            raise LogRefused(f"{path} is not a plain file with one name")
        log = os.open(name, flags, dir_fd=place)
    except OSError as error:
        raise LogRefused(f"{path} can't be opened: {error.strerror}") from None
    finally:
        os.close(place)
    try:
        status = os.fstat(log)
        if not stat.S_ISREG(status.st_mode) or status.st_nlink != 1:
            raise LogRefused(f"{path} is not a plain file with one name")
    except BaseException:
        os.close(log)
        raise
    return log, status


def _is_written(status: os.stat_result, name: str, uuid: str) -> bool:
    """Whether who may write the guest's log has that file open to write it."""
    for pid in (*qemus_of(uuid), *_log_daemons()):
        try:
            entries = list(os.scandir(f"/proc/{pid}/fd"))
        except OSError:
            continue
        for entry in entries:
            try:
                # Not each: a disk of the guest may be where asking takes for ever.
                if not os.readlink(entry.path).endswith(f"/{name}"):
                    continue
                of = os.stat(entry.path)
                same = (of.st_dev, of.st_ino) == (status.st_dev, status.st_ino)
                # The link's own mode says how the file is open (proc(5)).
                if same and os.lstat(entry.path).st_mode & stat.S_IWUSR:
                    return True
            except OSError:
                continue
    return False


def _log_daemons() -> Iterator[int]:
    for name in os.listdir("/proc"):
        if name.isdigit():
            try:
                if Path(f"/proc/{name}/comm").read_text() == "virtlogd\n":
                    if os.stat(f"/proc/{name}").st_uid == 0:
                        yield int(name)
            except OSError:
                continue


def length_of(path: str) -> int | None:
    """@return: how long a log is now, where that can be told."""
    try:
        return os.stat(path, follow_symlinks=False).st_size
    except OSError:
        return None
