"""
C{/services/Cloud}: EC2's Query API, as far as consoles go.

    GET or POST  ?Action=DescribeInstances   InstanceId.N, Filter.N.Name, MaxResults, NextToken
                 ?Action=GetConsoleOutput    InstanceId
                 ?Action=GetAjaxConsole      InstanceId.1 (or InstanceId): the URL of its console

An instance is C{i-} and the 32 digits of the guest's UUID; the UUID itself is
understood too.  Whoever signs a GET has meant it, so here, and nowhere else, one
opens a console.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from urllib.parse import parse_qsl

from consoleapi import ec2xml
from consoleapi.accounts import Accounts
from consoleapi.actions import MOST_OUTPUT
from consoleapi.addresses import Addresses
from consoleapi.audit import Audit
from consoleapi.callers import Caller
from consoleapi.desk import Desk
from consoleapi.directory import Guest
from consoleapi.ec2xml import Ec2Fault
from consoleapi.faults import Fault
from consoleapi.files import Run
from consoleapi.output import as_text
from consoleapi.ratelimits import RateLimits
from consoleapi.routes import Route, Visit
from consoleapi.signature import Refused, Signed, verify
from consoleapi.slowing import Slowing
from consoleapi.web import Asked, Reply, as_fault
from consolebus.ibus import BusFailure

PATH = "/services/Cloud"

Action = Callable[["Ec2", Asked, Caller, Mapping[str, str]], Awaitable[str]]


class Ec2:
    """
    @cvar MOST_LISTED: instances in one answer.
    """

    MOST_LISTED = 1000

    def __init__(
        self,
        accounts: Accounts,
        slowing: Slowing,
        run: Run,
        time: Callable[[], float],
        limits: RateLimits,
        desk: Desk,
        addresses: Addresses,
        audit: Audit,
    ) -> None:
        self._accounts = accounts
        self._slowing = slowing
        self._run = run
        self._time = time
        self._limits = limits
        self._desk = desk
        self._addresses = addresses
        self._audit = audit

    def routes(self) -> list[Route]:
        return [
            Route("GET", PATH, self._answer, is_public=True),
            Route("POST", PATH, self._answer, is_public=True),
        ]

    async def _answer(self, visit: Visit) -> Reply:
        """
        Public, since it has a way of its own to say that one may not.
        """
        asked = visit.asked
        try:
            words = _words(asked)
            caller = await self._caller(asked)
            self._limits.count(caller.name, asked.method, asked.path)
            action = ACTIONS.get(words.get("Action", ""))
            if action is None:
                raise Ec2Fault(400, "InvalidAction", "There is no such action here.")
            return ec2xml.reply(asked, words, await action(self, asked, caller, words))
        except Ec2Fault as fault:
            return ec2xml.refusal(asked, fault)
        except (Fault, BusFailure) as problem:
            return ec2xml.refusal(asked, ec2xml.as_ec2(as_fault(problem)))

    async def _caller(self, asked: Asked) -> Caller:
        headers = {
            name.decode("latin-1").lower(): ",".join(v.decode("latin-1").strip() for v in values)
            for name, values in asked.headers.getAllRawHeaders()
        }
        signed = Signed(asked.method, asked.path, asked.query, headers, asked.body)
        try:
            user = await self._run(verify, signed, self._accounts.keys.ec2.get, self._time())
        except Refused as refused:
            if refused.code == "SignatureDoesNotMatch":
                self._slowing.check("ec2", asked.address)
                self._slowing.wrong("ec2", asked.address)
            self._audit.write(
                "login", outcome="refused", why=refused.code, way="ec2", address=asked.address
            )
            raise Ec2Fault(refused.status, refused.code, refused.message) from None
        return Caller(user, asked.address, "ec2")

    async def _guest(self, asked: Asked, caller: Caller, words: Mapping[str, str]) -> Guest:
        name = words.get("InstanceId") or words.get("InstanceId.1")
        if not name:
            raise Ec2Fault(400, "MissingParameter", "InstanceId says which instance.")
        return await self._instance(asked, caller, name)

    async def _instance(self, asked: Asked, caller: Caller, name: str) -> Guest:
        uuid = ec2xml.uuid_of(name)
        try:
            return await self._desk.guest(caller, uuid, asked.context(caller.name))
        except Fault:
            raise Ec2Fault(
                400,
                "InvalidInstanceID.NotFound",
                f"The instance ID '{name[:100]}' does not exist",
            ) from None

    # What can be asked.

    async def _describe(self, asked: Asked, caller: Caller, words: Mapping[str, str]) -> str:
        names = [value for key, value in sorted(words.items()) if key.startswith("InstanceId.")]
        wanted = ec2xml.filters(words)
        if names:
            named = [await self._instance(asked, caller, n) for n in names[: self.MOST_LISTED]]
            fits = wanted.fits
            return ec2xml.instances([g for g in named if fits is None or fits(g)], None)
        most = words.get("MaxResults", "")
        count = min(int(most), self.MOST_LISTED) if most.isdecimal() else self.MOST_LISTED
        guests, more = await self._desk.page(caller, wanted, words.get("NextToken"), max(1, count))
        return ec2xml.instances(guests, guests[-1].uuid if more else None)

    async def _console_output(self, asked: Asked, caller: Caller, words: Mapping[str, str]) -> str:
        guest = await self._guest(asked, caller, words)
        context = asked.context(caller.name)
        output = await self._desk.output(caller, guest, None, MOST_OUTPUT, context)
        return ec2xml.output(guest, as_text(output), self._time())

    async def _ajax_console(self, asked: Asked, caller: Caller, words: Mapping[str, str]) -> str:
        guest = await self._guest(asked, caller, words)
        opened = await self._desk.open(caller, guest, None, None, asked.context(caller.name))
        return ec2xml.url(self._addresses.page(asked, opened.token))


ACTIONS: Mapping[str, Action] = {
    "DescribeInstances": Ec2._describe,
    "GetConsoleOutput": Ec2._console_output,
    "GetAjaxConsole": Ec2._ajax_console,
}


def _words(asked: Asked) -> Mapping[str, str]:
    """
    The parameters, each of which may come once.
    """
    text = asked.query
    if asked.method == "POST":
        try:
            text = asked.body.decode("utf-8")
        except UnicodeDecodeError:
            raise Ec2Fault(400, "MalformedQueryString", "The form is not UTF-8.") from None
    try:
        pairs = parse_qsl(text, keep_blank_values=True, max_num_fields=2000, errors="strict")
    except ValueError:
        raise Ec2Fault(400, "MalformedQueryString", "The query can't be understood.") from None
    words = dict(pairs)
    if len(words) != len(pairs):
        raise Ec2Fault(400, "InvalidParameterCombination", "A parameter is given twice.")
    return words
