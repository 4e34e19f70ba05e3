"""
Each defence that a patch here takes out is missed by the test that the patch names.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from queue import SimpleQueue

from twisted.trial.unittest import SynchronousTestCase

from tests.mutations.mutation import HERE, Mutation, all_mutations

ROOT = HERE.parent.parent
AT_A_TIME = 2
PATIENCE = 120.0
NOT_NEEDED = shutil.ignore_patterns(
    *(".*", "node_modules", "__pycache__", "*.egg-info", "_trial_temp*", "pictures", "real")
)


class MutationTests(SynchronousTestCase):
    """
    On copies of this tree.
    """

    def setUp(self) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="mutations-")
        self.addCleanup(self._folder.cleanup)
        self.trees: SimpleQueue[Path] = SimpleQueue()
        for number in range(AT_A_TIME):
            tree = Path(self._folder.name) / str(number)
            shutil.copytree(ROOT, tree, ignore=NOT_NEEDED)
            self.trees.put(tree)

    def run_tests(self, tree: Path, *names: str) -> subprocess.CompletedProcess[str]:
        # Without compiled files: those of a mutation would be taken for the next one's.
        environment = {**os.environ, "PYTHONDONTWRITEBYTECODE": "1", "PYTHONPATH": str(tree)}
        command = [sys.executable, "-m", "twisted.trial", "--reporter=summary", *names]
        return subprocess.run(
            command,
            cwd=tree,
            env=environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=PATIENCE,
        )

    def test_tests_pass_as_it_is(self) -> None:
        """
        What the patches name are tests, and pass.
        """
        names = {mutation.test for mutation in all_mutations()}

        ended = self.run_tests(self.trees.get(), *names)

        self.assertEqual(ended.returncode, 0, ended.stdout + ended.stderr)
        self.assertIn(f"Ran {len(names)} tests", ended.stdout)

    def test_each_is_missed(self) -> None:
        """
        With a defence taken out its test fails, and not for want of something else.
        """

        def problem(mutation: Mutation) -> str:
            tree = self.trees.get()
            kept = {edit.path: (tree / edit.path).read_text("utf-8") for edit in mutation.edits}
            try:
                mutation.apply(tree)
                ended = self.run_tests(tree, mutation.test)
            except (ValueError, subprocess.TimeoutExpired) as why:
                return str(why)
            finally:
                for path, text in kept.items():
                    (tree / path).write_text(text, "utf-8")
                self.trees.put(tree)
            if ended.returncode == 0:
                return f"{mutation.name}.patch: {mutation.test} passes all the same"
            if "Ran 1 tests" not in ended.stdout or "SyntaxError" in ended.stdout:
                return f"{mutation.name}.patch breaks more than a defence: {ended.stdout[-500:]}"
            return ""

        with ThreadPoolExecutor(AT_A_TIME) as pool:
            problems = [each for each in pool.map(problem, all_mutations()) if each]

        self.assertEqual(problems, [])

    def test_listed(self) -> None:
        """
        docs/security.md names each of them with its test, and no other.
        """
        table = (ROOT / "docs/security.md").read_text("utf-8")
        listed = set(re.findall(r"`([a-z0-9-]+)\.patch`", table))

        self.assertEqual(listed, {mutation.name for mutation in all_mutations()})
        for mutation in all_mutations():
            self.assertIn(mutation.test.partition(".")[2].rpartition(".")[2], table, mutation.name)
