"""
Who may do what: the file, and what becomes of it.
"""

from __future__ import annotations

from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from consoleapi.directory import Guest
from consoleapi.files import BadFile
from consoleapi.keys import read_keys
from consoleapi.policy import EVERYTHING, Policy, read_policy
from tests.consoleapi.world import uuid

POLICY = f"""
[users.ann]
role = "admin"
[users.bob]
role = "member"
projects = ["a"]
[users.eve]
role = "reader"
projects = ["a"]
[users.zed]
role = "member"

[[allow]]
project = "a"
owners = ["a"]
mode = "rw"
[[allow]]
user = "bob"
guests = ["web*", "db?"]
[[allow]]
user = "bob"
uuids = ["{uuid(7).upper()}"]
mode = "rw"
"""


def guest(name: str = "x", owner: str = "", number: int = 1) -> Guest:
    return Guest(uuid(number), name, "h1", "running", owner, ("serial0",))


def written(case: SynchronousTestCase, content: str, mode: int = 0o600) -> str:
    path = Path(case.mktemp())
    path.write_text(content)
    path.chmod(mode)
    return str(path)


class PolicyTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.policy = read_policy(written(self, POLICY))

    def mode(self, user: str, which: Guest) -> str | None:
        return self.policy.of(user).mode(which)

    def test_admin(self) -> None:
        self.assertEqual(self.mode("ann", guest()), "rw")

    def test_project(self) -> None:
        self.assertEqual(self.mode("bob", guest(owner="a")), "rw")
        self.assertIsNone(self.mode("bob", guest(owner="b")))
        self.assertIsNone(self.mode("bob", guest(owner="")))

    def test_reader_never_types(self) -> None:
        self.assertEqual(self.mode("eve", guest(owner="a")), "ro")

    def test_names(self) -> None:
        self.assertEqual(self.mode("bob", guest("web12")), "ro")
        self.assertEqual(self.mode("bob", guest("db1")), "ro")
        self.assertIsNone(self.mode("bob", guest("db12")))
        self.assertIsNone(self.mode("bob", guest("my-web")))
        self.assertIsNone(self.mode("bob", guest("Web1")))

    def test_uuids(self) -> None:
        self.assertEqual(self.mode("bob", guest("x", number=7)), "rw")

    def test_better_of_two_rules_counts(self) -> None:
        self.assertEqual(self.mode("bob", guest("web1", owner="a")), "rw")

    def test_everything_else_is_denied(self) -> None:
        for user in ("zed", "mallory", ""):
            self.assertIsNone(self.mode(user, guest("web1", owner="a")))

    def test_without_a_file(self) -> None:
        self.assertEqual(EVERYTHING.of("mallory").mode(guest()), "rw")
        self.assertIsNone(Policy().of("mallory").mode(guest()))

    def test_mistakes_are_named(self) -> None:
        for content, words in (
            ("x", "is not a policy"),
            ("more = 1", "'more'"),
            ("[users.a]", "role is admin"),
            ('[users.a]\nrole = "root"', "role is admin"),
            ('[users.a]\nrole = "member"\nproject = "x"', "'project'"),
            ('[[allow]]\nguests = ["x"]', "for a user or for a project"),
            ('[[allow]]\nuser = "a"\nproject = "b"\nguests = ["x"]', "for a user or"),
            ('[[allow]]\nuser = "a"\nguests = ["x"]', "not in [users]"),
            ('[[allow]]\nproject = "a"', "names no guest"),
            ('[[allow]]\nproject = "a"\nguests = "x"', "list of texts"),
            ('[[allow]]\nproject = "a"\nguests = ["x"]\nmode = "w"', "mode is rw or ro"),
            ('[[allow]]\nproject = "a"\nuuids = ["x"]', "UUIDs"),
            ('[[allow]]\nproject = "a"\nguests = ["*a*a*a*a*a"]', "stars"),
        ):
            with self.assertRaises(BadFile) as caught:
                read_policy(written(self, content))
            self.assertIn(words, str(caught.exception))

    def test_example(self) -> None:
        read_policy(str(Path(__file__).parent.parent.parent / "docs/examples/policy.toml"))


class KeysTests(SynchronousTestCase):
    TOKEN = f'[[token]]\nuser = "bob"\nsha256 = "{"0" * 64}"\n'

    def test_keys(self) -> None:
        ec2 = '[[ec2]]\nuser = "eve"\naccess = "AKIDEVE"\nsecret = "0123456789abcdef"\n'

        keys = read_keys(written(self, self.TOKEN + ec2))

        self.assertEqual(dict(keys.tokens), {"0" * 64: "bob"})
        self.assertEqual(dict(keys.ec2), {"AKIDEVE": ("eve", "0123456789abcdef")})
        self.assertNotIn("0123456789abcdef", repr(keys))

    def test_mistakes_are_named_and_repeat_no_secret(self) -> None:
        for content, words in (
            ("my-secret", "not TOML"),
            ("[[tokens]]", "something else"),
            ("token = 1", "another form"),
            ('[[token]]\nuser = "bob"\nsha256 = "my-secret"', "number 1"),
            (self.TOKEN + self.TOKEN, "number 2"),
            ('[[ec2]]\nuser = "bob"\naccess = "AK"\nsecret = "my-secret-my-secret"', "number 1"),
            ('[[ec2]]\nuser = "bob"\naccess = "AKID"\nsecret = "my-secret"', "16 characters"),
        ):
            with self.assertRaises(BadFile) as caught:
                read_keys(written(self, content))
            self.assertIn(words, str(caught.exception))
            self.assertNotIn("my-secret", str(caught.exception))

    def test_file_that_others_may_read(self) -> None:
        with self.assertRaises(BadFile) as caught:
            read_keys(written(self, self.TOKEN, 0o640))
        self.assertIn("chmod 600", str(caught.exception))
