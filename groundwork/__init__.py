"""
What every daemon stands on, and what knows none of them: HTTP manners, a
clock that only goes forward, taking a connection over from the web server, and what a
process need not load (L{groundwork.tls}) or look at again (L{groundwork.settled}).
"""
