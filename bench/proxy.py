"""
The proxy alone, beside nginx and haproxy, in front of the same backend, in one run.

    .venv/bin/python -m bench.proxy [--fronts nginx,haproxy,ours] [--metrics echo,bulk,...]
                                    [--rounds 5] [--base nginx] [--json FILE]

Whoever runs it, the proxies run as C{nobody} if that is possible.  The backend
(L{bench.echoes}) and the client are one process each, and share the machine's cores with the
proxy: haproxy's and nginx's threads and processes are as many as there are cores.

C{echo}: one WebSocket through each, and one directly; a byte, and its echo, in turns of 200.
What counts is "added": what the same takes directly is taken off.  C{bulk}, C{many},
C{tls}: MB/s from the backend, and the proxy's processor time for a GB, over one WebSocket,
200, and one under TLS.  C{idle}: what 2,000 WebSockets add to the proxy's memory, each.
C{keys}: 2,000 WebSockets, and five keys a second in each; how long the echo takes, and how
many never came.  C{pages}: requests a second of a page of 2 kB, 64 at a time (C{wrk}).
C{console}: the same of the page of a real console (L{bench.terminal}).
"""

from __future__ import annotations

import argparse
import gc
import json
import os
import re
import resource
import shutil
import socket
import ssl
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from select import EPOLLIN, epoll

from bench.consoles import Result, Rounds, percentile, table
from bench.fronts import USER, Front, cookie, page, path
from bench.processes import cost, cpu, family

MB = 1e6
PORT = 24000
"""And some more from there on."""

CONSOLES = 2000

ASKED = (
    "GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: MDEyMzQ1Njc4OWFiY2RlZg==\r\n\r\n"
)


class Failed(Exception):
    """Something is missing, or is too much."""


def dial(port: int, index: int, tls: bool = False) -> socket.socket:
    """
    @return: an open WebSocket.
    """
    end = socket.create_connection(("127.0.0.1", port), 20)
    end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    if tls:
        context = ssl.create_default_context()
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        end = context.wrap_socket(end)
    end.sendall(ASKED.format(path=path(index)).encode("ascii"))
    head = b""
    while not head.endswith(b"\r\n\r\n"):
        came = end.recv(1)
        if not came:
            break
        head += came
    if b" 101 " not in head:
        raise Failed(f"port {port} said {head[:60]!r}")
    return end


