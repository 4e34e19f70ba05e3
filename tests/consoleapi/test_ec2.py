"""
EC2's Query API, as its clients sign for it.
"""

from __future__ import annotations

from base64 import b64encode
from typing import Any
from xml.etree import ElementTree

from twisted.trial.unittest import SynchronousTestCase

from consoleapi.keys import Keys
from tests.consoleapi import signing
from tests.consoleapi.signing import ACCESS, SECRET, send, sign
from tests.consoleapi.world import NOW, TOKEN, Answer, FakeHost, World, domain, uuid

NAME = "i-00000001aaaa4bbb8ccc0123456789ab"
DESCRIBE = {"Action": "DescribeInstances", "Version": "2016-11-15"}


def texts(answer: Answer, tag: str) -> list[str]:
    tree = ElementTree.fromstring(answer.body)
    return [e.text or "" for e in tree.iter() if e.tag.rpartition("}")[2] == tag]


class Ec2TestCase(SynchronousTestCase):
    def setUp(self) -> None:
        self.world = World(users={"x": "x"}, keys=Keys({}, {ACCESS: ("bob", SECRET)}))
        self.host = FakeHost(
            self.world, "h1", domain(1, "web<1>"), domain(2, "db", "shutoff"), domain(3, "x")
        )
        self.host.output = b"\x1b[31mlogin:\x00 "
        self.world.start()

    def ask(self, action: str, words: dict[str, str] | None = None, **how: Any) -> Answer:
        return signing.ask(self.world, action, words, **how)

    def code(self, answer: Answer) -> tuple[int, str]:
        (code,) = texts(answer, "Code")
        return answer.status, code


class ActionTests(Ec2TestCase):
    def test_url(self) -> None:
        for words in ({"InstanceId.1": NAME}, {"InstanceId": uuid(1)}):
            answer = self.ask("GetAjaxConsole", words)

            self.assertEqual(texts(answer, "url"), [f"http://proxy.example:6083/?token={TOKEN}"])
        self.assertEqual(self.host.asked[0]["user"], "bob")

    def test_signed_get_opens_one(self) -> None:
        for in_query in (False, True):
            answer = self.ask(
                "GetAjaxConsole", {"InstanceId.1": NAME}, method="GET", in_query=in_query
            )

            self.assertEqual(answer.status, 200, answer.body)

    def test_instances(self) -> None:
        answer = self.ask("DescribeInstances")

        self.assertEqual(texts(answer, "value"), ["db", "web<1>", "x"])
        self.assertEqual(texts(answer, "instanceId")[1], NAME)
        self.assertIn("stopped", texts(answer, "name"))

    def test_pages(self) -> None:
        first = self.ask("DescribeInstances", {"MaxResults": "2"})
        (token,) = texts(first, "nextToken")
        second = self.ask("DescribeInstances", {"MaxResults": "2", "NextToken": token})

        self.assertEqual(texts(first, "value") + texts(second, "value"), ["db", "web<1>", "x"])
        self.assertEqual(texts(second, "nextToken"), [])

    def test_filters(self) -> None:
        def named(name: str, *values: str) -> Answer:
            listed = {f"Filter.1.Value.{n}": value for n, value in enumerate(values, 1)}
            return self.ask("DescribeInstances", {"Filter.1.Name": name, **listed})

        self.assertEqual(texts(named("tag:Name", "db", "x"), "value"), ["db", "x"])
        self.assertEqual(texts(named("instance-state-name", "stopped"), "value"), ["db"])
        self.assertEqual(self.code(named("color", "x")), (400, "InvalidParameterValue"))

    def test_output(self) -> None:
        answer = self.ask("GetConsoleOutput", {"InstanceId": NAME})

        self.assertEqual(texts(answer, "output"), [b64encode(b"login: ").decode()])

    def test_what_goes_wrong(self) -> None:
        self.world.later(3)
        later = {"moment": self.world.now()}
        for action, words, code in (
            ("GetAjaxConsole", {"InstanceId": "i-1"}, (400, "InvalidInstanceID.NotFound")),
            ("GetAjaxConsole", {}, (400, "MissingParameter")),
            ("RunInstances", {}, (400, "InvalidAction")),
        ):
            self.assertEqual(self.code(self.ask(action, words, **later)), code)
        self.host.output = None
        answer = self.ask("GetConsoleOutput", {"InstanceId": NAME}, **later)
        self.assertEqual(self.code(answer), (409, "IncorrectInstanceState"))


