"""
The thread that carries open WebSockets.

Once its head is checked, a WebSocket is two sockets and nothing to decide.  They leave
the reactor for a loop that does nothing else: a key costs it an C{epoll_wait}, a
C{recv} and a C{send}, where a turn of the reactor costs more than those together
(measured; docs/performance.md).  And what keeps the reactor busy (pages, tokens, a
flood of either) does not keep a console waiting for longer than it takes to get the
interpreter from it, L{Carrier.SWITCH}.

Only that thread touches the sockets.  From the reactor come orders, L{Carrier.carry}
and L{Carrier.cut}; to the reactor goes how it ended.
"""

from __future__ import annotations

import os
import socket
import struct
import sys
from collections import deque
from collections.abc import Callable
from select import EPOLLERR, EPOLLHUP, EPOLLIN, EPOLLOUT, EPOLLRDHUP, epoll
from threading import Thread

from twisted.internet.interfaces import IReactorFromThreads
from twisted.logger import Logger
from twisted.python.failure import Failure

from consoleproxy.lane import MOST_READ, Lane
from consoleproxy.splicing import KernelPipes

_READABLE = EPOLLIN | EPOLLHUP | EPOLLERR
_WRITABLE = EPOLLOUT | EPOLLHUP | EPOLLERR
_HUNG_UP = EPOLLRDHUP | EPOLLHUP | EPOLLERR
_RESET = struct.pack("ii", 1, 0)


class _End:
    """
    One of the two sockets.

    @ivar leaving: the lane that reads it.
    @ivar arriving: the lane that writes it.
    @ivar polled: what it is polled for.
    @ivar hung_up: whether its peer has, with something left to be read.
    """

    __slots__ = ("socket", "number", "pair", "leaving", "arriving", "polled", "hung_up")

    def __init__(self, end: socket.socket, pair: Pair, leaving: Lane, arriving: Lane) -> None:
        self.socket = end
        self.number = end.fileno()
        self.pair = pair
        self.leaving = leaving
        self.arriving = arriving
        self.polled = 0
        self.hung_up = False


class Pair:
    """
    Two sockets that are carried.

    @ivar to_browser: and L{to_backend}, the lanes between them.
    """

    __slots__ = ("to_browser", "to_backend", "ends", "_told", "_half")

    def __init__(
        self,
        browser: socket.socket,
        backend: socket.socket,
        buffer: memoryview,
        pipes: KernelPipes,
        told: Callable[[bool], None],
    ) -> None:
        self.to_browser = Lane(backend, browser, buffer, pipes)
        self.to_backend = Lane(browser, backend, buffer, pipes)
        self.ends = (
            _End(browser, self, self.to_backend, self.to_browser),
            _End(backend, self, self.to_browser, self.to_backend),
        )
        self._told = told
        self._half = False

    @property
    def moved(self) -> int:
        """Bytes, both ways."""
        return self.to_browser.moved + self.to_backend.moved

    def news(self) -> Callable[[], None] | None:
        """
        @return: what the reactor is to be told, if anything.
        """
        lanes = self.to_browser, self.to_backend
        if all(lane.over for lane in lanes):
            return lambda: self._told(True)
        if not self._half and (
            any(lane.over for lane in lanes) or any(end.hung_up for end in self.ends)
        ):
            self._half = True
            return lambda: self._told(False)
        return None


