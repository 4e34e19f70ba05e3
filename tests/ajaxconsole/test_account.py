"""
Which API is asked, and as whom.
"""

from __future__ import annotations

from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from ajaxconsole.account import Account, find_account
from ajaxconsole.outcome import USAGE, Problem


class AccountTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.home = Path(self.mktemp())
        (self.home / ".config/openstack").mkdir(parents=True)

    def write(self, name: str, text: str, mode: int = 0o600) -> str:
        path = self.home / ".config" / name
        path.write_text(text)
        path.chmod(mode)
        return str(path)

    def find(self, *, flags: dict[str, str] | None = None, **environment: str) -> Account:
        return find_account(flags or {}, environment, self.home)

    def refused(self, *, flags: dict[str, str] | None = None, **environment: str) -> str:
        with self.assertRaises(Problem) as caught:
            self.find(flags=flags, **environment)
        self.assertEqual(caught.exception.status, USAGE)
        return str(caught.exception)

    def test_this_machine(self) -> None:
        self.assertEqual(self.find(), Account("http://127.0.0.1:8080/"))
        self.assertEqual(self.find().headers(), {})

    def test_environment(self) -> None:
        ours = self.find(AJAXCONSOLE_URL="https://c.example", AJAXCONSOLE_TOKEN="T")
        openstack = self.find(
            OS_ENDPOINT="http://c.example:8774/v2.1/", OS_USERNAME="ann", OS_PASSWORD="p"
        )

        self.assertEqual((ours.url, ours.headers()), ("https://c.example/", {"X-Auth-Token": "T"}))
        self.assertEqual(openstack.url, "http://c.example:8774/")
        self.assertEqual(openstack.headers(), {"Authorization": "Basic YW5uOnA="})

    def test_file(self) -> None:
        self.write("ajaxconsole.toml", 'url = "http://x/"\nuser = "ann"\npassword = "p"\n')

        self.assertEqual(self.find(), Account("http://x/", "ann", "p"))

    def test_clouds(self) -> None:
        self.write(
            "openstack/clouds.yaml",
            "clouds:\n  a:\n    auth: {endpoint: 'http://a:1/v2.1', token: T}\n  b: {auth: {}}\n",
        )

        self.assertEqual(self.find(OS_CLOUD="a"), Account("http://a:1/", token="T"))
        self.assertEqual(self.find(flags={"os_cloud": "a"}).url, "http://a:1/")
        self.assertIn("no endpoint", self.refused(OS_CLOUD="b"))
        self.assertIn("no clouds.yaml", self.refused(OS_CLOUD="c"))

    def test_password_goes_to_no_address_from_elsewhere(self) -> None:
        self.write("ajaxconsole.toml", 'url = "http://x/"\ntoken = "T"\n')

        account = self.find(flags={"url": "http://evil.example/"}, OS_PASSWORD="p")

        self.assertEqual(account, Account("http://evil.example/"))

    def test_secrets_in_files(self) -> None:
        token = self.write("token", "T\n")

        account = self.find(flags={"url": "http://x/", "token_file": token})

        self.assertEqual(account.token, "T")
        self.assertNotIn("'T'", repr(account))

    def test_mistakes(self) -> None:
        for url in ("ftp://x", "x", "http://", "http://a:b@x/"):
            self.assertIn("http", self.refused(flags={"url": url}))
        self.assertIn(
            "can't be read", self.refused(flags={"url": "http://x", "token_file": "/none"})
        )
        self.write("ajaxconsole.toml", 'more = "x"')
        self.assertIn("nothing else", self.refused())
        self.write("ajaxconsole.toml", "x")
        self.assertIn("not TOML", self.refused())
        self.write("ajaxconsole.toml", 'token = "T"', 0o640)
        self.assertIn("chmod 600", self.refused())
