"""
EC2's clients: our C{euca-get-ajax-console}, and boto3 as it is.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from tests.real.clients import Stand
from tests.real.known import known
from tests.real.parts import MISSING
from tests.real.viewer import Viewer, token_of

BIN = Path(sys.executable).parent

_BOTO = """
import boto3, json, os, sys
ec2 = boto3.client("ec2", endpoint_url=os.environ["EC2_URL"], region_name="here")
found = ec2.describe_instances(Filters=[{"Name": "tag:Name", "Values": ["web1"]}])
(instance,) = found["Reservations"][0]["Instances"]
output = ec2.get_console_output(InstanceId=instance["InstanceId"])
json.dump([instance["InstanceId"], instance["State"]["Name"], output["Output"]], sys.stdout)
"""

_STALE = """
import boto3, os
from datetime import datetime, timedelta
from unittest import mock
import botocore.auth
stale = lambda *_, **__: datetime.utcnow() - timedelta(minutes=10)
with mock.patch("botocore.auth.get_current_datetime", stale):
    ec2 = boto3.client("ec2", endpoint_url=os.environ["EC2_URL"], region_name="here")
    ec2.describe_instances()
"""


class Ec2Tests(SynchronousTestCase):
    skip = MISSING

    def setUp(self) -> None:
        self.stand = Stand(self, guests=2)
        self.viewer = Viewer(self, self.stand.daemon.api.url(self.stand.guest))
        self.viewer.log_in(self.stand.guest)

    def environment(self, **more: str) -> dict[str, str]:
        access, secret = self.stand.ec2
        return {
            "EC2_URL": f"{self.stand.root}services/Cloud",
            "EC2_ACCESS_KEY": access,
            "EC2_SECRET_KEY": secret,
            "AWS_ACCESS_KEY_ID": access,
            "AWS_SECRET_ACCESS_KEY": secret,
            **more,
        }

    def euca(self, instance: str, **more: str) -> Any:
        tool = str(BIN / "euca-get-ajax-console")
        return self.stand.run(tool, instance, **self.environment(**more))

    def name(self, uuid: str) -> str:
        return f"i-{uuid.replace('-', '')}"

    def test_url_leads_to_the_prompt(self) -> None:
        done = self.euca(self.name(self.stand.guest.uuid))

        self.assertEqual((done.returncode, done.stderr), (0, ""))
        token_of(done.stdout.strip())
        viewer = Viewer(self, done.stdout.strip())
        viewer.type("echo $((6*7))-told\r")
        viewer.until_seen("42-told")

    def test_refusals(self) -> None:
        wrong = known.add("EC2 secret", "another-secret-of-16")
        instance = self.name(self.stand.guest.uuid)
        assert self.stand.other is not None
        for done, words in (
            (self.euca(instance, EC2_SECRET_KEY=wrong), "signature"),
            (self.euca(self.name(self.stand.other.uuid)), "does not exist"),
            (self.euca(instance, EC2_URL="http://127.0.0.1:1/"), "can't be reached"),
        ):
            self.assertEqual((done.returncode, done.stdout), (1, ""))
            self.assertIn(words, done.stderr)
        self.assertEqual(self.euca(instance, EC2_URL="", AWS_ENDPOINT_URL="").returncode, 2)

    def test_boto3(self) -> None:
        self.viewer.type("echo told-$((6*7))\r")
        self.viewer.until_seen("told-42")

        done = self.stand.run(sys.executable, "-c", _BOTO, **self.environment())

        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn(self.name(self.stand.guest.uuid), done.stdout)
        self.assertIn("running", done.stdout)
        self.assertIn("told-42", done.stdout)

    def test_stale_date(self) -> None:
        done = self.stand.run(sys.executable, "-c", _STALE, **self.environment())

        self.assertIn("RequestExpired", done.stderr)