class Carrier:
    """
    @cvar SWITCH: seconds after which a busy reactor has to let the thread have the
        interpreter; Python's own is ten times as long.
    @cvar AT_ONCE: sockets that are looked after in one turn.
    """

    SWITCH = 0.0005
    AT_ONCE = 256

    _log = Logger()

    def __init__(self, reactor: IReactorFromThreads) -> None:
        self._reactor = reactor
        self._orders: deque[Callable[[], None]] = deque()
        self._ends: dict[int, _End] = {}
        self._pipes = KernelPipes()
        self._buffer = memoryview(bytearray(MOST_READ))
        self._thread: Thread | None = None
        self._closed = False

    def ready(self) -> bool:
        """
        @return: whether L{carry} can be called; if not, descriptors or threads have run out.
        """
        if self._thread is None:
            try:
                self._start()
            except (OSError, RuntimeError):
                self._log.failure("while starting the thread that carries")
        return self._thread is not None

    def carry(
        self,
        browser: socket.socket,
        backend: socket.socket,
        told: Callable[[bool], None],
    ) -> Pair:
        """
        Carry bytes between two sockets, which are ours from now on.

        @param told: called in the reactor, with C{False} when one direction has ended, and
            with C{True}, once and last, when both have and the sockets are closed.
        """
        pair = Pair(browser, backend, self._buffer, self._pipes, told)
        self._order(lambda: self._begin(pair))
        return pair

    def cut(self, pair: Pair) -> None:
        """End both sockets, at once."""
        if self._thread is not None:
            self._order(lambda: self._cut(pair))

    def close(self) -> None:
        """Cut all; the thread ends, and is waited for."""
        if self._thread is not None:
            self._order(self._stop)
            self._thread.join(5.0)
            self._thread = None

    def _order(self, order: Callable[[], None]) -> None:
        if self._thread is None:
            self._start()
        self._orders.append(order)
        os.eventfd_write(self._bell, 1)

    def _start(self) -> None:
        bell = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        try:
            poll = epoll()
            try:
                poll.register(bell, EPOLLIN)
                self._bell, self._poll, self._closed = bell, poll, False
                thread = Thread(target=self._run, name="carrier", daemon=True)
                thread.start()
            except BaseException:
                poll.close()
                raise
        except BaseException:
            os.close(bell)
            raise
        sys.setswitchinterval(min(self.SWITCH, sys.getswitchinterval()))
        self._thread = thread

    # From here on, in the thread.

    def _run(self) -> None:
        poll, ends = self._poll.poll, self._ends
        while not self._closed:
            for number, events in poll(-1, self.AT_ONCE):
                end = ends.get(number)
                if end is not None:
                    try:
                        self._look_after(end, events)
                    except Exception:
                        self._failed(end.pair)
                elif number == self._bell:
                    self._obey()
        self._poll.close()
        os.close(self._bell)

    def _look_after(self, end: _End, events: int) -> None:
        as_before = True
        if events & _WRITABLE and end.arriving.waits:
            as_before = end.arriving.flush()
        if events & _READABLE and end.leaving.reads:
            as_before = end.leaving.fill() and as_before
        elif events & _HUNG_UP:
            end.hung_up = True
            as_before = False
        if not as_before:
            self._settle(end.pair)

    def _settle(self, pair: Pair) -> None:
        """Poll for what the lanes need now; nothing, once both are over."""
        for end in pair.ends:
            if end.leaving.broken and not end.arriving.over:
                end.arriving.give_up()
        news = pair.news()
        if pair.to_browser.over and pair.to_backend.over:
            self._close(pair)
        else:
            for end in pair.ends:
                wanted = EPOLLOUT if end.arriving.waits else 0
                if end.leaving.reads:
                    wanted |= EPOLLIN
                elif end.leaving.waits and not end.hung_up:
                    wanted |= EPOLLRDHUP
                self._poll_for(end, wanted)
        if news is not None:
            self._reactor.callFromThread(news)

    def _poll_for(self, end: _End, wanted: int) -> None:
        # Of what is polled for nothing, the kernel would go on telling that it hung up.
        if wanted == end.polled:
            return
        if not wanted:
            self._poll.unregister(end.number)
        elif end.polled:
            self._poll.modify(end.number, wanted)
        else:
            self._poll.register(end.number, wanted)
        end.polled = wanted

    def _begin(self, pair: Pair) -> None:
        for end in pair.ends:
            self._ends[end.number] = end
        try:
            self._settle(pair)
        except Exception:
            self._failed(pair)

    def _cut(self, pair: Pair) -> None:
        if self._ends.get(pair.ends[0].number) is not pair.ends[0]:
            return
        for end in pair.ends:
            try:
                end.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
            except OSError:
                pass
        try:
            for end in pair.ends:
                end.arriving.give_up()
            self._settle(pair)
        except Exception:
            self._tell_failure("while cutting a WebSocket")
            self._close_anyhow(pair)

    def _close(self, pair: Pair) -> None:
        for end in pair.ends:
            self._poll_for(end, 0)
            end.socket.close()
        for end in pair.ends:
            self._ends.pop(end.number, None)

    def _close_anyhow(self, pair: Pair) -> None:
        """Close both sockets, whatever its lanes and the kernel say, and tell the reactor."""
        if self._ends.get(pair.ends[0].number) is not pair.ends[0]:
            return
        for end in pair.ends:
            self._ends.pop(end.number, None)
            end.arriving.over = True
            try:
                end.socket.close()  # which is the end of its being polled, too
            except OSError:
                pass
        news = pair.news()
        if news is not None:
            self._reactor.callFromThread(news)

    def _failed(self, pair: Pair) -> None:
        self._tell_failure("while carrying a WebSocket")
        self._cut(pair)

    def _tell_failure(self, when: str) -> None:
        self._reactor.callFromThread(self._log.failure, when, Failure())

    def _obey(self) -> None:
        os.eventfd_read(self._bell)
        while self._orders:
            try:
                self._orders.popleft()()
            except Exception:
                self._tell_failure("while obeying an order")

    def _stop(self) -> None:
        self._closed = True
        for pair in {end.pair for end in self._ends.values()}:
            self._cut(pair)
        self._pipes.close()
