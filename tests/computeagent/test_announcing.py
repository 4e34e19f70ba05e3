"""
Tests for L{computeagent.announcing}: what the API hears of a host.
"""

from __future__ import annotations

from collections.abc import Sequence

from twisted.internet.defer import Deferred

from computeagent.hypervisor import RUNNING, SHUTOFF, Domain
from computeagent.memoryhost import MemoryHost
from tests.computeagent.descriptions import NOVA, PTY, UUID, domain_xml
from tests.computeagent.stage import AgentTestCase

OTHER = "0e0e0e0e-9a58-4c5e-8a3a-1f1e5f3c2d10"


class Slow(MemoryHost):
    """
    Answers what it is asked when the test says so.
    """

    def __init__(self) -> None:
        super().__init__()
        self.asked: list[Deferred[Sequence[Domain]]] = []

    def domains(self) -> Deferred[Sequence[Domain]]:
        self.asked.append(Deferred())
        return self.asked[-1]

    def answer(self, state: str) -> None:
        self.asked.pop(0).callback([Domain(UUID, "web1", state, domain_xml())])


class AnnouncingTests(AgentTestCase):
    """
    The API knows the guests of each host, as they are.
    """

    def heard(self) -> list[dict[str, object]]:
        return [dict(words) for words in self.api.of("host_is")]

    def test_at_the_start(self) -> None:
        """
        A new agent tells at once what its host has.
        """
        self.assertEqual(
            self.heard()[-1],
            {
                "host": "h1",
                "address": "192.0.2.1",
                "away": "",
                "domains": [
                    {
                        "uuid": UUID,
                        "name": "web1",
                        "state": "running",
                        "owner": "",
                        "devices": ["serial0"],
                    }
                ],
            },
        )

    def test_every_half_minute(self) -> None:
        """
        Then from time to time, so that who is not heard of any more is known to be gone.
        """
        self.api.messages.clear()

        self.pass_time(91, 1)

        self.assertEqual(len(self.heard()), 3)

    def test_changes(self) -> None:
        """
        A guest that stops, comes or goes is told of at once.
        """
        self.hypervisor.set_state(UUID, SHUTOFF)
        self.pass_time(0.2)
        self.assertEqual(self.heard()[-1]["domains"][0]["state"], SHUTOFF)  # type: ignore[index]

        self.hypervisor.add(OTHER, "web1", domain_xml(more=NOVA))
        self.pass_time(0.2)
        domains = self.heard()[-1]["domains"]
        self.assertEqual([(d["uuid"], d["owner"]) for d in domains], [(UUID, ""), (OTHER, "p1")])  # type: ignore[attr-defined]

        self.hypervisor.remove(UUID)
        self.pass_time(0.2)
        self.assertEqual(len(self.heard()[-1]["domains"]), 1)  # type: ignore[arg-type]

    def test_many_changes_are_told_together(self) -> None:
        """
        A host whose guests all start at once is not told of a hundred times.
        """
        self.api.messages.clear()

        for number in range(100):
            self.hypervisor.add(f"{number:08}" + UUID[8:], f"web{number}", domain_xml())
        self.pass_time(1)

        self.assertEqual(len(self.heard()), 1)

    def test_two_guests_of_one_name(self) -> None:
        """
        Both are told; who is meant is decided where all hosts are known.
        """
        self.hypervisor.add(OTHER, "web1", domain_xml())
        self.pass_time(0.2)

        names = [domain["name"] for domain in self.heard()[-1]["domains"]]  # type: ignore[attr-defined]
        self.assertEqual(names, ["web1", "web1"])

    def test_libvirt_away(self) -> None:
        """
        While libvirt is away nothing is claimed of the guests, but why.
        """
        self.hypervisor.set_away("libvirt is away: it is being restarted")
        self.pass_time(0.2)
        self.assertIsNone(self.heard()[-1]["domains"])
        self.assertEqual(self.heard()[-1]["away"], "libvirt is away: it is being restarted")

        self.hypervisor.set_away("")
        self.pass_time(0.2)

        self.assertEqual(len(self.heard()[-1]["domains"]), 1)  # type: ignore[arg-type]

    def test_unreadable_guest(self) -> None:
        """
        One guest whose description can't be read does not hide the others; nor is a device
        told of that can't be used.
        """
        self.hypervisor.add(UUID, "web1", "<domain")
        self.hypervisor.add(OTHER, "web2", domain_xml("<serial type='null'/>" + PTY))
        self.pass_time(0.2)

        devices = [domain["devices"] for domain in self.heard()[-1]["domains"]]  # type: ignore[attr-defined]
        self.assertEqual(devices, [[], ["serial0"]])

    def test_slow_libvirt(self) -> None:
        """
        While libvirt is asked it is not asked again: two answers could come in the wrong order,
        and the older one be believed. What changed meanwhile is asked for afterwards.
        """
        slow = self.agent._announcer._hypervisor = Slow()
        self.api.messages.clear()
        self.hypervisor.set_state(UUID, SHUTOFF)
        self.pass_time(0.2)
        self.hypervisor.set_state(UUID, RUNNING)
        self.pass_time(31, 1)
        self.assertEqual(len(slow.asked), 1)

        slow.answer(SHUTOFF)
        self.pass_time(0.2)
        slow.answer(RUNNING)
        self.pass_time(0.2)

        states = [words["domains"][0]["state"] for words in self.heard()]  # type: ignore[index]
        self.assertEqual(states, [SHUTOFF, RUNNING])
        self.assertEqual(slow.asked, [])

    def test_asked_for(self) -> None:
        """
        An API or proxy that is new asks, and is told.
        """
        self.api.messages.clear()

        self.caller.fanout("compute", "announce", {})
        self.pass_time(0.2)

        self.assertEqual(len(self.heard()), 1)

    def test_broker_comes_back(self) -> None:
        """
        After the broker was away everything is told anew.
        """
        self.broker.away()
        self.pass_time(1)
        self.api.messages.clear()

        self.broker.back()
        self.pass_time(1)

        self.assertGreaterEqual(len(self.heard()), 1)