def echo(fronts: Sequence[Front], keys: int = 2000, turns: int = 10) -> dict[str, Result]:
    times: dict[str, list[float]] = {front.name: [] for front in fronts}
    ends = {front.name: dial(front.port, 0) for front in fronts}
    names = list(ends)
    gc.disable()
    for turn in range(turns + 1):
        for name in [*names[turn % len(names) :], *names[: turn % len(names)]]:
            end = ends[name]
            for _ in range(keys // turns):
                began = time.perf_counter()
                end.send(b"k")
                if end.recv(10) != b"k":
                    raise Failed(f"{name} said something else")
                if turn:  # the first is to warm up
                    times[name].append((time.perf_counter() - began) * 1e6)
    gc.enable()
    for end in ends.values():
        end.close()
    floor = percentile(times["direct"], 0.5), percentile(times["direct"], 0.99)
    return {
        name: {
            "added p50 µs": percentile(each, 0.5) - floor[0],
            "p50 µs": percentile(each, 0.5),
            "p99 µs": percentile(each, 0.99),
        }
        for name, each in times.items()
        if name != "direct"
    }


def _pour(front: Front, count: int, length: int, tls: bool = False) -> Result:
    """C{length} bytes over each of C{count} WebSockets at once."""
    ends = {}
    poll = epoll()
    for index in range(count):
        end = dial(front.tls if tls else front.port, index, tls)
        ends[end.fileno()] = end
    used, began = cpu(front.roots), time.perf_counter()
    for number, end in ends.items():
        poll.register(number, EPOLLIN)
        end.sendall(b"!%d\n" % length)
    room, left = bytearray(1 << 20), dict.fromkeys(ends, length)
    to_come = length * count
    while to_come:
        for number, _ in poll.poll(20):
            came = ends[number].recv_into(room)
            if not came:
                raise Failed(f"{front.name} hung up")
            to_come -= came
            left[number] -= came
    spent, used = time.perf_counter() - began, cpu(front.roots) - used
    if any(left.values()):
        raise Failed(f"{front.name}: bytes of one came to another")
    for end in ends.values():
        end.close()
    total = length * count
    return {"MB/s": total / spent / MB, "CPU s/GB": used / total * 1e9}


def bulk(front: Front) -> Result:
    return _pour(front, 1, 1 << 29)


def many(front: Front) -> Result:
    return _pour(front, 200, 4 << 20)


def tls(front: Front) -> Result:
    return _pour(front, 1, 1 << 28, tls=True)


def idle(front: Front, count: int = 2000) -> Result:
    ends = [dial(front.port, index) for index in range(count)]
    time.sleep(2)
    grown = cost(family(front.roots)).pss - front.resting
    for end in ends:
        end.close()
    time.sleep(1)
    return {"kB each": grown / count / 1000}


def keys(front: Front, count: int = 2000, rate: int = 5, seconds: int = 8) -> Result:
    poll = epoll()
    ends = {}
    for index in range(count):
        end = dial(front.port, index)
        end.setblocking(False)
        ends[end.fileno()] = end
        poll.register(end, EPOLLIN)
    order = list(ends)
    typed: dict[int, list[float]] = {number: [] for number in ends}
    times: list[float] = []
    total, sent = count * rate * seconds, 0
    gc.disable()
    used, began = cpu(front.roots), time.perf_counter()
    while len(times) < total and time.perf_counter() - began < seconds + 10:
        due = min(total, int((time.perf_counter() - began) * count * rate))
        for which in range(sent, min(due, sent + 50)):
            number = order[which % count]
            typed[number].append(time.perf_counter())
            ends[number].send(b"k")
            sent += 1
        for number, _ in poll.poll(0 if sent < due else 0.0005):
            came = len(ends[number].recv(100))
            now = time.perf_counter()
            times += [(now - at) * 1e6 for at in typed[number][:came]]
            del typed[number][:came]
    used = cpu(front.roots) - used
    gc.enable()
    for end in ends.values():
        end.close()
    time.sleep(1)
    return {
        "p50 µs": percentile(times, 0.5),
        "p99 µs": percentile(times, 0.99),
        "CPU µs/key": used / total * 1e6,
        "lost": float(total - len(times)),
    }


def pages(front: Front, index: int = 0, seconds: int = 4) -> Result:
    target = f"http://127.0.0.1:{front.port}{page(index)}"
    argv = ["wrk", "-t1", "-c64", f"-d{seconds}s", "-H", f"Cookie: {cookie(index)}", target]
    used = cpu(front.roots)
    said = subprocess.run(argv, capture_output=True, text=True, check=True).stdout
    used = cpu(front.roots) - used
    if "Non-2xx" in said:
        raise Failed(f"{front.name}: {said}")
    found = re.search(r"([0-9]+) requests in .*Requests/sec: +([0-9.]+)", said, re.DOTALL)
    assert found is not None, said
    return {"requests/s": float(found[2]), "CPU µs each": used / float(found[1]) * 1e6}


def console(front: Front) -> Result:
    return pages(front, CONSOLES)


METRICS = {
    "bulk": bulk,
    "many": many,
    "tls": tls,
    "idle": idle,
    "keys": keys,
    "pages": pages,
    "console": console,
}


def certify(folder: Path) -> None:
    """A certificate and a cookie key that the proxies can read."""
    subprocess.run(
        [
            *("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2"),
            *("-subj", "/CN=localhost", "-keyout", "key.pem", "-out", "certificate.pem"),
        ],
        cwd=folder,
        check=True,
        capture_output=True,
    )
    pieces = [(folder / name).read_text() for name in ("certificate.pem", "key.pem")]
    (folder / "both.pem").write_text("".join(pieces))
    (folder / "cookie.key").write_bytes(b"k" * 32)
    (folder / "cookie.key").chmod(0o600)
    if os.geteuid() == 0:
        for each in [folder, *folder.iterdir()]:
            shutil.chown(each, USER)


def main() -> None:
    parser = argparse.ArgumentParser(prog="bench.proxy", description=__doc__)
    parser.add_argument("--fronts", default="nginx,haproxy,ours")
    parser.add_argument("--metrics", default="echo," + ",".join(METRICS))
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--base", default="nginx", help="to which the ratios are")
    parser.add_argument("--json", type=Path, help="where all numbers go")
    options = parser.parse_args()
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    names, metrics = options.fronts.split(","), options.metrics.split(",")
    rounds: Rounds = {metric: {name: [] for name in names} for metric in metrics}
    with tempfile.TemporaryDirectory(prefix="bench-") as scratch:
        folder = Path(scratch)
        certify(folder)
        backend = subprocess.Popen([sys.executable, "-m", "bench.echoes", str(PORT)])
        terminal = subprocess.Popen([sys.executable, "-m", "bench.terminal", str(PORT + 1)])
        backends = PORT, PORT + 1
        fronts = [Front("direct", folder, (0, 0), backends, 0)]
        try:
            for at, name in enumerate(names):
                ports = PORT + 2 + 2 * at, PORT + 3 + 2 * at
                fronts.append(Front(name, folder, ports, backends, CONSOLES))
            for number in range(options.rounds):
                for metric in metrics:
                    for name, result in measure(metric, fronts).items():
                        rounds[metric][name].append(result)
                        sys.stderr.write(f"round {number + 1}: {metric} of {name}: {result}\n")
        finally:
            for front in fronts:
                front.stop()
            for each in (backend, terminal):
                each.terminate()
                each.wait(10)
    if options.json:
        options.json.write_text(json.dumps(rounds, indent=1))
    sys.stdout.write(table(rounds, options.base))
    load = statistics.fmean(os.getloadavg())
    sys.stdout.write(f"\nThe machine's load at the end: {load:.1f}, on {os.cpu_count()} cores.\n")


def measure(metric: str, fronts: Sequence[Front]) -> dict[str, Result]:
    if metric == "echo":
        return echo(fronts)
    return {front.name: METRICS[metric](front) for front in fronts if front.name != "direct"}


if __name__ == "__main__":
    main()
