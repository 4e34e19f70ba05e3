"""
C{ajaxconsole doctor}: whether this host has what C{ajaxconsole up}, or an agent of its
own, needs; and what to do where it has not.

It changes nothing, opens no console, and can be run beside a running agent.
It ends with 0 where all is well (a warning does not count), else with 1.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import socket
import ssl
import stat
import subprocess
import sys
import time
import tomllib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from pwd import getpwnam
from typing import Any
from urllib.parse import urlsplit

from ajaxconsole.outcome import DONE, FAILED, USAGE, Problem

GOOD, WARNING, BAD = "ok", "warning", "wrong"

_MOST_GUESTS = 1000


@dataclass(frozen=True, slots=True)
class Finding:
    """
    @ivar advice: what to do; empty where nothing need be done.
    """

    check: str
    outcome: str
    message: str
    advice: str = ""


def run(words: Sequence[str]) -> int:
    """
    @raise Problem: the settings can't be read.
    """
    parser = argparse.ArgumentParser(prog="ajaxconsole doctor")
    parser.add_argument("--config", metavar="FILE", help="the daemons' file of settings")
    parser.add_argument("--connect", help="libvirt's URI (qemu:///system)")
    parser.add_argument("--portrange", metavar="FIRST-LAST", help="ports of consoles (10000-12000)")
    parser.add_argument("--child-user", help="who the terminals run as (nobody)")
    parser.add_argument("--bus", help="URL of the broker, if there is one")
    parser.add_argument("--json", action="store_true", help="answer in JSON")
    asked = parser.parse_args(list(words))
    settings = {**_settings(asked.config), **{k: v for k, v in vars(asked).items() if v}}
    findings = [finding for check in CHECKS for finding in check(settings)]
    if asked.json:
        sys.stdout.write(json.dumps([asdict(finding) for finding in findings]) + "\n")
    else:
        for finding in findings:
            sys.stdout.write(f"{finding.outcome:8} {finding.check}: {finding.message}\n")
            if finding.advice:
                sys.stdout.write(f"         {finding.advice}\n")
    return FAILED if any(finding.outcome == BAD for finding in findings) else DONE


def _settings(path: str | None) -> dict[str, Any]:
    if path is None:
        return {}
    try:
        read = tomllib.loads(Path(path).read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise Problem(USAGE, f"--config: {path} can't be read: {error}") from None
    found: dict[str, Any] = {"_config": path}
    for section in ("computeagent", "consoleproxy", "consoleapi", "ajaxconsole"):
        for key, value in read.get(section, {}).items():
            found[key.replace("-", "_")] = value
    return found


def check_programs(settings: Mapping[str, Any]) -> Iterator[Finding]:
    path = shutil.which("socat")
    if path is None:
        yield Finding("socat", BAD, "it is not installed", "Install it: apt install socat")
        return
    said = subprocess.run([path, "-V"], capture_output=True, text=True, timeout=10).stdout
    version = next((line for line in said.splitlines() if "version" in line), "no version")
    yield Finding("socat", GOOD, f"{path}, {version.strip()}")


def check_child_user(settings: Mapping[str, Any]) -> Iterator[Finding]:
    name = settings.get("child_user") or "nobody"
    if os.geteuid() != 0:
        message = f"not root, so terminals run as uid {os.geteuid()} too"
        advice = "As root, they run as a user of their own."
        yield Finding("child user", WARNING, message, advice)
        return
    try:
        user = getpwnam(name)
    except KeyError:
        yield Finding("child user", BAD, f"there is no user {name}", "Name another: --child-user")
        return
    if user.pw_uid == 0:
        advice = "Name one without rights: --child-user nobody"
        yield Finding("child user", BAD, f"{name} is root", advice)
    else:
        yield Finding("child user", GOOD, f"{name}, uid {user.pw_uid}")


def check_ports(settings: Mapping[str, Any]) -> Iterator[Finding]:
    text = str(settings.get("portrange") or "10000-12000")
    first, _, last = text.partition("-")
    if not (first.isdecimal() and last.isdecimal() and 0 < int(first) <= int(last) < 65536):
        yield Finding("ports", BAD, f"{text} is no range", "Write it FIRST-LAST.")
        return
    address = str(settings.get("address") or "127.0.0.1")
    count, free = int(last) - int(first) + 1, 0
    for port in range(int(first), int(last) + 1, max(1, count // 200)):
        free += _is_free(address, port)
    tried = len(range(int(first), int(last) + 1, max(1, count // 200)))
    message = f"{free} of {tried} ports tried in {text} on {address} are free"
    low, high = Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()
    advice = ""
    if int(first) <= int(high) and int(low) <= int(last):
        advice = f"Outgoing connections take ports from {low}-{high} too; choose a range outside."
    if free == 0:
        yield Finding("ports", BAD, message, "Choose another range: --portrange FIRST-LAST")
    else:
        yield Finding("ports", WARNING if advice or free < tried / 2 else GOOD, message, advice)


def _is_free(address: str, port: int) -> bool:
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with socket.socket(family) as trying:
        try:
            trying.bind((address, port))
        except OSError:
            return False
    return True


def check_libvirt(settings: Mapping[str, Any]) -> Iterator[Finding]:
    uri = str(settings.get("connect") or "qemu:///system")
    try:
        from computeagent.census import GuestsUnknown, guests
    except ModuleNotFoundError:
        advice = "Install the extra: pip install ajaxconsole[agent]"
        yield Finding("libvirt", BAD, "its Python binding is missing", advice)
        return
    try:
        found = guests(uri)
    except GuestsUnknown as error:
        advice = "Is libvirtd running, and may this user reach it? Try: virsh -c " + uri + " list"
        yield Finding("libvirt", BAD, f"{uri}: {error}", advice)
        return
    yield Finding("libvirt", GOOD, f"{uri}: {len(found)} guests")
    for name, message, is_usable in found[:_MOST_GUESTS]:
        advice = "" if is_usable else "Add <serial type='pty'/> to its XML: virsh edit"
        yield Finding(f"guest {name}", GOOD if is_usable else WARNING, message, advice)


def check_permissions(settings: Mapping[str, Any]) -> Iterator[Finding]:
    if os.geteuid() == 0:
        yield Finding("permissions", GOOD, "root, which may open the guests' terminals")
    else:
        message = f"uid {os.geteuid()} may open the terminals of its own QEMUs alone"
        yield Finding("permissions", WARNING, message, "Run it as root, or as QEMU's user.")
    for key in ("_config", "keys", "cookie_key"):
        path = settings.get(key)
        if not path or not os.path.exists(path):
            continue
        if os.stat(path).st_mode & (stat.S_IRWXG | stat.S_IRWXO):
            advice = f"Do: chmod 600 {path}"
            outcome = BAD if key != "_config" else WARNING
            yield Finding("permissions", outcome, f"others may read {path}", advice)
        else:
            yield Finding("permissions", GOOD, f"{path} is for its owner alone")


def check_bus(settings: Mapping[str, Any]) -> Iterator[Finding]:
    bus = settings.get("bus")
    if not bus or str(bus).startswith("memory"):
        yield Finding("bus", GOOD, "in memory, as one host alone needs it")
        return
    parts = urlsplit(str(bus))
    where = f"{parts.hostname}:{parts.port or (5671 if parts.scheme == 'amqps' else 5672)}"
    try:
        port = int(where.rpartition(":")[2])
        with socket.create_connection((parts.hostname or "", port), 5):
            yield Finding("bus", GOOD, f"{where} takes connections")
    except (OSError, ValueError) as error:
        advice = "Is the broker running, and does a firewall let this host through?"
        yield Finding("bus", BAD, f"{where}: {error}", advice)


def check_clock(settings: Mapping[str, Any]) -> Iterator[Finding]:
    if time.time() < 1_700_000_000:
        advice = "Set it: timedatectl set-ntp true"
        yield Finding("clock", BAD, f"it says {time.strftime('%Y-%m-%d')}", advice)
    elif Path("/run/systemd/timesync/synchronized").exists():
        yield Finding("clock", GOOD, "it is kept in step")
    else:
        message = "whether it is kept in step can't be seen here"
        advice = "TLS and EC2's signatures need it right within minutes."
        yield Finding("clock", WARNING, message, advice)


def check_tls(settings: Mapping[str, Any]) -> Iterator[Finding]:
    words = str(settings.get("listen") or "").split(":")
    named = dict(word.partition("=")[::2] for word in words if "=" in word)
    key, certificate = named.get("privateKey"), named.get("certKey")
    if words[0] != "ssl":
        yield Finding("TLS", GOOD, "not here; a reverse proxy may do it")
        return
    try:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate or key or "", key)
        yield Finding("TLS", GOOD, f"{certificate or key} and its key fit together")
    except (OSError, ssl.SSLError) as error:
        advice = "Look at privateKey and certKey of --listen."
        yield Finding("TLS", BAD, f"{certificate or key}: {error}", advice)


CHECKS: Sequence[Callable[[Mapping[str, Any]], Iterator[Finding]]] = (
    check_permissions,
    check_child_user,
    check_programs,
    check_libvirt,
    check_ports,
    check_bus,
    check_clock,
    check_tls,
)
