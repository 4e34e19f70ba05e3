"""
A page of another origin, as OpenStack's dashboard is, that shows a console.
"""

from __future__ import annotations

import functools
import http.server
import tempfile
import threading
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from tests.real.daemons import AllInOne
from tests.real.parts import MISSING, PATIENCE, browser, free_port, new_guest
from tests.real.viewer import token_of

PAGE = """<!doctype html><title>A dashboard</title>
<iframe width=900 height=500></iframe>
<script>
  window.seen = "";
  window.show = (url) => { document.querySelector("iframe").src = url; };
  window.dial = (url) => {
    const socket = new WebSocket(url, ["binary"]);
    socket.binaryType = "arraybuffer";
    socket.onopen = () => { window.seen += "[open]"; socket.send("\\r"); };
    socket.onclose = () => { window.seen += "[closed]"; };
    socket.onmessage = (said) => { window.seen += new TextDecoder().decode(said.data); };
  };
</script>
"""


class EmbeddedTests(SynchronousTestCase):
    """
    Two dashboards: one is allowed, and one is not.
    """

    skip = MISSING

    def setUp(self) -> None:
        self.guest = new_guest(self, "embedded1")
        self.allowed, self.foreign = self.dashboard(), self.dashboard()
        self.console = AllInOne(self, "--allowed-origin", self.allowed)
        self.console.until_active(self.guest)

    def dashboard(self) -> str:
        """
        @return: its origin.
        """
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        (Path(folder.name) / "index.html").write_text(PAGE)

        class Handler(http.server.SimpleHTTPRequestHandler):
            def log_message(self, *_: object) -> None:
                pass

        port = free_port()
        handler = functools.partial(Handler, directory=folder.name)
        server = http.server.ThreadingHTTPServer(("127.0.0.1", port), handler)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        self.addCleanup(server.server_close)
        self.addCleanup(server.shutdown)
        return f"http://localhost:{port}"

    def url(self) -> str:
        url = self.console.api.url(self.guest)
        token_of(url)
        return url.replace("127.0.0.1", "localhost")

    def test_frame(self) -> None:
        """
        In a frame, the page works as in a tab; elsewhere the browser shows nothing of it.
        """
        with browser() as chromium:
            tab = chromium.new_page()
            tab.set_default_timeout(PATIENCE * 1000)
            tab.goto(self.allowed)
            tab.evaluate("url => show(url)", self.url())
            frame = tab.frame_locator("iframe")
            frame.locator(".xterm-helper-textarea").focus()
            tab.keyboard.press("Enter")
            [inner] = [each for each in tab.frames if each != tab.main_frame]
            inner.wait_for_function("() => /login:/.test(window.ajaxterm.text())")
            self.assertEqual(inner.evaluate("ajaxterm.state().way"), "websocket")

            said: list[str] = []
            tab.on("console", lambda message: said.append(message.text))
            tab.goto(self.foreign)
            tab.evaluate("url => show(url)", self.url())
            tab.wait_for_timeout(3000)
            self.assertIn("frame-ancestors", " ".join(said))
            self.assertEqual(frame.locator(".xterm-helper-textarea").count(), 0)

    def test_socket(self) -> None:
        """
        Its own terminal attaches by the link; that of another page is refused.
        """
        with browser() as chromium:
            tab = chromium.new_page()
            tab.set_default_timeout(PATIENCE * 1000)
            tab.goto(self.allowed)
            tab.evaluate("url => dial(url)", self.url().replace("http:", "ws:"))
            tab.wait_for_function("() => /login:/.test(seen)")
            self.assertTrue(tab.evaluate("seen").startswith("[open]"))

            tab.goto(self.foreign)
            tab.evaluate("url => dial(url)", self.url().replace("http:", "ws:"))
            tab.wait_for_function("() => seen !== ''")
            self.assertEqual(tab.evaluate("seen"), "[closed]")
