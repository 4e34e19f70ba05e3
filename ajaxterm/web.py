"""
A terminal's HTTP: its page, its files, its scrollback, its WebSocket, and what serves
where there can be none.

Everything asks the I{door} first.  Behind the proxy a secret comes in the
C{Authorization} header, put there by the proxy alone; standing alone, a cookie
does it, which the door itself hands out for the token in the printed URL.
"""

from __future__ import annotations

import mimetypes
import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Protocol

from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger
from twisted.python.failure import Failure
from twisted.web.http_headers import Headers
from twisted.web.resource import Resource
from twisted.web.server import NOT_DONE_YET, Request

from ajaxterm.frames import V1, BadHandshake, WebSocket, handshake
from ajaxterm.grants import Grant, Grants
from ajaxterm.polling import Polling
from ajaxterm.session import Session
from ajaxterm.viewer import Unwelcome
from ajaxterm.viewer_log import ViewerLog
from ajaxterm.viewer_plain import ViewerPlain
from ajaxterm.viewer_v1 import ViewerV1
from groundwork.answering import answer
from groundwork.manners import HostRule, OriginRule, be_strict, only
from groundwork.takeover import take_over

PAGE_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; "
    "img-src 'self' data:; connect-src 'self'; font-src 'self'; "
    "frame-ancestors 'self'; base-uri 'none'; form-action 'none'"
)

_NAME = re.compile("[A-Za-z0-9]{1,64}")
_NUMBER = re.compile(rb"[0-9]{1,18}")

CODINGS = {"br": ".br", "gzip": ".gz"}
"""How the page's files are compressed, the smallest first, and how those are called."""


class NoPage(Exception):
    """The page was not built."""


class Page:
    """
    The built page, held in memory: after it has given up its rights, an
    ajaxterm may not be able to read its own files.
    """

    def __init__(self, files: Mapping[str, bytes]) -> None:
        self._files = dict(files)

    @classmethod
    def load(cls, folder: Path | None = None) -> Page:
        """
        @raise NoPage: there is none; the sentence says how to build it.
        """
        folder = folder or Path(__file__).parent / "page" / "built"
        files = {p.name: p.read_bytes() for p in folder.glob("*") if p.is_file()}
        if "index.html" not in files:
            raise NoPage(
                f"the terminal's page is not in {folder}; in a checkout, "
                "'npm ci && npm run build' in ajaxterm/page builds it"
            )
        return cls(files)

    def file(self, name: str) -> tuple[bytes, str] | None:
        """@return: content and media type."""
        content = self._files.get(name)
        if content is None or name.endswith(tuple(CODINGS.values())):
            return None
        kind = mimetypes.guess_type(name)[0] or "application/octet-stream"
        if kind.startswith("text/") or kind.endswith("javascript"):
            kind += "; charset=utf-8"
        return content, kind

    def coded(self, name: str, headers: Headers) -> tuple[bytes, str] | None:
        """
        @param headers: of a request.
        @return: a file as it was compressed when it was built, and by what; C{None} if it
            was not, or the client does not say that it can read that.
        """
        offers = ",".join(headers.getRawHeaders("Accept-Encoding", [])).lower().split(",")
        for coding, suffix in CODINGS.items():
            content = self._files.get(name + suffix)
            if content is not None and any(_is_offer(offer, coding) for offer in offers):
                return content, coding
        return None


class Door(Protocol):
    """Who is let in."""

    def admit(self, request: Request) -> Grant | None:
        """@return: the grant under which C{request} comes."""

    def welcome(self, request: Request) -> bytes | int | None:
        """Answer a request at the door itself, or return C{None}."""


class ProxyDoor:
    """Lets in what bears a secret in its C{Authorization} header."""

    def __init__(self, grants: Grants) -> None:
        self._grants = grants

    def admit(self, request: Request) -> Grant | None:
        try:
            value = only(request.requestHeaders, "Authorization") or ""
        except (ValueError, UnicodeDecodeError):
            return None
        kind, _, secret = value.partition(" ")
        return self._grants.find(secret) if kind == "Bearer" else None

    def welcome(self, request: Request) -> bytes | int | None:
        return None


