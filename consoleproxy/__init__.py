"""
The one part that browsers reach: it turns the token in a URL into a signed
cookie, and carries bytes between browsers and ajaxterms.

L{consoleproxy.grants} knows what the tokens and cookies stand for (fed by
L{consoleproxy.service} from the bus, kept in L{consoleproxy.expiring}, waited for
in L{consoleproxy.patience}); L{consoleproxy.cookies} signs.  L{consoleproxy.web}
decides about each request, and enters it in L{consoleproxy.connections}.
L{consoleproxy.relay} carries plain requests (over L{consoleproxy.upstream}, read by
L{consoleproxy.answers}) and L{consoleproxy.pipe} WebSockets, which it hands over to
L{consoleproxy.carrier}.  L{consoleproxy.leaving} ends it all; L{consoleproxy.status}
tells how it goes.  What the bytes mean is not known here.
"""
