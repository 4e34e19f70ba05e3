"""
The one part that browsers reach: it turns the token in a URL into a signed
cookie, and carries bytes between browsers and ajaxterms.

L{consoleproxy.grants} knows what the tokens and cookies stand for (fed by the bus,
kept in L{consoleproxy.expiring}); L{consoleproxy.cookies} signs; L{consoleproxy.web}
decides about each request; L{consoleproxy.relay} carries plain requests (over
L{consoleproxy.upstream}, read by L{consoleproxy.answers}) and L{consoleproxy.pipe}
WebSockets, which it hands over to L{consoleproxy.carrier}.  What the bytes mean is not known here.
"""
