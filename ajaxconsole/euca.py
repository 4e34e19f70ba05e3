"""
C{euca-get-ajax-console INSTANCE}: the URL of an instance's console, asked of
EC2's API, as Nova's tool of that name did.

    EC2_URL, EC2_ACCESS_KEY, EC2_SECRET_KEY, EC2_REGION     in the environment, or
    AWS_ENDPOINT_URL, AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_DEFAULT_REGION

Ends with 0; 1 where the server says no; 2 where something is missing here.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping, Sequence
from urllib.error import HTTPError, URLError
from urllib.parse import urlencode, urlsplit
from urllib.request import Request, urlopen
from xml.etree import ElementTree

USAGE = "Usage: euca-get-ajax-console INSTANCE"

_PATIENCE = 60.0
_MOST_ANSWER = 1 << 20
_NAMES = {
    "url": ("EC2_URL", "AWS_ENDPOINT_URL"),
    "access": ("EC2_ACCESS_KEY", "AWS_ACCESS_KEY_ID"),
    "secret": ("EC2_SECRET_KEY", "AWS_SECRET_ACCESS_KEY"),
}


class Problem(Exception):
    """
    @ivar status: what the program ends with.
    """

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


def main(argv: Sequence[str] | None = None) -> None:
    words = list(sys.argv[1:] if argv is None else argv)
    if words in (["-h"], ["--help"]):
        sys.stdout.write(f"{USAGE}\n{__doc__}")
        return
    if len(words) != 1 or words[0].startswith("-"):
        sys.stderr.write(f"{USAGE}\n")
        sys.exit(2)
    try:
        sys.stdout.write(console_url(words[0], os.environ) + "\n")
    except Problem as problem:
        sys.stderr.write(f"euca-get-ajax-console: {problem}\n")
        sys.exit(problem.status)


def console_url(instance: str, environment: Mapping[str, str]) -> str:
    """
    @raise Problem: there is none to be had.
    """
    settings = {}
    for setting, names in _NAMES.items():
        settings[setting] = next((environment[n] for n in names if environment.get(n)), "")
        if not settings[setting]:
            raise Problem(2, f"{names[0]} (or {names[1]}) is not in the environment")
    url = settings["url"]
    if urlsplit(url).scheme not in ("http", "https"):
        raise Problem(2, f"{url} is no http:// or https:// address")
    region = environment.get("EC2_REGION") or environment.get("AWS_DEFAULT_REGION") or "here"
    form = {"Action": "GetAjaxConsole", "InstanceId.1": instance, "Version": "2016-11-15"}
    request = _signed(url, urlencode(form).encode(), settings["access"], settings["secret"], region)
    try:
        with urlopen(request, timeout=_PATIENCE) as answer:  # noqa: S310 (the scheme is checked)
            found = _text(answer.read(_MOST_ANSWER), "url")
    except HTTPError as error:
        said = _text(error.read(_MOST_ANSWER), "Message")
        raise Problem(1, said or f"the server answered {error.code} {error.reason}") from None
    except (URLError, OSError) as error:
        raise Problem(1, f"{url} can't be reached: {getattr(error, 'reason', error)}") from None
    if not found:
        raise Problem(1, "the server gave no URL; is this the address of its /services/Cloud?")
    return found


def _signed(url: str, body: bytes, access: str, secret: str, region: str) -> Request:
    try:
        from botocore.auth import SigV4Auth
        from botocore.awsrequest import AWSRequest
        from botocore.credentials import Credentials
    except ImportError:
        raise Problem(
            2, "botocore is missing; it comes with pip install ajaxconsole[ec2]"
        ) from None
    headers = {"Content-Type": "application/x-www-form-urlencoded; charset=utf-8"}
    signed = AWSRequest(method="POST", url=url, data=body, headers=headers)
    SigV4Auth(Credentials(access, secret), "ec2", region).add_auth(signed)
    return Request(url, body, dict(signed.headers.items()), method="POST")  # noqa: S310


def _text(answer: bytes, tag: str) -> str:
    try:
        tree = ElementTree.fromstring(answer)
    except ElementTree.ParseError:
        return ""
    return next((e.text or "" for e in tree.iter() if e.tag.rpartition("}")[2] == tag), "")
