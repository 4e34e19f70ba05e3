"""
URLs as who asks can open them.
"""

from __future__ import annotations

import re
from urllib.parse import urlsplit

from consoleapi.web import Asked

_WEBSOCKET = {"http": "ws", "https": "wss"}


class Addresses:
    """
    @ivar proxy: the proxy's root, ending with a slash; C{None} where it shares
        our port, and so has the name that the client has for us.
    @ivar prefix: our own root's path, as clients see it.
    @ivar is_websocket: whether clients of the API are given C{ws://}, which
        nova gives; browsers can open C{http://} only, and all of ours take that.
    """

    def __init__(
        self, proxy: str | None = None, prefix: str = "/", is_websocket: bool = False
    ) -> None:
        self._proxy = proxy
        self._prefix = prefix
        self._is_websocket = is_websocket

    def api(self, asked: Asked) -> str:
        """
        Our own root, ending with a slash.
        """
        return f"{'https' if asked.is_secure else 'http'}://{asked.host}{self._prefix}"

    def page(self, asked: Asked, token: str) -> str:
        """
        The URL of a console for a browser.
        """
        return f"{self._proxy or self.api(asked)}?token={token}"

    def console(self, asked: Asked, token: str) -> str:
        """
        The URL of a console for a client of the API.
        """
        url = self.page(asked, token)
        if not self._is_websocket:
            return url
        scheme, colon, rest = url.partition(":")
        return _WEBSOCKET[scheme] + colon + rest


def parse_proxy_url(text: str) -> str:
    """
    @return: C{text}, ending with a slash.
    @raise ValueError: it can't be a proxy's; a sentence for people.
    """
    try:
        parts = urlsplit(text)
        host = parts.hostname
        parts.port  # noqa: B018 (raises when it is none)
    except ValueError:
        raise ValueError("it is no URL") from None
    if parts.scheme not in _WEBSOCKET or not host:
        raise ValueError("it is written http://HOST:PORT/ or https://HOST/PATH/")
    if parts.query or parts.fragment or parts.username is not None:
        raise ValueError("it has no user, no ? and no #")
    if not re.fullmatch(r"[\x21-\x7e]+", text) or re.search(r"[\"'<>\\^`{|}]", text):
        raise ValueError("it has characters that no URL has")
    return text if text.endswith("/") else f"{text}/"
