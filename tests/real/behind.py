"""
The page as it is behind an nginx that ends TLS, below a path of its own.

    browser ──TLS──▶ nginx, /a/b/ ──▶ proxy ──▶ ajaxterm

C{PAGE_BEHIND} in the environment says whether nginx takes the prefix away (C{stripped}) or not
(C{kept}); then every test of the page goes that way.  (C{make behind} does both.)
"""

from __future__ import annotations

import os
import socket
import subprocess
import tempfile
from hashlib import sha256
from pathlib import Path
from secrets import token_urlsafe

from twisted.trial.unittest import SynchronousTestCase

from tests.real.authority import Authority
from tests.real.parts import PATIENCE, free_port, until
from tests.real.proxied import ProxyProcess

BASE_PATH = "/a/b/"
WAYS = {"stripped": "/", "kept": ""}
"""What goes behind the proxy's address in C{proxy_pass}."""

CONFIGURATION = """
daemon off; user root; pid {folder}/pid; error_log stderr; events {{}}
http {{
  access_log off; client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy;
  map $http_upgrade $connection_upgrade {{ default upgrade; "" ""; }}
  server {{
    listen 127.0.0.1:{port} ssl;
    ssl_certificate {certificate}; ssl_certificate_key {key};
    location {base} {{
      proxy_pass http://127.0.0.1:{proxy}{passed};
      proxy_http_version 1.1;
      proxy_set_header Host $http_host;
      proxy_set_header Upgrade $http_upgrade;
      proxy_set_header Connection $connection_upgrade;
      proxy_set_header X-Forwarded-For $remote_addr;
      proxy_set_header X-Forwarded-Proto $scheme;
      proxy_buffering off;
      proxy_read_timeout 1h;
    }}
  }}
}}
"""


def way() -> str:
    """
    @return: C{stripped}, C{kept}, or nothing.
    """
    found = os.environ.get("PAGE_BEHIND", "")
    assert not found or found in WAYS, f"PAGE_BEHIND is one of {', '.join(WAYS)}, not {found}"
    return found


class Behind:
    """
    A proxy, and an nginx before it.
    """

    def __init__(self, case: SynchronousTestCase, way: str) -> None:
        folder = tempfile.TemporaryDirectory(prefix="ajaxconsole-behind-")
        case.addCleanup(folder.cleanup)
        options = ("--base-path", BASE_PATH, "--trusted-proxy", "127.0.0.1")
        self._proxy = ProxyProcess(case, *options)
        self._port = free_port()
        certificate, key = Authority(Path(folder.name), "an authority").issue("localhost")
        path = Path(folder.name) / "nginx.conf"
        path.write_text(
            CONFIGURATION.format(
                folder=folder.name,
                port=self._port,
                certificate=certificate,
                key=key,
                base=BASE_PATH,
                proxy=self._proxy.port,
                passed=WAYS[way],
            )
        )
        nginx = subprocess.Popen(
            ["nginx", "-p", folder.name, "-c", str(path)], stdin=subprocess.DEVNULL
        )
        case.addCleanup(nginx.wait, PATIENCE)
        case.addCleanup(nginx.terminate)
        until(self._listens, "nginx listens")

    def url(self, user: str, secret: str, port: int) -> str:
        """
        @param port: of who takes the place of an ajaxterm.
        @return: what opens it for that user.
        """
        token = token_urlsafe(32)
        name = "g" + sha256(user.encode()).hexdigest()[:16]
        self._proxy.authorize(name, token, secret, port)
        return f"https://127.0.0.1:{self._port}{BASE_PATH}?token={token}"

    def _listens(self) -> bool:
        with socket.socket() as tried:
            return tried.connect_ex(("127.0.0.1", self._port)) == 0
