"""
Requests as EC2's clients sign them: by botocore itself.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any
from unittest import mock
from urllib.parse import urlencode

from botocore.auth import SigV4Auth, SigV4QueryAuth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from tests.consoleapi.world import NOW, Answer, World

ACCESS, SECRET = "AKIDBOB", "a-secret-of-ec2-1234567890"


def sign(
    words: dict[str, str],
    *,
    access: str = ACCESS,
    secret: str = SECRET,
    method: str = "POST",
    moment: float = NOW,
    in_query: bool = False,
    service: str = "ec2",
) -> AWSRequest:
    """
    @param moment: what the client's clock says.
    """
    url, body, headers = "http://127.0.0.1/services/Cloud", urlencode(words), {}
    if method == "GET":
        url, body = f"{url}?{body}", ""
    else:
        headers["Content-Type"] = "application/x-www-form-urlencoded; charset=utf-8"
    request = AWSRequest(method=method, url=url, data=body, headers=headers)
    kind = SigV4QueryAuth if in_query else SigV4Auth
    now = datetime.fromtimestamp(moment, UTC).replace(tzinfo=None)
    # botocore asks the machine's clock, in a way that changed between its versions.
    with mock.patch("botocore.auth.get_current_datetime", lambda *_, **__: now):
        kind(Credentials(access, secret), service, "here").add_auth(request)
    return request


def send(world: World, request: AWSRequest) -> Answer:
    prepared: Any = request.prepare()
    headers = {
        k: v.decode() if isinstance(v, bytes) else v
        for k, v in prepared.headers.items()
        if k.lower() != "content-length"
    }
    body = prepared.body or b""
    return world.ask(
        prepared.method,
        prepared.url,
        data=body.encode() if isinstance(body, str) else body,
        headers=headers,
    )


def ask(world: World, action: str, words: dict[str, str] | None = None, **how: Any) -> Answer:
    wanted = {"Action": action, "Version": "2016-11-15", **(words or {})}
    return send(world, sign(wanted, **how))
