"""
The small rooms: names that are looked for, bodies, endpoints, URLs, threads.
"""

from __future__ import annotations

import json
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase, TestCase

from consoleapi.addresses import parse_proxy_url
from consoleapi.faults import Fault
from consoleapi.forms import Form, blank, members, part, quoted, some
from consoleapi.listening import is_private
from consoleapi.namefilter import NameFilter
from consoleapi.schema import REMOTE_CONSOLE, check, parse_object
from consoleapi.threads import Threads
from consolebus.ibus import Unavailable


class NameFilterTests(SynchronousTestCase):
    def test_fits(self) -> None:
        for text, name, fits in (
            ("web", "my-web1", True),
            ("web1", "web2", False),
            ("^web1$", "web1", True),
            ("^web1$", "web11", False),
            ("web[0-9]", "web7", True),
            ("web.*prod", "web1.prod", True),
            ("a|b", "xbx", True),
            ("c++", "my-c++", True),
            ("(a+)+$", "aaaa", False),
            ("(a+)+$", "x(a+)+$", True),
            ("[", "a[b", True),
            ("\\d", "web1", True),
            ("[z-a]", "z", False),
            ("", "web1", True),
        ):
            self.assertEqual(NameFilter(text).fits(name), fits, (text, name))

    def test_no_expression_takes_long(self) -> None:
        """
        Each of these would take Python's engine minutes.
        """
        for text in ("a*" * 30 + "b", "a?" * 40 + "a" * 40, "(.*)*x", ".*.*.*.*.*x"):
            self.assertFalse(NameFilter(text).fits("a" * 255))

    def test_word_is_in_every_name_that_fits(self) -> None:
        for text, word in (
            ("Web", "web"),
            ("^guest-07-of-0123$", "guest-07-of-0123"),
            ("web[0-9]+-production.*", "-production"),
            ("webs?-x", "web"),
            ("ab+c", "ab"),
            ("a\\.example", "example"),
            ("a|b", ""),
            ("[0-9]$", ""),
            ("(web+)+$", "web"),
            ("", ""),
        ):
            self.assertEqual(NameFilter(text).word, word, text)

    @settings(derandomize=True, max_examples=500, deadline=None)
    @given(st.text("aB1.*+?[]^$|\\(", max_size=8), st.text("aB1.*+?[]^$|\\(", max_size=8))
    def test_word_never_hides_a_name(self, text: str, name: str) -> None:
        names = NameFilter(text)

        self.assertTrue(not names.fits(name) or names.word in name.lower())

    def test_too_long(self) -> None:
        self.assertRaises(Fault, NameFilter, "x" * 256)


class FormTests(SynchronousTestCase):
    """
    JSON of many records.
    """

    ODD = 'q"\\ %s %(a)s \0a\0 é\n'

    def test_like_json(self) -> None:
        def record(name: Any, more: dict[str, Any], number: str) -> dict[str, Any]:
            return {"name": name, "100%": ["%s", f"http://x/{number}/y"], **more, "a": number}

        form = Form(record(blank("name"), dict(some("more")), part("number")))
        cases: list[tuple[Any, dict[str, Any], str]] = [
            (self.ODD, {self.ODD: self.ODD, "b": [None]}, "7"),
            (["x"], {"c": True}, "8"),
        ]

        filled = form.fill(
            {"name": json.dumps(name), "more": members(more), "number": number}
            for name, more, number in cases
        )

        self.assertEqual(json.loads(b"[%b]" % filled), [record(*each) for each in cases])
        self.assertEqual(json.loads(quoted(self.ODD)), self.ODD)
        self.assertEqual(form.fill([]), b"")


