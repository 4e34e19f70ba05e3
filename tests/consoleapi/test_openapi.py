"""
C{/openapi.json} says what there is, neither more nor less.
"""

from __future__ import annotations

import re
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from consoleapi.ec2 import ACTIONS
from tests.consoleapi.world import World


class DescriptionTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.world = World(users={"x": "x"})
        self.described: dict[str, Any] = self.world.get("/openapi.json").json

    def operations(self) -> dict[str, Any]:
        return {
            f"{method.upper()} {path}": operation
            for path, methods in self.described["paths"].items()
            for method, operation in methods.items()
        }

    def test_every_route_is_described_and_nothing_else(self) -> None:
        served = {f"{route.method} {route.template}" for route in self.world.root.routes}

        self.assertEqual(set(self.operations()), served)

    def test_public_ones_are_said_to_be(self) -> None:
        """
        EC2's has a way of its own to say who may not.
        """
        operations = self.operations()
        for route in self.world.root.routes:
            if route.template != "/services/Cloud":
                operation = operations[f"{route.method} {route.template}"]
                self.assertEqual(operation.get("security") == [], route.is_public, operation)

    def test_names_in_paths_are_described(self) -> None:
        known = self.described["components"]["parameters"]
        for path, operation in self.operations().items():
            parameters = [
                known[p["$ref"].rpartition("/")[2]] if "$ref" in p else p
                for p in operation.get("parameters", [])
            ]
            named = {p["name"] for p in parameters if p["in"] == "path"}

            self.assertEqual(named, set(re.findall(r"\{(\w+)\}", path)), path)

    def test_operations_have_names_of_their_own(self) -> None:
        names = [operation["operationId"] for operation in self.operations().values()]

        self.assertEqual(len(set(names)), len(names))

    def test_actions_of_ec2(self) -> None:
        (action, _) = self.operations()["GET /services/Cloud"]["parameters"]

        self.assertEqual(set(action["schema"]["enum"]), set(ACTIONS))

    def test_it_is_openapi(self) -> None:
        try:
            from openapi_spec_validator import validate
        except ImportError:
            self.skipTest("openapi-spec-validator is not installed")
        validate(self.described)
