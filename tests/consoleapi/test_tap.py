"""
C{twistd consoleapi}: its options, and what becomes of them.
"""

from __future__ import annotations

from pathlib import Path

import bcrypt
from treq.testing import StubTreq
from twisted.internet.defer import Deferred
from twisted.internet.testing import MemoryReactorClock
from twisted.python.usage import UsageError
from twisted.trial.unittest import SynchronousTestCase, TestCase

from consoleapi.composing import make_api, make_service
from consoleapi.tap import Options
from consolebus.memory import MemoryBroker, MemoryBus

BUS = ["--bus", "amqp://127.0.0.1/"]
PROXY = ["--proxy-url", "http://127.0.0.1:6083"]


def options(*words: str) -> Options:
    parsed = Options()
    parsed.parseOptions(list(words))
    return parsed


class OptionsTests(SynchronousTestCase):
    def refused(self, *words: str) -> str:
        with self.assertRaises(UsageError) as caught:
            options(*words)
        return str(caught.exception)

    def test_defaults(self) -> None:
        parsed = options(*BUS, *PROXY, "--users", "f")

        self.assertEqual(parsed["listen"], "tcp:8774:interface=127.0.0.1")
        self.assertEqual(parsed["proxy-url"], "http://127.0.0.1:6083/")
        self.assertEqual((parsed["auth"], parsed["url-scheme"]), ("basic", "http"))

    def test_what_must_be_given(self) -> None:
        self.assertIn("--bus", self.refused(*PROXY, "--auth", "none"))
        self.assertIn("--bus", self.refused("--bus", "memory:", *PROXY, "--auth", "none"))
        self.assertIn("--proxy-url", self.refused(*BUS, "--auth", "none"))
        self.assertIn("htpasswd -B", self.refused(*BUS, *PROXY))

    def test_odd_words(self) -> None:
        self.assertIn("--auth", self.refused(*BUS, *PROXY, "--auth", "ldap"))
        self.assertIn(
            "--url-scheme", self.refused(*BUS, *PROXY, "--auth", "none", "--url-scheme", "wss")
        )
        self.assertIn("--proxy-url", self.refused(*BUS, "--proxy-url", "x", "--auth", "none"))
        good = [*BUS, *PROXY, "--auth", "none"]
        self.assertIn("--trusted-proxy x:", self.refused(*good, "--trusted-proxy", "x"))
        self.assertIn("--trusted-header is", self.refused(*good, "--trusted-header", "x"))

    def test_without_log_in_on_this_machine_only(self) -> None:
        none = [*BUS, *PROXY, "--auth", "none", "--listen"]

        for endpoint in ("tcp:80:interface=127.0.0.1", "unix:/run/x"):
            options(*none, endpoint)
        for endpoint in ("tcp:80", "tcp:80:interface=10.0.0.1", "systemd:domain=INET:index=0"):
            self.assertIn(endpoint, self.refused(*none, endpoint))

    def test_file(self) -> None:
        path = Path(self.mktemp())
        path.write_text(
            '[consoleapi]\nbus = "amqp://127.0.0.1/"\nproxy-url = "https://c.example/x"\n'
            'auth = "none"\nallowed-host = ["c.example"]\n'
        )

        parsed = options("--config", str(path))

        self.assertEqual(parsed["proxy-url"], "https://c.example/x/")
        self.assertEqual(parsed["allowed-host"], ["c.example"])


class ServiceTests(SynchronousTestCase):
    def test_service(self) -> None:
        """
        It is made without a reactor that runs, or a broker that is there.
        """
        service = make_service(options(*BUS, *PROXY, "--auth", "none"))

        self.assertEqual(len(list(service)), 2)

    def test_users_that_cant_be_had(self) -> None:
        with self.assertRaises(SystemExit) as caught:
            make_service(options(*BUS, *PROXY, "--users", "/nonexistent"))

        self.assertEqual(
            str(caught.exception),
            "consoleapi: /nonexistent can't be read: No such file or directory",
        )

    def test_endpoint_that_is_none(self) -> None:
        """
        One sentence that names it, whatever the parser of endpoints raises.
        """
        users = Path(self.mktemp())
        users.write_bytes(b"ann:" + bcrypt.hashpw(b"right", bcrypt.gensalt(4)))
        for endpoint in ("smoke:1", "tcp:many", "tcp:1:nonsense=2"):
            with self.assertRaises(SystemExit) as caught:
                make_service(options(*BUS, *PROXY, "--users", str(users), "--listen", endpoint))

            why = str(caught.exception)
            self.assertTrue(why.startswith(f"consoleapi: --listen {endpoint}: "), why)

    def test_start_and_stop(self) -> None:
        reactor = MemoryReactorClock()
        bus = MemoryBus(MemoryBroker(reactor), reactor)
        service, _ = make_api(reactor, options(*BUS, *PROXY, "--auth", "none"), bus)

        service.startService()
        reactor.advance(0)
        reactor.advance(0)
        connected = bus.connected
        stopping = service.stopService()
        for _ in range(10):
            reactor.advance(1)

        self.assertTrue(connected)
        self.assertIsNone(self.successResultOf(stopping))


class LogInTests(TestCase):
    """
    With the threads that really check a password.
    """

    timeout = 20

    def test_log_in(self) -> Deferred[None]:
        from twisted.internet import reactor

        path = Path(self.mktemp())
        path.write_bytes(b"ann:" + bcrypt.hashpw(b"right", bcrypt.gensalt(4)) + b"\n")
        bus = MemoryBus(MemoryBroker(reactor), reactor)  # type: ignore[arg-type]
        service, resource = make_api(reactor, options(*BUS, *PROXY, "--users", str(path)), bus)
        service.startService()
        self.addCleanup(service.stopService)
        client = StubTreq(resource)

        async def statuses() -> None:
            found = []
            for password in ("right", "wrong"):
                answer = await _flushed(
                    client,
                    client.get("http://localhost/v2.1/servers?limit=x", auth=("ann", password)),
                )
                found.append(answer.code)
            self.assertEqual(found, [400, 401])

        return Deferred.fromCoroutine(statuses())


def _flushed(client: StubTreq, answer: Deferred) -> Deferred:  # type: ignore[type-arg]
    """
    Carry what a thread brought to the client that waits for it in memory.
    """
    from twisted.internet.task import LoopingCall

    flushing = LoopingCall(client.flush)
    flushing.start(0.01)

    def done(result: object) -> object:
        flushing.stop()
        return result

    return answer.addBoth(done)
