"""
AWS's signature version 4, as EC2's clients make it: in the C{Authorization}
header, or in the query of a URL.

The signature is made again from the request that came, by botocore's own
signer, and compared.  botocore is an extra (C{ajaxconsole[ec2]}) and is loaded when the
first signed request comes, in the thread where this runs.
"""

from __future__ import annotations

import hmac
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256
from urllib.parse import parse_qsl

SKEW = 300.0
"""Seconds that a client's clock may be wrong."""

_MOST_EXPIRES = 3600
_ALGORITHM = "AWS4-HMAC-SHA256"
_HEADER = re.compile(
    rf"{_ALGORITHM} +Credential=(?P<credential>[^,\s]+),? *"
    r"SignedHeaders=(?P<signed>[a-z0-9;_-]+),? *Signature=(?P<signature>[0-9a-f]{64})"
)
_CREDENTIAL = re.compile(
    r"(?P<access>[A-Za-z0-9_]{4,128})/(?P<day>[0-9]{8})/(?P<region>[A-Za-z0-9-]{1,64})/ec2/aws4_request"
)


class Refused(Exception):
    """
    @ivar code: EC2's word for it.
    """

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(code, message)
        self.status = status
        self.code = code
        self.message = message


@dataclass(frozen=True, slots=True)
class Signed:
    """
    What was signed.

    @ivar headers: all that came, by their names in lower case.
    """

    method: str
    path: str
    query: str
    headers: Mapping[str, str]
    body: bytes


@dataclass(frozen=True, slots=True)
class _Claim:
    access: str
    day: str
    region: str
    signed: frozenset[str]
    signature: str
    moment: str
    lifetime: float
    query: str


def verify(signed: Signed, keys: Callable[[str], tuple[str, str] | None], now: float) -> str:
    """
    @param keys: user and secret of an access key.
    @param now: the calendar's seconds.
    @return: the user.
    @raise Refused: the signature is not theirs, or not for this request, or old.
    """
    claim = _claim(signed)
    _check_moment(claim, now)
    known = keys(claim.access)
    user, secret = known if known is not None else ("", "no such key")
    expected = _signature(signed, claim, secret)
    if not hmac.compare_digest(expected.encode(), claim.signature.encode()):
        known = None
    if known is None:
        raise Refused(
            403,
            "SignatureDoesNotMatch",
            "The signature is not one that this access key makes of this request.",
        )
    return user


def _claim(signed: Signed) -> _Claim:
    query = dict(parse_qsl(signed.query, keep_blank_values=True))
    header = signed.headers.get("authorization")
    lifetime = 0.0
    if header is not None:
        match = _HEADER.fullmatch(header.strip())
        if match is None:
            raise _incomplete("The Authorization header is no signature of version 4.")
        credential, names, signature = match["credential"], match["signed"], match["signature"]
        moment, rest = signed.headers.get("x-amz-date", ""), signed.query
        if "x-amz-date" not in names.split(";"):
            raise _incomplete("The date must be signed as X-Amz-Date.")
    elif query.get("X-Amz-Algorithm") == _ALGORITHM:
        credential, names = query.get("X-Amz-Credential", ""), query.get("X-Amz-SignedHeaders", "")
        moment, signature = query.get("X-Amz-Date", ""), query.get("X-Amz-Signature", "")
        expires = query.get("X-Amz-Expires", "")
        if not re.fullmatch("[0-9]{1,6}", expires) or int(expires) > _MOST_EXPIRES:
            raise _incomplete(f"X-Amz-Expires is from 0 to {_MOST_EXPIRES}.")
        lifetime = float(expires)
        kept = [p for p in signed.query.split("&") if not p.startswith("X-Amz-Signature=")]
        rest = "&".join(kept)
    else:
        raise Refused(401, "AuthFailure", "Requests must be signed, by signature version 4.")
    scope = _CREDENTIAL.fullmatch(credential)
    if scope is None or "host" not in names.split(";"):
        raise _incomplete(
            "The credential is ACCESS/DAY/REGION/ec2/aws4_request, and host is signed."
        )
    return _Claim(
        scope["access"], scope["day"], scope["region"],
        frozenset(names.split(";")), signature, moment, lifetime, rest,
    )  # fmt: skip


def _check_moment(claim: _Claim, now: float) -> None:
    try:
        moment = datetime.strptime(claim.moment, "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC).timestamp()
    except ValueError:
        raise _incomplete("The date is written YYYYMMDDTHHMMSSZ.") from None
    if not claim.moment.startswith(claim.day):
        raise _incomplete("The credential's day is not that of the date.")
    if not moment - SKEW <= now <= moment + max(SKEW, claim.lifetime):
        raise Refused(
            400,
            "RequestExpired",
            "Request has expired: its date is not within five minutes of this server's clock.",
        )


def _signature(signed: Signed, claim: _Claim, secret: str) -> str:
    try:
        from botocore.auth import SigV4Auth
        from botocore.awsrequest import AWSRequest
        from botocore.credentials import Credentials
    except ImportError:
        raise Refused(
            501, "Unsupported", "This server lacks botocore; its administrator installs "
            "ajaxconsole[ec2].",
        ) from None  # fmt: skip
    digest = signed.headers.get("x-amz-content-sha256")
    if digest is not None and digest != sha256(signed.body).hexdigest():
        raise Refused(403, "SignatureDoesNotMatch", "The body is another than the one signed.")
    signer = SigV4Auth(Credentials(claim.access, secret), "ec2", claim.region)
    headers = {name: value for name, value in signed.headers.items() if name in claim.signed}
    url = f"https://{signed.headers.get('host', '')}{signed.path}"
    request = AWSRequest(
        method=signed.method,
        url=f"{url}?{claim.query}" if claim.query else url,
        headers=headers,
        data=signed.body,
    )
    request.context["timestamp"] = claim.moment
    canonical = signer.canonical_request(request)
    made: str = signer.signature(signer.string_to_sign(request, canonical), request)
    return made


def _incomplete(message: str) -> Refused:
    return Refused(400, "IncompleteSignature", message)