class SchemaTests(SynchronousTestCase):
    def test_values_in_faults_are_cut(self) -> None:
        with self.assertRaises(Fault) as caught:
            check({"remote_console": {"protocol": "x" * 5000, "type": "serial"}}, REMOTE_CONSOLE)

        self.assertLess(len(caught.exception.message), 500)

    def test_kinds(self) -> None:
        for value in ([], {"remote_console": []}, {"remote_console": {"protocol": 1, "type": {}}}):
            self.assertRaises(Fault, check, value, REMOTE_CONSOLE)

    def test_object(self) -> None:
        self.assertEqual(parse_object(b' {"a": 1}'), {"a": 1})
        for body in (b"", b"1", b"null", b'{"a": Infinity}', b'{"a": 1} x'):
            self.assertRaises(Fault, parse_object, body)


class FaultTests(SynchronousTestCase):
    def test_html_is_escaped(self) -> None:
        self.assertIn(b"&lt;b&gt;", Fault(404, "<b>").as_html())

    def test_message_has_an_end(self) -> None:
        self.assertLess(len(Fault(404, "x" * 10000).as_json()), 3000)


class ListeningTests(SynchronousTestCase):
    def test_private(self) -> None:
        for endpoint in (
            "tcp:8080:interface=127.0.0.1",
            "tcp:interface=127.0.0.53:port=80",
            "tcp6:8080:interface=\\:\\:1",
            "tcp:8080:interface=localhost",
            "ssl:443:interface=127.0.0.1:privateKey=a",
            "unix:/run/x.sock",
            "unix:/run/x.sock:mode=660",
        ):
            self.assertTrue(is_private(endpoint), endpoint)

    def test_public(self) -> None:
        for endpoint in (
            "tcp:8080",
            "tcp:8080:interface=0.0.0.0",
            "tcp:8080:interface=",
            "tcp:8080:interface=192.0.2.1",
            "tcp:8080:interface=127.0.0.1.example.org",
            "tcp:8080:127.0.0.1",
            "tcp:8080:interface=127.0.0.1\\:0",
            "tcp6:8080",
            "tcp6:8080:interface=\\:\\:",
            "tcp:8080:interface=127.0.0.1:interface=0.0.0.0",
            "tcp:8080:backlog=127.0.0.1",
            "systemd:domain=INET:index=0",
            "haproxy:tcp:8080:interface=127.0.0.1",
            "",
            "nonsense",
        ):
            self.assertFalse(is_private(endpoint), endpoint)


class ProxyUrlTests(SynchronousTestCase):
    def test_ends_with_a_slash(self) -> None:
        self.assertEqual(parse_proxy_url("https://x:1/c"), "https://x:1/c/")
        self.assertEqual(parse_proxy_url("http://[::1]:6083/"), "http://[::1]:6083/")

    def test_refused(self) -> None:
        for text in (
            "",
            "x",
            "ws://x/",
            "http://",
            "http:///x",
            "http://x:y/",
            "http://x:99999/",
            "http://u:p@x/",
            "http://x/?a",
            "http://x/#a",
            "http://x/ y",
            "http://x/é",
            'http://x/"',
            "http://[/",
            "javascript:alert(1)",
        ):
            self.assertRaises(ValueError, parse_proxy_url, text)


class ThreadsTests(TestCase):
    """
    Real threads, since they are the point.
    """

    timeout = 20

    def setUp(self) -> None:
        from twisted.internet import reactor

        self.threads = Threads(reactor)
        self.threads.startService()
        self.addCleanup(self.threads.stopService)

    def test_runs(self) -> Deferred[None]:
        return self.threads.run(pow, 2, 5).addCallback(self.assertEqual, 32)

    def test_failure_comes_back(self) -> Deferred[Any]:
        return self.assertFailure(self.threads.run(int, "x"), ValueError)

    def test_too_much_is_refused_at_once(self) -> Deferred[None]:
        self.threads.MOST = 1
        first = self.threads.run(pow, 2, 5)

        self.assertRaises(Unavailable, self.threads.run, pow, 2, 5)

        return first.addCallback(lambda _: self.threads.run(pow, 2, 6)).addCallback(
            self.assertEqual, 64
        )