class OwnDoor:
    """
    The door of an ajaxterm that stands alone: exchanges the token in the URL
    for a cookie, and checks Host and Origin itself.
    """

    COOKIE = "ajaxterm"

    def __init__(self, grants: Grants, port: int, names: Iterable[str] = ()) -> None:
        """
        @param port: where we listen.  It is part of the cookie's name, since
            cookies do not tell ports apart (RFC 6265, 8.5).
        @param names: what we are called besides what L{HostRule} knows.
        """
        self._grants = grants
        self._cookie = f"{self.COOKIE}-{port}"
        self._host, self._origin = HostRule(names), OriginRule()

    def admit(self, request: Request) -> Grant | None:
        headers = request.requestHeaders
        if not (self._host.is_ours(headers) and self._origin.is_welcome(headers)):
            return None
        # All of them: an earlier ajaxterm's cookie may be beside a good token.
        for secret in (*_cookies(headers, self._cookie), _token(request)):
            grant = self._grants.find(secret) if secret else None
            if grant is not None:
                return grant
        return None

    def welcome(self, request: Request) -> bytes | int | None:
        token = _token(request)
        if token is None or request.method not in (b"GET", b"HEAD") or _wants_websocket(request):
            return None
        if not self._host.is_ours(request.requestHeaders) or self._grants.find(token) is None:
            return None
        request.setResponseCode(303)
        request.setHeader("Location", "./")
        request.setHeader("Set-Cookie", f"{self._cookie}={token}; HttpOnly; SameSite=Lax; Path=/")
        return b""


class TerminalResource(Resource):
    """All paths of one terminal."""

    isLeaf = True

    _log = Logger()

    def __init__(
        self, clock: IReactorTime, session: Session, door: Door, page: Page, release: str
    ) -> None:
        super().__init__()
        self._clock = clock
        self._session = session
        self._door = door
        self._page = page
        self._release = release
        self._polling = Polling(clock, session, release)

    def render(self, request: Request) -> bytes | int:
        be_strict(request)
        answer = self._answer(request)
        if request.method == b"HEAD" and isinstance(answer, bytes):
            # By us, since twisted.web says in the log whom it does it for.
            request.setHeader("Content-Length", str(len(answer)))
            return b""
        return answer

    def _answer(self, request: Request) -> bytes | int:
        path = b"/".join(request.postpath or []).decode("utf-8", "replace")
        if path == "":
            welcomed = self._door.welcome(request)
            if welcomed is not None:
                return welcomed
        grant = self._door.admit(request)
        if grant is None:
            return _say(
                request,
                403,
                "You have no leave to use this console, or it is over. Ask for a new URL.",
            )
        asked = path in Polling.PATHS or path == "elsewhere"
        if request.method not in ((b"POST",) if asked else (b"GET", b"HEAD")):
            request.setHeader("Allow", "POST" if asked else "GET, HEAD")
            return _say(request, 405, "That is not how to ask for this.")
        if path == "elsewhere":
            through = _through(request)
            if through:
                self._session.send_elsewhere(grant, through)
            request.setResponseCode(204 if through else 400)
            return b""
        if asked:
            return answer(request, self._polling.answer(path, request, grant), self._failed)
        if path == "ws" or (path == "" and _wants_websocket(request)):
            return self._attach(request, grant)
        if path == "":
            return self._send_file(request, "index.html")
        if path == "log":
            return self._log_file(request, grant)
        match = re.fullmatch(r"assets/([A-Za-z0-9._-]+)", path)
        if match is not None:
            return self._send_file(request, match[1])
        return _say(request, 404, "There is nothing here.")

    def _send_file(self, request: Request, name: str) -> bytes:
        found = self._page.file(name)
        if found is None:
            return _say(request, 404, "There is nothing here.")
        content, kind = found
        request.setHeader("Content-Type", kind)
        request.setHeader("Vary", "Accept-Encoding")
        coded = self._page.coded(name, request.requestHeaders)
        if coded is not None:
            content, coding = coded
            request.setHeader("Content-Encoding", coding)
        if name == "index.html":
            request.setHeader("Content-Security-Policy", PAGE_POLICY)
            request.setHeader("X-Frame-Options", "SAMEORIGIN")
        else:
            request.setHeader("Cache-Control", "private, max-age=31536000, immutable")
        return content

    def _failed(self, failure: Failure, request: Request) -> None:
        self._log.failure("A question could not be answered", failure)
        request.write(_say(request, 500, "Something went wrong here."))
        request.finish()

    def _log_file(self, request: Request, grant: Grant) -> bytes | int:
        scrollback = self._session.scrollback
        name = re.sub(r"[^A-Za-z0-9._-]+", "-", self._session.title).strip("-") or "console"
        request.setHeader("Content-Type", "application/octet-stream")
        request.setHeader("Content-Disposition", f'attachment; filename="{name}.log"')
        if request.method == b"GET" and _is_asked(request, b"follow"):
            try:
                ViewerLog(self._session, grant, request).follow(_number(request, b"from"))
            except Unwelcome as unwelcome:
                return _say(request, 409, unwelcome.end.message)
            return NOT_DONE_YET
        request.setHeader("X-Ajaxterm-Offset", str(scrollback.start))
        return scrollback.read(scrollback.start, scrollback.size)

    def _attach(self, request: Request, grant: Grant) -> bytes | int:
        try:
            if request.method != b"GET":
                raise BadHandshake("it begins with a GET")
            head, subprotocol = handshake(request.requestHeaders)
        except BadHandshake as bad:
            request.setHeader("Sec-WebSocket-Version", "13")
            return _say(request, 400, f"No WebSocket: {bad}.")
        viewer: ViewerV1 | ViewerPlain
        if subprotocol == V1:
            viewer = ViewerV1(self._clock, self._session, grant, self._release)
        else:
            replay = _number(request, b"replay") or 0
            viewer = ViewerPlain(self._clock, self._session, grant, replay)
        viewer.through = _through(request)
        take_over(request, WebSocket(self._clock, viewer, head))
        return NOT_DONE_YET


