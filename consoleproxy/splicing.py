"""
The kernel's pipes, through which bytes go from socket to socket without being
copied into the process and out again.

Pipes are scarce for whoever is not root (pipe-user-pages-soft: 64 MiB in all, and
then one page each), so there are few, and nobody has one for longer than bytes
are in it: who is next takes the pipe of who has waited longest, and that one's bytes
come into the process after all.  Of these there is a limit: beyond it nobody takes
a pipe, and who has none reads and writes.
"""

from __future__ import annotations

import errno
import fcntl
import os
from collections.abc import Callable

_FLAGS = os.SPLICE_F_NONBLOCK | os.SPLICE_F_MOVE


class KernelPipe:
    """
    @ivar inside: bytes that are in it.
    """

    __slots__ = ("inside", "_entry", "_exit", "_size")

    def __init__(self, size: int) -> None:
        """
        @raise OSError: there are too many descriptors.
        """
        self.inside = 0
        self._exit, self._entry = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        try:
            self._size = fcntl.fcntl(self._entry, fcntl.F_SETPIPE_SZ, size)
        except OSError:
            self._size = 1 << 16  # as pipes are

    def fill(self, source: int) -> int:
        """
        Take what fits from a socket.

        @return: bytes; 0 if it has ended.
        @raise OSError: also if nothing is there.
        """
        length = os.splice(source, self._entry, self._size, flags=_FLAGS)
        self.inside += length
        return length

    def empty(self, sink: int) -> int:
        """
        Give a socket what it takes.

        @return: bytes.
        @raise OSError: it takes nothing any more.
        """
        try:
            length = os.splice(self._exit, sink, self.inside, flags=_FLAGS)
        except BlockingIOError:
            return 0
        self.inside -= length
        return length

    def pour_out(self) -> bytes:
        """
        @return: what is in it, taken out of it.
        """
        pieces = []
        while self.inside:
            pieces.append(os.read(self._exit, self.inside))
            self.inside -= len(pieces[-1])
        return b"".join(pieces)

    def close(self) -> None:
        os.close(self._entry)
        os.close(self._exit)


class KernelPipes:
    """
    @ivar poured: bytes that came out of pipes which were taken, and still wait for their sinks.
    @cvar MOST: pipes at a time; with L{SIZE}, 4 MiB of the 64 that the kernel grants a user.
    @cvar SIZE: bytes that one holds.
    @cvar MOST_POURED: of L{poured}.
    """

    MOST = 16
    SIZE = 1 << 18
    MOST_POURED = 1 << 24

    def __init__(self) -> None:
        self.poured = 0
        self._free: list[KernelPipe] = []
        self._count = 0
        # Who keeps a pipe, the longest first, and how to get it back.
        self._kept: dict[KernelPipe, Callable[[], None]] = {}
        self._work = True

    def take(self) -> KernelPipe | None:
        """
        @return: an empty one; C{None} if there is none to be had.
        """
        if not self._free and self._work:
            if self._count < self.MOST:
                self._make()
            elif self._kept and self.poured + self.SIZE <= self.MOST_POURED:
                next(iter(self._kept.values()))()
        return self._free.pop() if self._free else None

    def keep(self, pipe: KernelPipe, pour_out: Callable[[], None]) -> None:
        """
        Keep one, since the sink did not take all that is in it.

        @param pour_out: called when somebody else needs it; gives it back, empty.
        """
        self._kept[pipe] = pour_out

    def give_back(self, pipe: KernelPipe) -> None:
        """It is not needed any more; what is in it is lost."""
        self._kept.pop(pipe, None)
        if pipe.inside:
            pipe.close()
            self._count -= 1
        else:
            self._free.append(pipe)

    def failed(self, error: OSError) -> bool:
        """
        @return: whether C{error} means that splicing is not possible here, and not
            that a socket has ended.
        """
        if error.errno in (errno.EINVAL, errno.ENOSYS, errno.EPERM):
            self._work = False
            return True
        return False

    def close(self) -> None:
        for pipe in [*self._free, *self._kept]:
            pipe.close()
        self._free.clear()
        self._kept.clear()
        self._work = False

    def _make(self) -> None:
        try:
            self._free.append(KernelPipe(self.SIZE))
        except OSError:
            return
        self._count += 1
