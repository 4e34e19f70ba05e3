"""
An API with a guest, for clients that people have: as an all-in-one with users,
tokens, EC2 keys and a policy.
"""

from __future__ import annotations

import os
import subprocess
import tempfile
from hashlib import sha256
from pathlib import Path
from typing import Any

import bcrypt

from tests.real.daemons import AllInOne
from tests.real.known import known
from tests.real.parts import PATIENCE, new_guest

POLICY = """
[users.ann]
role = "admin"
[users.bob]
role = "member"
projects = ["a"]
[users.eve]
role = "reader"
projects = ["a"]
[[allow]]
project = "a"
guests = ["web*"]
mode = "rw"
"""


class Stand:
    """
    C{ann} is an admin, C{bob} a member and C{eve} a reader who may use C{web1};
    C{secret1} is nobody's but the admin's.

    @ivar passwords: by user, C{tokens} and C{ec2} (of C{bob}: access and secret) likewise.
    @ivar directory: with the files; C{policy} is the one of who may do what.
    """

    def __init__(self, case: Any, *arguments: str, guests: int = 1) -> None:
        self.guest = new_guest(case, "web1")
        self.other = new_guest(case, "secret1") if guests > 1 else None
        self.directory = Path(tempfile.mkdtemp(prefix="ajaxconsole-stand-"))
        users = ("ann", "bob", "eve")
        self.passwords = {u: known.add("password", f"{u}'s {os.urandom(8).hex()}") for u in users}
        self.tokens = {u: known.add("API token", os.urandom(32).hex()) for u in users}
        self.ec2 = ("AKIDBOB", known.add("EC2 secret", os.urandom(20).hex()))
        hashed = {
            user: bcrypt.hashpw(password.encode(), bcrypt.gensalt(4)).decode()
            for user, password in self.passwords.items()
        }
        self.users = self._file("users", "".join(f"{u}:{h}\n" for u, h in hashed.items()))
        keys = "".join(
            f'[[token]]\nuser = "{user}"\nsha256 = "{sha256(token.encode()).hexdigest()}"\n'
            for user, token in self.tokens.items()
        )
        keys += f'[[ec2]]\nuser = "bob"\naccess = "{self.ec2[0]}"\nsecret = "{self.ec2[1]}"\n'
        self.keys = self._file("keys.toml", keys)
        self.policy = self._file("policy.toml", POLICY)
        self.audit = self.directory / "audit.log"
        words = ["--users", str(self.users), "--keys", str(self.keys)]
        words += ["--policy", str(self.policy), "--audit-log", str(self.audit), *arguments]
        self.daemon = AllInOne(case, *words, auth=("ann", self.passwords["ann"]))
        self.daemon.until_active(self.guest)
        if self.other is not None:
            self.daemon.until_active(self.other)
        self.root = self.daemon.api.root

    def _file(self, name: str, content: str) -> Path:
        path = self.directory / name
        path.write_text(content)
        path.chmod(0o600)
        return path

    def run(self, *command: str, **environment: str) -> subprocess.CompletedProcess[str]:
        """
        Run a client; what it must not tell is in its environment, not in ours.
        """
        return subprocess.run(
            command,
            env={
                "PATH": os.environ["PATH"],
                "HOME": str(self.directory),
                "NO_PROXY": "*",
                **environment,
            },
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=2 * PATIENCE,
        )
