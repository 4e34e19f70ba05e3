"""
What the proxy itself says to people.
"""

from __future__ import annotations

from base64 import b64encode
from hashlib import sha256
from html import escape
from typing import Any

from twisted.web.server import Request

from groundwork.manners import be_strict

POLICY = (
    "default-src 'none'; style-src 'sha256-{style}'; frame-ancestors 'none'; base-uri 'none'; "
    "form-action 'none'"
)

STYLE = (
    "body{font:16px/1.5 system-ui,sans-serif;max-width:34rem;margin:15vh auto;padding:0 1rem;"
    "color:#1d2733;background:#fff}h1{font-size:1.3rem}"
    "@media(prefers-color-scheme:dark){body{color:#d7dee6;background:#12171d}}"
)

SENTENCES = {
    "unknown": (
        403,
        "This link opens no console",
        "It was mistyped, has expired, or its console has ended. Ask for the console again to get "
        "a new link.",
    ),
    "away": (
        503,
        "Links can't be checked now",
        "The message broker can't be reached, so new links are not known here. Consoles that are "
        "open go on. Reload this page in a moment.",
    ),
    "stranger": (
        403,
        "This request comes from elsewhere",
        "The name in the address, or the page that asks, is not one that this console proxy "
        "serves. Open the link itself, or let the administrator allow that name.",
    ),
    "handshake": (
        400,
        "This is no WebSocket that can be answered",
        "The console speaks version 13 of the protocol, and the subprotocols that it documents or "
        "none. Use another client, or set this one so.",
    ),
    "gone": (
        502,
        "The console is gone",
        "Nobody answers for it any more. Ask for the console again to get a new link; if that "
        "does not help, its host may be down.",
    ),
    "broken": (
        502,
        "The console did not answer properly",
        "Reload this page. If that does not help, ask for the console again to get a new link.",
    ),
    "silent": (
        504,
        "The console does not answer",
        "Its host may be busy or cut off. Reload this page in a moment.",
    ),
    "busy": (
        429,
        "Too many unknown links",
        "Too many links that open nothing come from your address just now. If yours is new, reload "
        "this page in a moment.",
    ),
    "full grant": (
        429,
        "Too many connections by this link",
        "As many tabs and clients as may use one link at a time use this one. Close a tab, or ask "
        "for the console again to get a link of its own.",
    ),
    "full proxy": (
        503,
        "Too many connections",
        "This proxy has as many connections as it may have. Reload this page in a moment.",
    ),
    "leaving": (
        503,
        "This proxy is being stopped",
        "Consoles go on, through another proxy or when this one is back. Reload this page in a "
        "moment.",
    ),
    "nothing": (404, "There is nothing here", "Ask for a console to get a link to it."),
    "method": (405, "That can't be done here", "This address can only be read."),
}
"""Status, heading and advice, by what happened."""


def say(request: Request, what: str) -> None:
    """
    Answer and finish C{request} with one of the L{SENTENCES}.
    """
    status, heading, advice = SENTENCES[what]
    request.setResponseCode(status)
    be_strict(request, POLICY.format(style=_STYLE_DIGEST))
    request.setHeader("Content-Type", "text/html; charset=utf-8")
    page = (
        "<!doctype html><html lang=en><meta charset=utf-8>"
        '<meta name=viewport content="width=device-width, initial-scale=1">'
        f"<title>{escape(heading)}</title><style>{STYLE}</style>"
        f"<h1>{escape(heading)}</h1><p>{escape(advice)}</p></html>\n"
    ).encode()
    request.setHeader("Content-Length", str(len(page)))
    if status in (429, 503):
        request.setHeader("Retry-After", "1")
    if what in ("busy", "leaving"):
        request.setHeader("Connection", "close")
        channel: Any = request.channel
        channel.persistent = False
    if request.method != b"HEAD":
        request.write(page)
    request.finish()


def _digest(text: str) -> str:
    return b64encode(sha256(text.encode()).digest()).decode("ascii")


_STYLE_DIGEST = _digest(STYLE)
