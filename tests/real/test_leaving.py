"""
Leaving a guest's console: no root shell is left behind a closed tab.
"""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from tests.real.daemons import AllInOne
from tests.real.parts import MISSING, new_guest
from tests.real.viewer import Viewer


class LogoutTests(SynchronousTestCase):
    """
    C{--logout eof}.
    """

    skip = MISSING

    def setUp(self) -> None:
        self.guest = new_guest(self, "leaving1")
        self.console = AllInOne(self, "--logout", "eof", "--logout-grace", "1")
        self.console.until_active(self.guest)
        self.viewer = Viewer(self, self.console.api.url(self.guest))
        self.viewer.log_in(self.guest)

    def test_closed_tab(self) -> None:
        """
        Whoever comes next sees a login prompt, however many shells there were.
        """
        self.viewer.type("sh\r")
        self.viewer.type("echo inner-$((6*7))\r")
        self.viewer.until_seen("inner-42")
        self.viewer.close()
        self.console.until(lambda: "is logged out" in self.console.log, "it is reported")

        again = Viewer(self, self.console.api.url(self.guest))
        again.until(lambda: again.output.endswith(b"login: "), "there is a prompt")

    def test_program_that_ignores_it(self) -> None:
        """
        With a program in the foreground that ignores end-of-file it is reported that somebody
        is still logged in.
        """
        self.viewer.type("echo busy-$((6*7)); tail -f /dev/null\r")
        self.viewer.until_seen("busy-42")
        self.viewer.close()

        self.console.until(lambda: "still logged in at" in self.console.log, "it is reported")

    def test_back_in_time(self) -> None:
        """
        Who comes back in time finds his shell.
        """
        self.viewer.type("kept=shell\r")
        self.viewer.close()
        self.viewer.reconnect()
        at = len(self.viewer.output)
        self.viewer.type("echo $kept-$((6*7))\r")
        self.viewer.until_seen("shell-42", at)

        self.assertNotIn("logged", self.console.log)
