"""
schemathesis against C{/openapi.json}, with a real guest behind it: whatever it
thinks of, there is no mistake of the server's own, and no undocumented status.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from tests.real.clients import Stand
from tests.real.parts import MISSING
from tests.real.viewer import Viewer

SECONDS = 60
CHECKS = (
    "not_a_server_error,status_code_conformance,content_type_conformance,"
    "response_schema_conformance"
)


class SchemaTests(SynchronousTestCase):
    skip = MISSING

    def setUp(self) -> None:
        self.stand = Stand(self, "--rate-limit", "none")
        self.viewer = Viewer(self, self.stand.daemon.api.url(self.stand.guest))

    def test_schemathesis(self) -> None:
        """
        The ids that it is given are the guest's; it makes up others as well.
        """
        described = self.stand.daemon.api.get("openapi.json").json()
        described["components"]["parameters"]["server"]["example"] = self.stand.guest.uuid
        file = self.stand.directory / "described.json"
        file.write_text(json.dumps(described))
        settings = self.stand.directory / "schemathesis.toml"
        token = self.stand.tokens["bob"]
        settings.write_text(f'headers = {{ X-Auth-Token = "{token}" }}\n')

        done = self.stand.run(
            str(Path(sys.executable).parent / "schemathesis"),
            *("--config-file", str(settings), "run", str(file), "--url", self.stand.root),
            *("--checks", CHECKS, "--max-examples", "8", "--max-time", str(SECONDS)),
            *("--phases", "examples,coverage,fuzzing", "--generation-deterministic"),
            *("--no-color", "--suppress-health-check", "all"),
        )

        self.assertEqual(done.returncode, 0, done.stdout[-6000:] + done.stderr[-2000:])
        self.assertRegex(done.stdout, r"Operations:\s+\d+ selected / \d+ total")
        self.assertNotIn("Something went wrong", self.stand.daemon.log)
