"""
Digests of what opens a console, as everybody writes them.
"""

from __future__ import annotations

from hashlib import sha256


def digest_of(token: str) -> str:
    """@return: the SHA-256 of a token or secret, in hex."""
    return sha256(token.encode("ascii")).hexdigest()
