"""
Tests for L{ajaxterm.scouting} and L{ajaxterm.trial}: what is found out about terminals.
"""

from __future__ import annotations

import json

from twisted.trial.unittest import SynchronousTestCase

from tests.interpreter import said_by

WITHOUT = "Without a trial each terminal takes more memory"


class ScoutTests(SynchronousTestCase):
    def test_found_out(self) -> None:
        """
        All that a terminal runs is, from reading its arguments to showing a page's viewer what
        the guest says, and nothing of it is loaded then.
        """
        said = said_by("""
            import json, sys
            from ajaxterm.scouting import scouted

            print(json.dumps([*scouted(None), sorted(sys.modules)]))
        """)

        names, places, loaded = json.loads(said)
        ran = {each.rpartition(":")[2] for each in places}
        self.assertLessEqual(
            {
                *("Reading.__call__", "installReactor", "run", "ReactorBase.run"),
                *("Control._grant", "ViewerPlain.received", "ViewerV1._attach"),
                "Scrollback.append",
            },
            ran,
        )
        self.assertNotIn("Parser.parsestr", ran)  # of the release, which is looked up once
        self.assertLessEqual({"installReactor", "counted", "digest"}, set(names))
        self.assertFalse(any(set(" \n") & set(each) for each in names))
        self.assertEqual([each for each in loaded if each.startswith("twisted")], [])

    def test_hangs(self) -> None:
        """
        A scout that does not come back is ended, and done without.
        """
        said = said_by("""
            import time
            from ajaxterm import scouting, trial

            scouting.SCOUTING = 1
            trial.tried = lambda *_: time.sleep(60)
            print(scouting.scouted(None))
        """)

        self.assertEqual(said, f"{WITHOUT}\n([], [])\n")

    def test_falls(self) -> None:
        """
        One that falls is done without, too, and says why.
        """
        said = said_by("""
            from ajaxterm import scouting, trial

            trial.tried = lambda *_: 1 / 0
            print(scouting.scouted(None))
        """)

        self.assertEqual(
            said,
            "The scout found nothing out: ZeroDivisionError('division by zero')\n"
            f"{WITHOUT}\n([], [])\n",
        )

    def test_silent_terminal(self) -> None:
        """
        A terminal that does not answer is ended, and waited for no longer than a second.
        """
        said = said_by("""
            import os, time
            from ajaxterm import trial

            try:
                trial._shadowed(lambda options: time.sleep(60), 30)
            except OSError as problem:
                print(repr(problem))
            try:
                os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                print("no child")
        """)

        self.assertEqual(said.splitlines()[-2:], ["TimeoutError('timed out')", "no child"])


class SparedTests(SynchronousTestCase):
    def test_children(self) -> None:
        """
        Forked children touch nothing of what modules would do then, and can begin threads.
        """
        said = said_by("""
            import os, sys
            from ajaxterm.scouting import _spare_children

            assert "threading" not in sys.modules and "random" not in sys.modules
            _spare_children()
            import logging, random, threading

            state = random.getstate()
            pid = os.fork()
            if pid == 0:
                heard = []
                thread = threading.Thread(target=lambda: heard.append("a thread"))
                thread.start()
                thread.join()
                assert threading.current_thread() is threading.main_thread()
                logging.getLogger().warning("a word")
                print(random.getstate() == state, heard, flush=True)
                os._exit(0)
            os.waitpid(pid, 0)
        """)

        self.assertEqual(said, "a word\nTrue ['a thread']\n")
