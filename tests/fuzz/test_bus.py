"""
Anything, thrown at whoever listens on the bus: the agent, the proxy, the API.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from hypothesis import strategies as st
from twisted.internet.defer import Deferred

from consolebus.answering import Methods
from consolebus.memory import MemoryBroker, MemoryBus
from consolebus.messages import parse_reply
from consoleproxy.leaving import Leaving
from consoleproxy.readiness import Readiness
from consoleproxy.service import ProxyService
from tests.computeagent.descriptions import UUID
from tests.computeagent.stage import AgentTestCase
from tests.consoleapi.world import World, uuid
from tests.consoleproxy.stage import NAME, Stage, some_grant
from tests.fuzz.throwing import FuzzTestCase, json_like, mutated

WORDS = st.sampled_from(
    [
        *("domain", "device", "mode", "user", "console", "length", "grant", "digest", "host"),
        *("port", "secret", "expires_in", "address", "domains", "uuid", "name", "state", "owner"),
        *("devices", "event", "viewer", "reason", "outcome", "typed", "offset"),
    ]
)
VALUES = st.sampled_from(
    [
        *("rw", "ro", UUID, uuid(1), NAME, "h1", "serial0", "192.0.2.7", "::1", "a" * 64),
        *("s" * 30, 10007, 600.0, "opened", "viewer_came", "closed", "v1", [], {}, None, True),
        *(float("nan"), float("inf"), -1, 10**400, "\ud800", "x" * 5000),
    ]
)
anything = json_like(WORDS) | VALUES


def bodies(methods: Mapping[str, Mapping[str, Any]]) -> st.SearchStrategy[bytes]:
    """
    @param methods: by their names, arguments that each of them takes.
    """

    def body(method: str, changed: Mapping[str, Any], more: Mapping[str, Any], left: int) -> bytes:
        args = {**methods.get(method, {}), **changed} if left % 3 else dict(changed)
        return json.dumps({"method": method, "args": args, "version": 1, **more}).encode()

    def changes(method: str) -> st.SearchStrategy[Any]:
        own = st.sampled_from(sorted(methods[method]) or ["x"])
        return st.tuples(st.just(method), st.dictionaries(own, anything, max_size=3))

    fitting = st.sampled_from(sorted(methods)).flatmap(changes)
    odd = st.tuples(
        st.sampled_from(sorted(methods)) | st.text(max_size=5),
        st.dictionaries(WORDS | st.text(max_size=5), anything, max_size=4),
    )
    more = st.just({}) | st.dictionaries(
        st.sampled_from(["version", "context", "args", "method", "x"]), anything, max_size=2
    )
    made = st.builds(
        lambda which, more, left: body(*which, more, left),
        fitting | odd,
        more,
        st.integers(0, 9),
    )
    return made | mutated(made) | st.binary(max_size=60)


def answered(methods: Methods, body: bytes) -> list[bytes]:
    """
    @return: where the answer comes.
    """
    answers: list[bytes] = []
    answering: Deferred[bytes] = methods.answer(body)
    answering.addCallback(answers.append)
    return answers


class AgentFuzzTests(AgentTestCase, FuzzTestCase):
    def test_messages(self) -> None:
        """
        Each is answered; consoles come of those alone that ask for one.
        """
        names = {
            "get_console": {"domain": UUID, "device": None, "mode": "rw", "user": "ann"},
            "close_console": {"console": "c1"},
            "list_consoles": {},
            "list_viewers": {"console": "c1"},
            "get_output": {"domain": UUID, "device": None, "length": 10},
            "revoke_grant": {"grant": NAME},
            "announce": {},
        }
        methods = Methods("compute.h1", {name: getattr(self.agent, name) for name in names})

        def check(body: bytes) -> None:
            for terminal in self.workshop.terminals:
                terminal.answers["output"] = {"output": "", "offset": 0}
            answers = answered(methods, body)
            self.pass_time(30, 5)
            assert len(answers) == 1, "it is never answered"
            assert parse_reply(answers[0]).failure is None or b"Traceback" not in answers[0]
            assert len(self.agent.list_consoles(None)["consoles"]) <= 1  # type: ignore[arg-type]

        self.throw(300, check, body=bodies(names))


class ProxyFuzzTests(FuzzTestCase):
    def test_messages(self) -> None:
        """
        A grant that is none is refused, and the good one that was there before stays, unless it
        was revoked.
        """
        stage = Stage()
        service = ProxyService(
            stage.clock,
            MemoryBus(MemoryBroker(stage.clock), stage.clock),
            stage.grants,
            stage.relay,
            stage.resource,
            Readiness(stage.clock, lambda: False),
            Leaving(stage.clock, stage.resource),
        )
        good = {
            "grant": NAME,
            "console": "c1",
            "digest": "a" * 64,
            "host": "192.0.2.7",
            "port": 10007,
            "secret": "s" * 30,
            "user": "ann",
            "mode": "rw",
            "expires_in": 600.0,
        }
        methods = Methods(
            "consoleproxy",
            {
                "authorize_console": service.authorize_console,
                "revoke_grant": service.revoke_grant,
            },
        )

        def check(body: bytes) -> None:
            stage.grants.authorize(some_grant())
            answers = answered(methods, body)
            assert len(answers) == 1
            assert len(stage.grants) <= 2
            for name in ("g" + "0" * 16, NAME):
                stage.grants.revoke(name)
            stage.clock.pass_time(1)

        words = {"authorize_console": good, "revoke_grant": {"grant": NAME}}
        self.throw(600, check, body=bodies(words))


class ApiFuzzTests(FuzzTestCase):
    def test_messages(self) -> None:
        """
        Whatever is announced, the API goes on to answer.
        """
        world = World()
        world.start()
        domain = {"uuid": uuid(1), "name": "web1", "state": "running", "owner": "", "devices": []}
        said = {
            "host_is": {"host": "h1", "address": "192.0.2.1", "domains": [domain]},
            "console_is": {
                "event": "opened",
                "host": "h1",
                "console": "c1",
                "domain": uuid(1),
                "name": "web1",
                "device": "serial0",
                "state": "live",
                "viewer": "v1",
            },
        }
        hearing = world.hearing
        methods = Methods(
            "consoleapi", {"host_is": hearing.host_is, "console_is": hearing.console_is}
        )

        def check(body: bytes) -> None:
            answers = answered(methods, body)
            world.later(0.5)
            assert len(answers) == 1
            assert world.get("/").status < 500

        self.throw(300, check, body=bodies(said))
