"""
What the command line asks of the API.
"""

from __future__ import annotations

import json
import re
import ssl
from http.client import HTTPException
from typing import Any
from urllib.error import HTTPError, URLError
from urllib.parse import quote, urlencode
from urllib.request import HTTPRedirectHandler, HTTPSHandler, ProxyHandler, Request, build_opener

from ajaxconsole.account import Account
from ajaxconsole.outcome import FAILED, FORBIDDEN, NOT_FOUND, UNREACHABLE, USAGE, Problem

_PATIENCE = 60.0
_MOST_ANSWER = 32 << 20
_MOST_PAGES = 1000

_UUID = re.compile("[0-9A-Fa-f]{8}(-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}")
_STATUSES = {401: FORBIDDEN, 403: FORBIDDEN, 404: NOT_FOUND}


class _NoRedirect(HTTPRedirectHandler):
    """
    Credentials go where the user said, and nowhere else.
    """

    def redirect_request(self, *_: Any) -> None:
        return None


class Client:
    """
    One API.
    """

    def __init__(self, account: Account) -> None:
        self.account = account
        handlers: list[Any] = [_NoRedirect(), HTTPSHandler(context=tls_context(account))]
        if account.url.startswith("http://127.0.0.1") or "localhost" in account.url:
            handlers.append(ProxyHandler({}))
        self._opener = build_opener(*handlers)

    def ask(self, method: str, path: str, value: Any = None) -> bytes:
        """
        @raise Problem: it is not done.
        """
        headers = {"Accept": "application/json", **self.account.headers()}
        body = None
        if value is not None:
            body = json.dumps(value).encode()
            headers["Content-Type"] = "application/json"
        request = Request(self.account.url + path, body, headers, method=method)
        try:
            with self._opener.open(request, timeout=_PATIENCE) as answer:
                return bytes(answer.read(_MOST_ANSWER))
        except HTTPError as error:
            raise _refusal(error) from None
        except (URLError, OSError, HTTPException) as error:
            why = getattr(error, "reason", None) or error
            raise Problem(UNREACHABLE, f"{self.account.url} can't be reached: {why}") from None

    def get(self, path: str) -> Any:
        return _parsed(self.ask("GET", path))

    def servers(self, **query: str) -> list[dict[str, Any]]:
        """
        All pages of them.
        """
        found: list[dict[str, Any]] = []
        for _ in range(_MOST_PAGES):
            answer = self.get(f"v2.1/servers/detail?{urlencode(query)}")
            found += answer["servers"]
            if not answer.get("servers_links"):
                break
            query["marker"] = found[-1]["id"]
        return found

    def in_use(self) -> list[dict[str, Any]]:
        """
        All guests with an open console, as the lobby shows them.
        """
        found: list[dict[str, Any]] = []
        query = {"open": "1"}
        for _ in range(_MOST_PAGES):
            answer = self.get(f"lobby/guests?{urlencode(query)}")
            found += answer["guests"]
            if not answer["guests"] or len(answer["guests"]) >= answer["fitting"]:
                break
            query["marker"] = found[-1]["id"]
        return found

    def guest(self, name: str, host: str | None = None) -> dict[str, Any]:
        """
        @param name: a name, or a UUID.
        @raise Problem: there is none of that name, or several.
        """
        if _UUID.fullmatch(name):
            return dict(self.get(f"v2.1/servers/{name}")["server"])
        query = {"name": name, **({"host": host} if host else {})}
        found = [server for server in self.servers(**query) if server["name"] == name]
        if not found:
            raise Problem(NOT_FOUND, f"there is no guest named {name}")
        if len(found) > 1:
            where = ", ".join(f"{one['id']} on {one['OS-EXT-SRV-ATTR:host']}" for one in found)
            raise Problem(NOT_FOUND, f"several guests are named {name}; give a UUID: {where}")
        return found[0]

    def open(self, uuid: str, mode: str | None, device: str | None) -> dict[str, Any]:
        """
        @return: id, device, mode and url of a console.
        """
        wanted = {key: value for key, value in (("mode", mode), ("device", device)) if value}
        answer = self.ask("POST", f"v2.1/servers/{uuid}/consoles", {"console": wanted})
        return dict(_parsed(answer)["console"])

    def consoles(self, uuid: str) -> list[dict[str, Any]]:
        return list(self.get(f"v2.1/servers/{uuid}/consoles")["consoles"])

    def close(self, uuid: str, console: str) -> None:
        self.ask("DELETE", f"v2.1/servers/{uuid}/consoles/{quote(console, safe='')}")

    def output(self, uuid: str, device: str | None) -> bytes:
        query = f"?{urlencode({'device': device})}" if device else ""
        return self.ask("GET", f"v2.1/servers/{uuid}/output{query}")


def tls_context(account: Account) -> ssl.SSLContext:
    """
    @raise Problem: the certificates can't be had.
    """
    try:
        return ssl.create_default_context(cafile=account.cacert or None)
    except (OSError, ssl.SSLError) as error:
        raise Problem(USAGE, f"{account.cacert} holds no certificates: {error}") from None


def _refusal(error: HTTPError) -> Problem:
    status = _STATUSES.get(error.code, FAILED)
    if 300 <= error.code < 400:
        return Problem(FAILED, "the server sends us elsewhere; is this the address of the API?")
    try:
        (fault,) = json.loads(error.read(1 << 20)).values()
        return Problem(status, str(fault["message"]))
    except (ValueError, KeyError, TypeError, AttributeError, OSError):
        return Problem(status, f"the server answered {error.code} {error.reason}")


def _parsed(answer: bytes) -> Any:
    try:
        return json.loads(answer)
    except ValueError:
        raise Problem(FAILED, "the server's answer is not JSON; is this the address?") from None
