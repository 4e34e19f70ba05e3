"""
The commands that ask an API: C{list}, C{open}, C{attach}, C{log}, C{sessions}, C{close}.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import secrets
import sys
import webbrowser
from collections.abc import Sequence
from hashlib import sha256
from pathlib import Path
from typing import Any

from ajaxconsole.account import find_account
from ajaxconsole.client import Client, tls_context
from ajaxconsole.outcome import DONE, NOT_FOUND, USAGE, Problem

_CONTROL = re.compile("[^\x20-\x7e\xa0-\U0010ffff]")


def run(words: Sequence[str]) -> int:
    """
    @param words: the command's name first.
    @return: what the program ends with.
    @raise Problem: it goes wrong.
    """
    asked = _parser().parse_args(list(words))
    if asked.command == "token":
        return _token(asked)
    account = find_account(vars(asked), os.environ, Path.home())
    return int(asked.act(Client(account), asked))


def _parser() -> argparse.ArgumentParser:
    common = argparse.ArgumentParser(add_help=False)
    common.add_argument("--url", help="of the API, such as https://console.example.org/")
    common.add_argument("--user", help="who asks")
    common.add_argument("--password-file", metavar="FILE", help="whose first line is the password")
    common.add_argument("--token-file", metavar="FILE", help="whose first line is an API token")
    common.add_argument("--os-cloud", metavar="NAME", help="of a clouds.yaml")
    common.add_argument("--cacert", metavar="FILE", help="certificates to trust besides")
    common.add_argument("--json", action="store_true", help="answer in JSON")
    guest = argparse.ArgumentParser(add_help=False)
    guest.add_argument("name", metavar="GUEST", help="its name or UUID")
    guest.add_argument("--host", help="where it is, if several have that name")
    device = argparse.ArgumentParser(add_help=False)
    device.add_argument("--device", help="alias of a serial device, such as serial0")

    parser = argparse.ArgumentParser(prog="ajaxconsole")
    commands = parser.add_subparsers(dest="command", required=True)

    def command(name: str, act: Any, text: str, *parents: Any) -> argparse.ArgumentParser:
        made: argparse.ArgumentParser = commands.add_parser(
            name, parents=[common, *parents], help=text, description=text
        )
        made.set_defaults(act=act)
        return made

    listing = command("list", _list, "List the guests that you may see.")
    listing.add_argument("--host", help="on this host alone")
    opening = command("open", _open, "Print a URL of a guest's console.", guest, device)
    opening.add_argument("--read-only", action="store_true", help="to look at only")
    opening.add_argument("--browser", action="store_true", help="open it in a browser")
    attaching = command("attach", _attach, "A guest's console in this terminal.", guest, device)
    attaching.add_argument("--read-only", action="store_true", help="type nothing")
    attaching.add_argument(
        "--escape", default="~", metavar="CHARACTER", help="~ unless told; ^] or none, for example"
    )
    log = command("log", _log, "Print what a guest has said.", guest, device)
    log.add_argument("--raw", action="store_true", help="byte for byte, with control characters")
    command("sessions", _sessions, "List who is on which console.")
    closing = command("close", _close, "End the consoles of a guest.", guest, device)
    closing.add_argument("--console", metavar="ID", help="this one alone")
    token = commands.add_parser("token", help="Make an API token for a user.")
    token.add_argument("user", help="whose it shall be")
    token.add_argument("--json", action="store_true", help="answer in JSON")
    return parser


def _list(client: Client, asked: Any) -> int:
    servers = client.servers(**({"host": asked.host} if asked.host else {}))
    rows = [
        {
            "name": server["name"],
            "status": server["status"],
            "host": server["OS-EXT-SRV-ATTR:host"],
            "id": server["id"],
            "project": server["tenant_id"],
        }
        for server in servers
    ]
    _tell(asked, rows, ("name", "status", "host", "id"))
    return DONE


def _open(client: Client, asked: Any) -> int:
    guest = client.guest(asked.name, asked.host)
    mode = "ro" if asked.read_only else None
    console = client.open(guest["id"], mode, asked.device)
    if asked.json:
        _say(json.dumps(console))
    else:
        _say(console["url"])
    if asked.browser and not webbrowser.open(console["url"]):
        raise Problem(1, "no browser was found to open it")
    return DONE


def _attach(client: Client, asked: Any) -> int:
    from ajaxconsole.attach import Attach, own_terminal
    from ajaxconsole.escape import Escape, parse_escape
    from ajaxconsole.socketlink import SocketLink

    try:
        escape = Escape(parse_escape(asked.escape))
    except ValueError as error:
        raise Problem(USAGE, f"--escape: {error}") from None
    guest = client.guest(asked.name, asked.host)
    mode = "ro" if asked.read_only else None

    def grant() -> str:
        return str(client.open(guest["id"], mode, asked.device)["url"])

    tls = tls_context(client.account)

    def connect(url: str) -> SocketLink:
        return SocketLink(url, tls)

    status = Attach(own_terminal(), escape, connect, grant, asked.read_only).run()
    if asked.json:
        _say(json.dumps({"guest": guest["id"], "left": True}))
    return status


def _log(client: Client, asked: Any) -> int:
    guest = client.guest(asked.name, asked.host)
    output = client.output(guest["id"], asked.device)
    if asked.json:
        _say(json.dumps({"guest": guest["id"], "output": _text(output)}))
    elif asked.raw:
        sys.stdout.buffer.write(output)
        sys.stdout.buffer.flush()
    else:
        sys.stdout.write(_text(output))
    return DONE


def _sessions(client: Client, asked: Any) -> int:
    rows = [
        {
            "guest": guest["name"],
            "host": guest["host"],
            "device": console["device"],
            "viewers": console["viewers"],
            "users": console["users"],
            "id": console["id"],
            "guest_id": guest["id"],
        }
        for guest in client.in_use()
        for console in guest["consoles"]
    ]
    _tell(asked, rows, ("guest", "host", "device", "viewers", "users", "id"))
    return DONE


def _close(client: Client, asked: Any) -> int:
    guest = client.guest(asked.name, asked.host)
    closed = [
        console["id"]
        for console in client.consoles(guest["id"])
        if asked.console in (None, console["id"]) and asked.device in (None, console["device"])
    ]
    for console in closed:
        try:
            client.close(guest["id"], console)
        except Problem as problem:
            if problem.status != NOT_FOUND:  # or else it has ended meanwhile
                raise
    if asked.json:
        _say(json.dumps({"guest": guest["id"], "closed": closed}))
    if not closed:
        raise Problem(NOT_FOUND, f"no such console of {guest['name']} is open")
    if not asked.json:
        _say(f"closed: {', '.join(closed)}")
    return DONE


def _token(asked: Any) -> int:
    """
    Only its digest goes into the server's file.
    """
    token = secrets.token_urlsafe(32)
    line = {"user": asked.user, "sha256": sha256(token.encode()).hexdigest()}
    if asked.json:
        _say(json.dumps({"token": token, "key": line}))
        return DONE
    user = json.dumps(line["user"])
    _say(f"The token, which is told nowhere else:\n\n  {token}\n\nFor the file of --keys:\n")
    _say(f'  [[token]]\n  user = {user}\n  sha256 = "{line["sha256"]}"')
    return DONE


def _tell(asked: Any, rows: Sequence[dict[str, Any]], columns: Sequence[str]) -> None:
    if asked.json:
        _say(json.dumps(rows))
        return
    table = [[column.upper() for column in columns]]
    table += [[_cell(row[column]) for column in columns] for row in rows]
    widths = [max(len(line[n]) for line in table) for n in range(len(columns))]
    for line in table:
        cells = (cell.ljust(width) for cell, width in zip(line, widths, strict=True))
        _say("  ".join(cells).rstrip())


def _cell(value: Any) -> str:
    """
    Names are others' words: none of them moves our cursor.
    """
    text = ", ".join(map(str, value)) if isinstance(value, list) else str(value)
    return _CONTROL.sub("?", text) or "-"


def _text(output: bytes) -> str:
    from consoleapi.output import as_text

    return as_text(output)


def _say(words: str) -> None:
    sys.stdout.write(words + "\n")
