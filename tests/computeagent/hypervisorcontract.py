"""
What every hypervisor does, whoever stands behind it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from uuid import uuid4

from twisted.internet.task import deferLater
from zope.interface.verify import verifyObject

from computeagent.domainxml import read_domain
from computeagent.hypervisor import (
    ENDINGS,
    RUNNING,
    SHUTOFF,
    WITH_A_PROCESS,
    Domain,
    IHypervisor,
    NoSuchDomain,
    NotRunning,
)


class HypervisorContract:
    """
    Mixed into a C{TestCase}, which has C{connect}, and the handles that only a test pulls:
    C{define}, C{begin}, C{end} and C{undefine} of a guest.

    @ivar told: what C{watch} told, in order.
    @ivar presences: how often it was told that the hypervisor came or went.
    """

    hypervisor: Any
    connect: Callable[[], Any]
    define: Callable[[str, str], None]
    begin: Callable[[str], None]
    end: Callable[[str], None]
    undefine: Callable[[str], None]

    async def start(self) -> None:
        """
        A hypervisor that is connected, and watched.
        """
        self.hypervisor = self.connect()
        self.told: list[tuple[str, str]] = []
        self.presences = 0
        self.uuid = str(uuid4())

        def presence() -> None:
            self.presences += 1

        self.hypervisor.watch(lambda *words: self.told.append(words), presence)
        self.hypervisor.start()
        self.addCleanup(self.hypervisor.stop)  # type: ignore[attr-defined]
        await self.until(lambda: not self.hypervisor.away)

    async def until(self, condition: Callable[[], bool]) -> None:
        for _ in range(1000):
            if condition():
                return
            await self.pause(0.005)
        raise AssertionError("waited in vain")

    async def pause(self, seconds: float) -> None:
        """
        Let what is told by other threads arrive.
        """
        from twisted.internet import reactor

        await deferLater(reactor, seconds, lambda: None)  # type: ignore[arg-type]

    async def domain(self) -> Domain | None:
        """
        @return: the guest, among all.
        """
        found = [one for one in await self.hypervisor.domains() if one.uuid == self.uuid]
        return found[0] if found else None

    def happened(self) -> list[str]:
        return [what for uuid, what in self.told if uuid == self.uuid]

    async def test_interface(self) -> None:
        """
        It provides what it says.
        """
        await self.start()

        verifyObject(IHypervisor, self.hypervisor)

    async def test_life_of_a_guest(self) -> None:
        """
        It is listed from its definition on, in its state; it can be had while it runs.
        """
        await self.start()
        assert await self.domain() is None

        self.define(self.uuid, "contract1")
        defined = await self.domain()
        self.begin(self.uuid)
        begun = await self.domain()
        running = await self.hypervisor.running(self.uuid)
        self.end(self.uuid)
        ended = await self.domain()
        self.undefine(self.uuid)

        assert defined is not None and begun is not None and ended is not None
        assert (defined.name, defined.state) == ("contract1", SHUTOFF), defined
        assert begun.state == RUNNING and running == begun, begun
        assert RUNNING in WITH_A_PROCESS
        assert ended.state == SHUTOFF, ended
        assert await self.domain() is None

    async def test_description(self) -> None:
        """
        What it says of a guest is a domain's XML, of that guest.
        """
        await self.start()
        self.define(self.uuid, "contract2")
        self.addCleanup(self.undefine, self.uuid)  # type: ignore[attr-defined]

        domain = await self.domain()

        assert domain is not None
        said = read_domain(domain.xml)
        assert (said.uuid, said.name) == (self.uuid, "contract2"), said
        assert [device.type for device in said.devices] == ["pty"], said

    async def test_not_running(self) -> None:
        """
        A guest that is shut off is told of by name and state.
        """
        await self.start()
        self.define(self.uuid, "contract3")
        self.addCleanup(self.undefine, self.uuid)  # type: ignore[attr-defined]

        try:
            await self.hypervisor.running(self.uuid)
        except NotRunning as why:
            assert (why.name, why.state) == ("contract3", SHUTOFF), why
        else:
            raise AssertionError("it runs")

    async def test_no_such_guest(self) -> None:
        """
        There is none of another UUID, or of what is none.
        """
        await self.start()

        for uuid in (self.uuid, "", "contract", "x" * 1000, "\0", "\ud800"):
            try:
                await self.hypervisor.running(uuid)
            except NoSuchDomain:
                continue
            raise AssertionError(f"there is {uuid!r}")

    async def test_watching(self) -> None:
        """
        Each change is told after it happened.
        """
        await self.start()

        self.define(self.uuid, "contract4")
        await self.until(lambda: self.happened() == ["other"])
        self.begin(self.uuid)
        await self.until(lambda: "started" in self.happened())
        self.end(self.uuid)
        await self.until(lambda: bool(ENDINGS.keys() & self.happened()))
        self.undefine(self.uuid)
        await self.until(lambda: self.happened()[-1] == "other")

        whats = [what for what in self.happened() if what != "other"]
        assert whats[0] == "started" and whats[1] in ENDINGS and len(whats) == 2, self.happened()

    async def test_stopped(self) -> None:
        """
        Once it was stopped it tells nothing any more.
        """
        await self.start()

        await self.hypervisor.stop()
        self.define(self.uuid, "contract5")
        self.undefine(self.uuid)
        await self.pause(0.05)

        assert self.happened() == [], self.happened()
