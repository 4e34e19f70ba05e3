"""
Who asks, as a record that goes along with what they ask.
"""

from __future__ import annotations

from dataclasses import dataclass

ANONYMOUS = "anonymous"


@dataclass(frozen=True, slots=True)
class Caller:
    """
    @ivar name: of the user.  What they may do is looked up at every use, so
        that a policy which changed counts at once.
    @ivar address: where they are, for the log.
    @ivar way: how they showed who they are: C{password}, C{token}, C{ec2},
        C{session} or C{none}.
    """

    name: str
    address: str
    way: str
