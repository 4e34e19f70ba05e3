"""
Who may log in.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path

import bcrypt
from twisted.internet.defer import Deferred, execute
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from consoleapi.files import BadFile
from consoleapi.users import Users, read_users


def hashed(password: bytes) -> bytes:
    return bcrypt.hashpw(password, bcrypt.gensalt(4))


def begin(checks: list[Deferred[bool]], *work: object) -> Deferred[bool]:
    """
    A thread that takes its time.
    """
    checks.append(Deferred())
    return checks[-1]


class UsersTests(SynchronousTestCase):
    """
    Names and passwords.
    """

    def setUp(self) -> None:
        self.clock = Clock()
        self.checked = 0
        self.users = Users(
            self.clock,
            {"ann": hashed(b"right"), "bob": hashed(b"x" * 72)},
            self.run_here,
        )

    def run_here(
        self, work: Callable[[bytes, bytes], bool], password: bytes, known: bytes
    ) -> Deferred[bool]:
        self.checked += 1
        return execute(work, password, known)

    def knows(self, user: str, password: bytes) -> bool:
        return self.successResultOf(Deferred.fromCoroutine(self.users.knows(user, password)))

    def test_right_and_wrong(self) -> None:
        self.assertTrue(self.knows("ann", b"right"))
        self.assertFalse(self.knows("ann", b"wrong"))
        self.assertFalse(self.knows("ann", b""))
        self.assertFalse(self.knows("carl", b"right"))

    def test_what_bcrypt_would_not_read_is_wrong(self) -> None:
        """
        Its first 72 bytes alone would be right.
        """
        self.assertTrue(self.knows("bob", b"x" * 72))
        self.assertFalse(self.knows("bob", b"x" * 73))
        self.assertFalse(self.knows("ann", b"right\0and more"))

    def test_wrong_ones_cost_a_check_as_well(self) -> None:
        """
        So the time of an answer does not tell which names there are.
        """
        for user, password in (("carl", b"x"), ("ann", b"x" * 100), ("ann", b"\0")):
            before = self.checked
            self.knows(user, password)
            self.assertEqual(self.checked - before, 1)

    def test_right_one_is_remembered_for_a_minute(self) -> None:
        for _ in range(3):
            self.knows("ann", b"right")
        self.assertEqual(self.checked, 1)

        self.clock.advance(61)
        self.knows("ann", b"right")

        self.assertEqual(self.checked, 2)

    def test_wrong_one_is_not_remembered(self) -> None:
        self.knows("ann", b"right")
        for _ in range(2):
            self.assertFalse(self.knows("ann", b"wrong"))

        self.assertEqual(self.checked, 3)

    def test_password_that_changes_while_it_is_checked_is_wrong(self) -> None:
        """
        Nor is the old one remembered.
        """
        for changed in ({"ann": hashed(b"new")}, {"bob": hashed(b"x")}):
            checks: list[Deferred[bool]] = []
            users = Users(self.clock, {"ann": hashed(b"old")}, partial(begin, checks))
            knowing = Deferred.fromCoroutine(users.knows("ann", b"old"))

            users.change(changed)
            checks[0].callback(True)

            self.assertFalse(self.successResultOf(knowing))
            self.assertNoResult(Deferred.fromCoroutine(users.knows("ann", b"old")))
            self.assertEqual(len(checks), 2)

    def test_file_that_is_read_again_disturbs_no_check(self) -> None:
        """
        Somebody else's line is another now.
        """
        ann = hashed(b"right")
        checks: list[Deferred[bool]] = []
        users = Users(self.clock, {"ann": ann, "bob": hashed(b"old")}, partial(begin, checks))
        knowing = Deferred.fromCoroutine(users.knows("ann", b"right"))

        users.change({"ann": ann, "bob": hashed(b"new")})
        checks[0].callback(True)

        self.assertTrue(self.successResultOf(knowing))

    def test_memory_has_an_end(self) -> None:
        self.users.MOST_REMEMBERED = 1
        self.knows("ann", b"right")
        self.knows("bob", b"x" * 72)

        self.knows("ann", b"right")

        self.assertEqual(self.checked, 3)


class FileTests(SynchronousTestCase):
    """
    The file, and what is wrong with it.
    """

    HASH = hashed(b"right").decode()

    def read(self, content: str | bytes) -> list[str]:
        path = Path(self.mktemp())
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return list(read_users(str(path)))

    def why(self, content: str | bytes) -> BadFile:
        with self.assertRaises(BadFile) as caught:
            self.read(content)
        return caught.exception

    def test_lines(self) -> None:
        names = self.read(f"# who\n\nann:{self.HASH}\r\n  Zoë:{self.HASH.replace('2b', '2y')}\n")

        self.assertEqual(names, ["ann", "Zoë"])

    def test_bad_lines_are_named_by_number(self) -> None:
        good = f"ann:{self.HASH}\n"
        for line, words in (
            ("bob", "NAME:HASH"),
            (f":{self.HASH}", "NAME:HASH"),
            ("bob:$apr1$abc$def", "htpasswd -B"),
            ("bob:secret-in-clear", "htpasswd -B"),
            (f"ann:{self.HASH}", "already"),
            (f"a\x07b:{self.HASH}", "printable"),
            (f"{'b' * 256}:{self.HASH}", "255"),
            ("bob:" + self.HASH.replace("$04$", "$31$"), "cost"),
        ):
            problem = self.why(good + line)

            self.assertEqual(getattr(problem, "line", None), 2, line)
            self.assertIn(words, str(problem))
            self.assertNotIn("secret-in-clear", str(problem))

    def test_files_that_cant_be_used(self) -> None:
        self.assertIn("names no user", str(self.why("# nobody\n")))
        self.assertIn("not UTF-8", str(self.why(b"\xff\n")))
        self.assertIn("MiB", str(self.why(b"#" * (9 << 20))))
        with self.assertRaises(BadFile) as caught:
            read_users("/nonexistent/users")
        self.assertIn("/nonexistent/users can't be read", str(caught.exception))