class SignatureTests(Ec2TestCase):
    """
    Who is who.
    """

    def refused(self, answer: Answer) -> tuple[int, str]:
        self.assertEqual(self.host.asked, [])
        self.assertNotIn(b"web", answer.body)
        return self.code(answer)

    def test_unsigned(self) -> None:
        for method in ("GET", "POST"):
            answer = self.world.ask(method, "/services/Cloud?Action=DescribeInstances")

            self.assertEqual(self.refused(answer), (401, "AuthFailure"))

    def test_wrong_secret_and_unknown_key_look_alike(self) -> None:
        wrong = self.ask("DescribeInstances", secret="another secret of 16")
        unknown = self.ask("DescribeInstances", access="AKIDNOBODY")

        self.assertEqual(self.refused(wrong), (403, "SignatureDoesNotMatch"))
        self.assertEqual(self.refused(unknown), (403, "SignatureDoesNotMatch"))
        self.assertEqual(texts(wrong, "Message"), texts(unknown, "Message"))

    def test_dates(self) -> None:
        for moment in (NOW - 301, NOW + 302):
            answer = self.ask("DescribeInstances", moment=moment)

            self.assertEqual(self.refused(answer), (400, "RequestExpired"))
        for moment in (NOW - 299, NOW + 299):
            self.assertEqual(self.ask("DescribeInstances", moment=moment).status, 200)

    def test_url_that_was_signed_an_hour_ago(self) -> None:
        how: dict[str, Any] = {"method": "GET", "in_query": True}

        late = self.ask("DescribeInstances", moment=NOW - 3601, **how)

        self.assertEqual(self.refused(late), (400, "RequestExpired"))
        self.assertEqual(self.ask("DescribeInstances", moment=NOW - 3500, **how).status, 200)

    def test_whatever_is_changed_breaks_it(self) -> None:
        def body(request: Any) -> None:
            request.data = request.data.replace("Describe", "Discribe")

        def date(request: Any) -> None:
            value = request.headers["X-Amz-Date"]
            del request.headers["X-Amz-Date"]
            request.headers["X-Amz-Date"] = value[:-2] + "9Z"

        def content(request: Any) -> None:
            del request.headers["Content-Type"]
            request.headers["Content-Type"] = "text/plain"

        def signature(request: Any) -> None:
            value = request.headers["Authorization"]
            del request.headers["Authorization"]
            request.headers["Authorization"] = value[:-1] + ("0" if value[-1] != "0" else "1")

        def query(request: Any) -> None:
            request.url += "?more=1"

        for change in (body, date, content, signature, query):
            self.world.later(70)
            request = sign(DESCRIBE, moment=self.world.now())
            change(request)

            self.assertEqual(
                self.refused(send(self.world, request)), (403, "SignatureDoesNotMatch"), change
            )

    def test_body_that_its_digest_does_not_fit(self) -> None:
        request = sign(DESCRIBE)
        request.headers["X-Amz-Content-SHA256"] = "0" * 64

        self.assertEqual(self.refused(send(self.world, request)), (403, "SignatureDoesNotMatch"))

    def test_other_services_signature(self) -> None:
        answer = self.ask("DescribeInstances", service="s3")

        self.assertEqual(self.refused(answer), (400, "IncompleteSignature"))

    def test_odd_headers(self) -> None:
        for header in ("AWS4-HMAC-SHA256", "AWS4-HMAC-SHA256 Credential=x", "Basic eDp4"):
            answer = self.world.ask(
                "POST", "/services/Cloud", data=b"", headers={"Authorization": header}
            )

            self.assertEqual(self.refused(answer), (400, "IncompleteSignature"))

    def test_parameter_given_twice(self) -> None:
        answer = self.world.ask(
            "POST", "/services/Cloud", data=b"Action=GetAjaxConsole&Action=DescribeInstances"
        )

        self.assertEqual(self.refused(answer), (400, "InvalidParameterCombination"))
