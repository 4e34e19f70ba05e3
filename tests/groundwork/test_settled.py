"""
Tests for L{groundwork.settled}.
"""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from tests.interpreter import said_by


class SettledTests(SynchronousTestCase):
    def test_settled(self) -> None:
        """
        What is there when the reactor begins to run is not looked at any more, what is garbage
        by then is gone, and what comes later is found.
        """
        said = said_by("""
            import gc, weakref
            from twisted.internet import reactor
            from groundwork.settled import settle_when_running

            class Ring:
                def __init__(self):
                    self.ring = self

            def look():
                later = weakref.ref(Ring())
                gc.collect()
                print(gc.get_freeze_count() > 10_000, before() is None, later() is None)
                reactor.stop()

            gc.disable()
            before = weakref.ref(Ring())
            settle_when_running(reactor)
            print(gc.get_freeze_count())
            reactor.callWhenRunning(look)
            reactor.run()
        """)

        self.assertEqual(said, "0\nTrue True True\n")
