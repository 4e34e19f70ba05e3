"""
What every daemon stands on, and what knows none of them: HTTP manners, a
clock that only goes forward, and taking a connection over from the web server.
"""
