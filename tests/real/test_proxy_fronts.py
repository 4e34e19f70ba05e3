"""
Behind a reverse proxy that ends TLS: the examples of the documentation, as they stand there but for
addresses and files.
"""

from __future__ import annotations

import re
import shutil
import ssl
import subprocess
import tempfile
from pathlib import Path
from urllib.parse import urlsplit

import requests
from twisted.trial.unittest import SynchronousTestCase
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect

from tests.real.daemons import AllInOne
from tests.real.known import known
from tests.real.page import Page
from tests.real.parts import MISSING, PATIENCE, ROOT, browser, free_port, new_guest, until
from tests.real.viewer import token_of

EXAMPLES = ROOT / "docs/examples"


def _missing(program: str) -> str | None:
    return MISSING or (None if shutil.which(program) else f"{program} is not installed")


class _Fronted:
    """
    The all-in-one, a guest, and something in front.
    """

    base_path = "/"

    def setUp(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="ajaxconsole-front-"))
        self.addCleanup(shutil.rmtree, self.folder, True)
        self.folder.chmod(0o755)
        self.port, self.status = free_port(), free_port()
        self.certificate = self.folder / "console.pem"
        made = subprocess.run(
            ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2"]
            + ["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"]
            + ["-keyout", "-", "-out", "-"],
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            check=True,
        )
        self.certificate.write_bytes(made.stdout)
        self.guest = new_guest(self, "fronted1")
        self.root = f"https://localhost:{self.port}{self.base_path}"
        self.console = AllInOne(
            self,
            *("--base-path", self.base_path, "--trusted-proxy", "127.0.0.1"),
            *("--proxy-url", self.root),
            *("--status-listen", f"tcp:{self.status}:interface=127.0.0.1"),
        )
        self.console.until_active(self.guest)

    def run_front(self, *command: str) -> None:
        log = (self.folder / "front.log").open("wb")
        self.addCleanup(log.close)
        front = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT
        )
        self.addCleanup(front.wait, PATIENCE)
        self.addCleanup(front.terminate)
        until(lambda: self.get(self.root).status_code in (200, 404), "the front is there")

    def get(self, url: str, **headers: str) -> requests.Response:
        with requests.Session() as session:
            session.trust_env = False
            session.verify = str(self.certificate)
            try:
                return session.get(url, headers=headers, timeout=PATIENCE, allow_redirects=False)
            except requests.ConnectionError:
                return requests.Response()

    def check(self) -> None:
        url = self.console.api.url(self.guest)
        self.assertTrue(url.startswith(f"{self.root}?token="), url)
        exchanged = self.get(url)
        said = exchanged.headers["Set-Cookie"]
        location = exchanged.headers["Location"]
        cookie = said.partition(";")[0]
        known.add("cookie", cookie.partition("=")[2])
        self.assertEqual(exchanged.status_code, 303)
        self.assertRegex(location, "^console/g[0-9a-f]{16}/$")
        self.assertTrue(cookie.startswith("__Secure-ajaxconsole="), "under TLS it is named so")
        self.assertIn("; Secure", said)
        self.assertIn(f"Path={self.base_path}{location}", said)
        self.assertEqual(self.get(self.root + location, Cookie=cookie).status_code, 200)
        self.check_origins(self.root + location, cookie)
        self.check_page(self.console.api.url(self.guest))

    def check_origins(self, place: str, cookie: str) -> None:
        """
        Our own page's origin is the one outside; a page without TLS is none of ours.
        """
        trust = ssl.create_default_context(cafile=str(self.certificate))
        own = f"https://localhost:{self.port}"
        for origin, welcome in (
            (own, True),
            (f"http://localhost:{self.port}", False),
            (f"http://localhost:{self.console.port}", False),
            ("https://evil.example", False),
            ("null", False),
        ):
            try:
                connect(
                    "wss://" + urlsplit(place).netloc + urlsplit(place).path + "ws",
                    ssl=trust,
                    additional_headers={"Cookie": cookie},
                    origin=origin,
                    proxy=None,
                ).close()
            except InvalidStatus as refused:
                self.assertEqual((refused.response.status_code, welcome), (403, False), origin)
            else:
                self.assertTrue(welcome, origin)

    def check_page(self, url: str) -> None:
        token_of(url)
        with browser() as chromium:
            page = Page(chromium.new_context(ignore_https_errors=True).new_page())
            page.open(url)
            page.log_in()
            page.type("echo front-$((6*7))\n")
            page.until_seen("^front-42")
            self.assertEqual(page.state()["way"], "websocket")
            self.assertNotIn("token", page.tab.url)
            self.assertEqual(page.problems, [])


class NginxTests(_Fronted, SynchronousTestCase):
    skip = _missing("nginx")
    base_path = "/consoles/"

    def front(self, passed: str) -> None:
        text = (EXAMPLES / "nginx.conf").read_text()
        for found, ours in (
            (r"listen 443", f"listen 127.0.0.1:{self.port}"),
            (r"console\.example\.org;", "localhost;"),
            (r"server 10\.0\.0\.2:6083;", f"server 127.0.0.1:{self.console.port};"),
            (r"    server 10\.0\.0\.3:6083;\n", ""),
            (r"/etc/ssl/console\.(pem|key)", str(self.certificate)),
            (r"http://consoleproxies;", passed),
        ):
            text, times = re.subn(found, ours, text)
            self.assertGreater(times, 0, found)
        path = self.folder / "nginx.conf"
        path.write_text(
            f"daemon off; pid {self.folder}/pid; error_log stderr; events {{}}\n"
            f"http {{ access_log off; client_body_temp_path {self.folder}/body;\n"
            f"proxy_temp_path {self.folder}/proxy;\n{text}}}\n"
        )
        self.run_front("nginx", "-p", str(self.folder), "-c", str(path))

    def test_prefix_kept(self) -> None:
        """
        As the example stands.
        """
        self.front("http://consoleproxies;")
        self.check()

    def test_prefix_stripped(self) -> None:
        """
        With a slash behind it.
        """
        self.front("http://consoleproxies/;")
        self.check()


class HaproxyTests(_Fronted, SynchronousTestCase):
    skip = _missing("haproxy")

    def test_example(self) -> None:
        """
        As the example stands, asking whether we are ready.
        """
        text = (EXAMPLES / "haproxy.cfg").read_text()
        for found, ours in (
            (r"bind :443", f"bind 127.0.0.1:{self.port}"),
            (r"10\.0\.0\.2:6083", f"127.0.0.1:{self.console.port}"),
            (r"    server proxy3 .*\n", ""),
            (r"check port 6084", f"check port {self.status}"),
            (r"/etc/haproxy/console\.pem", str(self.certificate)),
        ):
            text, times = re.subn(found, ours, text)
            self.assertGreater(times, 0, found)
        path = self.folder / "haproxy.cfg"
        path.write_text(text)
        self.run_front("haproxy", "-db", "-f", str(path))
        self.check()