def _is_offer(offer: str, coding: str) -> bool:
    # RFC 9110, 12.4.2: a weight of 0 is a refusal.
    name, _, weight = offer.partition(";")
    return name.strip() == coding and not re.fullmatch(r"\s*q=0(\.0*)?\s*", weight)


def _say(request: Request, code: int, message: str) -> bytes:
    request.setResponseCode(code)
    request.setHeader("Content-Type", "text/plain; charset=utf-8")
    return message.encode("utf-8") + b"\n"


def _through(request: Request) -> str:
    values = request.requestHeaders.getRawHeaders("X-Ajaxterm-Through", [])
    return values[0] if len(values) == 1 and _NAME.fullmatch(values[0]) else ""


def _token(request: Request) -> str | None:
    values = (request.args or {}).get(b"token", [])
    return values[0].decode("latin-1") if len(values) == 1 else None


def _number(request: Request, name: bytes) -> int | None:
    values = (request.args or {}).get(name, [])
    return int(values[0]) if len(values) == 1 and _NUMBER.fullmatch(values[0]) else None


def _is_asked(request: Request, name: bytes) -> bool:
    # Without a "=", which twisted.web passes over.
    return name in re.split(b"[&=]", request.uri.partition(b"?")[2])


def _wants_websocket(request: Request) -> bool:
    # Other upgrades, such as h2c, are ignored (RFC 9110, 7.8).
    upgrades = request.requestHeaders.getRawHeaders("Upgrade", [])
    return any("websocket" in upgrade.lower() for upgrade in upgrades)


def _cookies(headers: Headers, name: str) -> Iterator[str]:
    # Not by http.cookies, which drops all that follows a cookie it does not
    # like; and we get those of everything else on this address.
    for line in headers.getRawHeaders("Cookie", []):
        for pair in line.split(";"):
            key, _, value = pair.strip().partition("=")
            if key == name:
                yield value.strip('"')
