"""
The consoles of an agent that died go on, and the next agent goes on with them.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import re
import shutil
import signal
import tempfile
import time
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase
from websockets.exceptions import WebSocketException

from computeagent.foundry import FOUNDRY
from computeagent.pids import start_time
from demo.guest import Guest
from tests.rabbit import MISSING as NO_RABBIT
from tests.rabbit import shared_rabbit
from tests.real.daemons import AllInOne, Daemon, Fleet
from tests.real.parts import MISSING, children_of, command_of, free_port, new_guest, until
from tests.real.viewer import Viewer, exchange

KILLS = 10

TALKS = (
    "sh -c 'stty -echo; rm -f /tmp/*; mkfifo /tmp/p; sha256sum </tmp/p >/tmp/sum & "
    "{ printf BEG%s IN; i=1000000; while [ ! -e /tmp/end ]; do seq $i $((i+99)); i=$((i+100)); "
    "[ -e /tmp/said ] && mv /tmp/said /tmp/say && cat /tmp/say; sleep 0.02; done; printf EN%s D; }"
    " | tee /tmp/p & "
    'while read x; do [ "$x" = end ] && break; echo $x >/tmp/saying; mv /tmp/saying /tmp/said; '
    "done; touch /tmp/end; wait; stty echo; cat /tmp/sum; echo s-u-m'\r"
)
"""
A guest that talks without end, says what it was told, and in the end the digest of it all.
"""


def links_of(pid: int) -> set[str]:
    """
    @return: what a process has open.
    """
    found = set()
    for entry in os.scandir(f"/proc/{pid}/fd"):
        with contextlib.suppress(OSError):  # it was just closed
            found.add(os.readlink(entry.path))
    return found


IDLE = """\
[computeagent]
idle-timeout = 3"""


class AdoptionTestCase(SynchronousTestCase):
    """
    @cvar at_stop: the agents' option.
    """

    skip = MISSING or NO_RABBIT
    at_stop = "end"

    def guest_of(self) -> Guest:
        return new_guest(self, "adopted1")

    def setUp(self) -> None:
        self.guest = self.guest_of()
        self.fleet = Fleet(self, shared_rabbit().url, at_stop=self.at_stop)
        self.fleet.until_active(self.guest)
        self.url = self.fleet.api.url(self.guest)
        self.viewer = Viewer(self, self.url)
        self.viewer.log_in(self.guest)
        self.children = self.processes()
        self.addCleanup(self.end_children)

    def end_children(self) -> None:
        for pid, started in self.children.items():
            if start_time(pid) == started:
                os.kill(pid, signal.SIGKILL)

    @property
    def room(self) -> Path:
        [room] = [path for path in self.fleet.run.iterdir() if path.is_dir()]
        return room

    def processes(self) -> dict[int, int]:
        """
        @return: pids and start times of what runs for the console, as was written down.
        """
        state = json.loads((self.room / "state.json").read_text())
        found = dict(state["processes"])
        for pid, started in found.items():
            self.assertEqual(start_time(pid), started)
        return found

    def start_another(self) -> Daemon:
        agent = self.fleet.agent = self.fleet.start("computeagent")
        agent.until_logged("goes on")
        agent.until(lambda: self.is_held(agent), "it holds the guest's device")
        until(lambda: self.fleet.api.ask(self.guest.uuid).status_code == 200, "it answers")
        return agent

    def is_held(self, agent: Daemon) -> bool:
        return any(re.fullmatch(r"/dev/pts/\d+", link) for link in links_of(agent.pid))

    def goes_on(self, words: str) -> None:
        at = len(self.viewer.output)
        self.viewer.type(f"echo {words}-$((6*7))\r")
        self.viewer.until_seen(f"{words}-42", at)

    def reconnected(self) -> bool:
        try:
            self.viewer.reconnect()
        except (OSError, WebSocketException):
            return False
        return True


class KilledTests(AdoptionTestCase):
    """
    C{kill -9}.
    """

    def test_ten_times_under_output(self) -> None:
        """
        What the viewer saw is what the guest sent, to the byte, in the same tab; what is
        typed arrives; the same two processes serve, and nothing gathers.
        """
        foundries = [self.foundry()]
        self.viewer.type(TALKS)
        self.viewer.until_seen("BEGIN")
        counts = []
        for number in range(KILLS):
            self.fleet.agent.kill()
            at = len(self.viewer.output)
            self.viewer.type(f"alone-{number}\r")
            self.viewer.until_seen(f"alone-{number}\r\n", at)
            agent = self.start_another()
            self.viewer.type(f"adopted-{number}\r")
            self.viewer.until_seen(f"adopted-{number}\r\n", at)
            foundries.append(self.foundry())
            [terminal] = [pid for pid in self.children if "socat" not in " ".join(command_of(pid))]
            until(lambda: len(self.control_ends(terminal)) == 1, "old agents are gone")  # noqa: B023
            counts.append((agent.descriptors(), len(os.listdir(f"/proc/{terminal}/fd"))))
        self.viewer.type("end\r")
        self.viewer.until_seen("s-u-m\r\n")

        sent = self.viewer.output.partition(b"BEGIN")[2].partition(b"END")
        seen = b"BEGIN" + sent[0].replace(b"\r\n", b"\n") + b"END"
        told = re.search(rb"([0-9a-f]{64})  -", sent[2])
        assert told is not None
        self.assertEqual(hashlib.sha256(seen).hexdigest(), told[1].decode())
        self.assertGreater(len(seen), 100_000)
        self.assertEqual(len(self.viewer.events_named("hello")), 1)
        self.assertIsNone(self.viewer.closed)
        self.assertEqual(self.processes(), self.children)
        self.assertEqual(self.of_console(children_of(self.fleet.agent.pid)), [])
        self.assertEqual(counts[1:], counts[1:2] * (KILLS - 1))
        # The first one's child is served yet; the others had none.
        until(lambda: not any(map(start_time, foundries[1:-1])), "idle foundries end")
        self.assertIsNotNone(start_time(foundries[0]))
        self.guest_can_be_closed()

    def guest_can_be_closed(self) -> None:
        """
        An adopted console ends as any other: nothing of it stays.
        """
        room = self.room
        [console] = self.fleet.api.get(f"v2.1/servers/{self.guest.uuid}/consoles").json()[
            "consoles"
        ]
        closing = self.fleet.api.delete(f"v2.1/servers/{self.guest.uuid}/consoles/{console['id']}")
        self.assertEqual(closing.status_code, 202)
        self.viewer.until_closed()
        until(lambda: not room.exists(), "its files are gone")
        self.assertFalse(any(map(start_time, self.children)))

    def foundry(self) -> int:
        def found() -> list[int]:
            return [pid for pid in children_of(self.fleet.agent.pid) if FOUNDRY in command_of(pid)][
                :1
            ]

        [foundry] = self.fleet.agent.until(found, "there is a foundry")
        return foundry

    def control_ends(self, terminal: int) -> list[str]:
        """
        @return: who is connected to a terminal's control socket, as the kernel tells.
        """
        inodes = links_of(terminal)
        rows = Path("/proc/net/unix").read_text().splitlines()
        return [
            row
            for row in rows
            if row.endswith("control.sock")
            and row.split()[5] == "03"
            and f"socket:[{row.split()[6]}]" in inodes
        ]

    def of_console(self, pids: list[int]) -> list[int]:
        return [
            pid
            for pid in pids
            if any("socat" in word for word in command_of(pid)) or "ajaxterm" in command_of(pid)
        ]

    def test_grants_are_known_again(self) -> None:
        """
        The URL still opens it, at a proxy too that has learned of it from the new agent
        alone; what is revoked is over.
        """
        self.fleet.agent.kill()
        self.start_another()
        self.fleet.proxy.kill()
        self.viewer.until_closed()
        self.fleet.proxy = self.fleet.start("consoleproxy")
        self.fleet.proxy.until(self.reconnected, "the viewer is taken again")
        self.assertTrue(self.viewer.hello["resumed"])
        self.goes_on("again")
        second = Viewer(self, self.url)
        second.type("echo second-$((6*7))\r")
        self.viewer.until_seen("second-42")

    def test_guest_ended_meanwhile(self) -> None:
        """
        Destroyed while nobody looked: the tab says so; started again, it goes on.
        """
        self.fleet.agent.kill()
        self.guest.destroy()
        self.fleet.agent = self.fleet.start("computeagent")
        self.viewer.until(
            lambda: "switched off" in str(self.message) or "not running" in str(self.message),
            "it is told",
        )
        self.assertEqual(self.viewer.line, "waiting")
        at = len(self.viewer.output)
        self.guest.start()
        self.viewer.until(lambda: self.viewer.line == "live", "it is back")
        self.viewer.until_seen("login:", at)
        self.assertNotIn(b"agent was away", self.viewer.output)

    @property
    def message(self) -> object:
        said = self.viewer.event("line")
        return said and said["message"]

    def test_guest_started_anew_meanwhile(self) -> None:
        """
        It has another pty, and nobody was joined to it: a mark says that something is missing.
        """
        self.fleet.agent.kill()
        self.guest.destroy()
        self.guest.start()
        time.sleep(1)
        self.fleet.agent = self.fleet.start("computeagent")
        at = self.viewer.until_seen("agent was away")
        self.viewer.type("\r")
        self.viewer.until_seen("login:", at)
        self.assertEqual(self.viewer.line, "live")

    def test_idle(self) -> None:
        """
        An adopted console that nobody looks at ends, by the rules that its terminal was
        started with; nothing of it stays.
        """
        settings = self.fleet.settings.read_text()
        self.fleet.settings.write_text(settings.replace("[computeagent]", IDLE))
        self.fleet.agent.stop()
        self.fleet.agent = self.fleet.start("computeagent")
        until(lambda: self.fleet.api.ask(self.guest.uuid).status_code == 200, "it is there")
        self.viewer = Viewer(self, self.fleet.api.url(self.guest))
        self.children = self.processes()
        room = self.room
        self.fleet.agent.kill()
        self.start_another()
        self.goes_on("adopted")
        self.viewer.close()

        until(lambda: not room.exists(), "its files are gone")
        self.assertFalse(any(map(start_time, self.children)))
        self.fleet.agent.until_logged("is closed: idle")

    def test_terminal_ended_meanwhile(self) -> None:
        """
        What is left of its console is cleared away; it can be opened anew.
        """
        self.fleet.agent.kill()
        for pid in self.children:
            os.kill(pid, signal.SIGKILL)
        self.viewer.until_closed()
        old = self.room
        self.fleet.agent = self.fleet.start("computeagent")
        until(lambda: self.fleet.api.ask(self.guest.uuid).status_code == 200, "it is back")

        self.assertFalse(old.exists())
        again = Viewer(self, self.fleet.api.url(self.guest))
        again.type("\r")
        again.until_seen("# ")
        until(lambda: exchange(self.url).status_code == 403, "its URLs are over")

    def test_another_release(self) -> None:
        """
        A state that it does not know: the viewer is told, the console ended.
        """
        self.fleet.agent.kill()
        path = self.room / "state.json"
        path.write_text(json.dumps({**json.loads(path.read_text()), "version": 99}))
        old = self.room
        self.fleet.agent = self.fleet.start("computeagent")
        self.viewer.until_closed()

        end = self.viewer.event("end")
        assert end is not None
        self.assertIn("could not go on", end["message"])
        until(lambda: not old.exists(), "its files are gone")
        self.assertFalse(any(map(start_time, self.children)))


class SocketTests(AdoptionTestCase):
    """
    A device that is a TCP port, at which QEMU takes one client at a time.
    """

    def guest_of(self) -> Guest:
        device = (
            f"<serial type='tcp'><source mode='bind' host='127.0.0.1' service='{free_port()}'/>"
            "<protocol type='raw'/><target port='0'/></serial>"
        )
        return new_guest(self, "adopted2", devices=device)

    def test_killed(self) -> None:
        """
        Another socat takes the place of the one that has the line; the terminal and the tab stay.
        """
        self.fleet.agent.kill()
        self.goes_on("alone")
        agent = self.fleet.agent = self.fleet.start("computeagent")
        agent.until(lambda: agent.children("socat"), "another socat is there")
        self.goes_on("adopted")

        former = {pid for pid in self.children if not start_time(pid)}
        self.assertEqual(len(former), 1)
        self.assertEqual(len(self.processes().keys() & self.children.keys()), 1)
        self.assertEqual(len(self.viewer.events_named("hello")), 1)


class AllInOneTests(SynchronousTestCase):
    """
    C{ajaxconsole up} as a service: the proxy goes with the agent.
    """

    skip = MISSING

    def test_killed(self) -> None:
        """
        The page comes back by its cookie, to the same terminal, and has missed nothing.
        """
        guest = new_guest(self, "adopted3")
        folder = Path(tempfile.mkdtemp(prefix="adoption-"))
        self.addCleanup(shutil.rmtree, folder)
        first = AllInOne(self, "--cookie-key", str(folder / "key"))
        first.until_active(guest)
        viewer = Viewer(self, first.api.url(guest))
        viewer.log_in(guest)
        viewer.type("i=1000; while [ $i -lt 4000 ]; do echo $i; i=$((i+1)); done\r")
        at = viewer.until_seen("1500")
        words = command_of(first.pid)
        first.kill()
        viewer.until_closed()
        second = Daemon(self, "up", *words[words.index("up") + 1 :])

        def reconnected() -> bool:
            with contextlib.suppress(OSError, WebSocketException):
                viewer.reconnect()
                return True
            return False

        second.until(reconnected, "the viewer is taken again")
        viewer.until_seen("3999", at)

        self.assertTrue(viewer.hello["resumed"])
        lines = viewer.output.split(b"\r\n")
        numbers = [int(line) for line in lines if re.fullmatch(rb"\d{4}", line)]
        self.assertEqual(numbers, list(range(1000, 4000)))
        second.until_logged("goes on")


class StoppedTests(AdoptionTestCase):
    """
    An orderly stop, as before an upgrade.
    """

    at_stop = "leave"

    def test_consoles_are_left(self) -> None:
        """
        The same tab goes on without an agent, and with the next one.
        """
        self.fleet.agent.leave()
        self.goes_on("alone")
        Viewer(self, self.url)
        settings = self.fleet.settings  # so that the test leaves nothing
        settings.write_text(settings.read_text().replace('at-stop = "leave"', 'at-stop = "end"'))
        agent = self.start_another()
        self.goes_on("adopted")

        # What the terminal had to say meanwhile is not lost either.
        agent.until_logged("ajaxterm of adopted1 serial0: ")
        agent.until_logged("Viewer v2 of ann attached")
        self.assertEqual(self.processes(), self.children)
        self.assertEqual(len(self.viewer.events_named("hello")), 1)
