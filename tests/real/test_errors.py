"""
What can go wrong, as a client of the API sees it: the right status and a
sentence, and never a traceback.
"""

from __future__ import annotations

import time
import uuid
from pathlib import Path

import bcrypt
import requests
from twisted.trial.unittest import SynchronousTestCase

from demo.guest import Guest
from tests.real.daemons import AllInOne
from tests.real.known import known
from tests.real.parts import MISSING, PATIENCE, free_port, new_guest, shared_libvirt
from tests.real.viewer import Viewer, exchange, token_of

ASK = {"remote_console": {"protocol": "serial", "type": "serial"}}


class RefusalTests(SynchronousTestCase):
    """
    Requests that can't be met.
    """

    skip = MISSING

    def refused(self, answer: requests.Response, status: int, *words: str) -> None:
        """
        Check an answer: one fault, one sentence, with these words in it.
        """
        self.assertEqual(answer.status_code, status, answer.text)
        [fault] = answer.json().values()
        self.assertEqual(fault["code"], status)
        for word in words:
            self.assertIn(word, fault["message"])
        self.assertNotIn("Traceback", answer.text)

    def test_guests_that_have_no_console(self) -> None:
        """
        Unknown, shut off, without a serial device, or with none that can be used.
        """
        off = Guest(shared_libvirt(), "off1")
        off.define()
        self.addCleanup(off.undefine)
        mute = new_guest(self, "mute1", devices="")
        file = shared_libvirt().shared / "mute2.log"
        odd = new_guest(
            self,
            "mute2",
            devices=f"<serial type='file'><source path='{file}'/></serial><serial type='null'/>",
        )
        console = AllInOne(self)
        for guest in (mute, odd):
            console.until_active(guest)
        console.until(lambda: console.api.status(off) == "SHUTOFF", "off1 is known")

        nobody = str(uuid.uuid4())
        self.refused(console.api.ask(nobody), 404, nobody)
        self.refused(console.api.ask("off1"), 404, "off1")
        self.refused(console.api.ask(off.uuid), 409, "off1", "not running")
        self.refused(console.api.ask(mute.uuid), 409, "mute1", "no usable serial device")
        self.refused(console.api.ask(odd.uuid), 409, "mute2", "file", "null")
        self.assertEqual(console.rooms(), [])

    def test_no_port_left(self) -> None:
        """
        The range is exhausted: said, with the range; and when a console ends, its port
        serves again.
        """
        first, second = new_guest(self, "port1"), new_guest(self, "port2")
        port = free_port()
        console = AllInOne(self, "--portrange", f"{port}-{port}", "--idle-timeout", "1")
        console.until_active(first)
        console.until_active(second)
        viewer = Viewer(self, console.api.url(first))

        self.refused(console.api.ask(second.uuid), 503, f"{port}-{port}")
        self.assertEqual(len(console.rooms()), 1)
        viewer.close()
        console.until(lambda: console.api.ask(second.uuid).status_code == 200, "a port is free")

    def test_bad_requests(self) -> None:
        """
        What is not JSON, not of the schema, of another type, from another site.
        """
        guest = new_guest(self, "bad1")
        console = AllInOne(self)
        console.until_active(guest)
        path = f"v2.1/servers/{guest.uuid}/remote-consoles"

        def post(body: str, **headers: str) -> requests.Response:
            headers = {"Content-Type": "application/json"} | {
                name.replace("_", "-"): value for name, value in headers.items()
            }
            return console.api.post(path, data=body, headers=headers)

        self.refused(post("{not json"), 400, "JSON")
        self.refused(post("[]"), 400)
        self.refused(post('{"remote_console": {"protocol": "serial"}}'), 400, "type")
        self.refused(
            post('{"remote_console": {"protocol": "serial", "type": "serial", "x": 1}}'), 400
        )
        self.refused(
            post('{"remote_console": {"protocol": "vnc", "type": "novnc"}}'), 400, "serial"
        )
        good = '{"remote_console": {"protocol": "serial", "type": "serial"}}'
        self.refused(post(good, Content_Type="text/plain"), 415, "application/json")
        self.assertEqual(post(good, Host="evil.example").status_code, 403)
        self.assertEqual(post(good, Origin="http://evil.example").status_code, 403)
        self.assertEqual(post("x" * (2 << 20)).status_code, 413)
        self.assertEqual(console.rooms(), [])

    def test_users(self) -> None:
        """
        No name, a wrong password, one that is too long for bcrypt, an unknown user.
        """
        guest = new_guest(self, "users1")
        password = known.add("password", "correct horse battery")
        users = Path(self.mktemp())
        users.write_text("ann:" + bcrypt.hashpw(password.encode(), bcrypt.gensalt(4)).decode())
        console = AllInOne(self, "--users", str(users.absolute()), auth=("ann", password))
        console.until_active(guest)
        url = f"{console.api.root}v2.1/servers/{guest.uuid}/remote-consoles"

        def ask(auth: tuple[str, str] | None) -> requests.Response:
            return requests.post(url, json=ASK, auth=auth, timeout=PATIENCE)

        wrong = known.add("password", "a wrong password")
        self.refused(ask(None), 401, "Log in")
        self.refused(ask(("ann", wrong)), 401, "wrong")
        self.refused(ask(("ann", password + "x" * 72)), 401, "wrong")
        self.refused(ask(("bob", password)), 401, "wrong")
        answer = ask(("ann", password))
        self.assertEqual(answer.status_code, 200)
        token_of(answer.json()["remote_console"]["url"])

    def test_tokens(self) -> None:
        """
        Garbage, a wrong one, an expired one: 403, with a page that says what to do.
        """
        guest = new_guest(self, "token1")
        console = AllInOne(self, "--token-ttl", "1")
        console.until_active(guest)
        url = console.api.url(guest)
        root = console.api.root
        asked = time.monotonic()
        console.until(lambda: time.monotonic() > asked + 1.2, "its second is over")

        wrong = "A" * 43
        for token in ("", "x", wrong, "%00%ff", "../../etc/passwd", "x" * 5000):
            answer = exchange(f"{root}?token={token}")
            self.assertIn(answer.status_code, (400, 403, 414), token[:50])
            self.assertNotIn("Traceback", answer.text)
        expired = exchange(url)
        self.assertEqual(expired.status_code, 403)
        self.assertIn("again", expired.text)
