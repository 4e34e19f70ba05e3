"""
The HTTP API and the lobby: who is asked for a console, and hands out its URL.

  who asks       web.py        a request as a record, and what each one passes first
                 authentication.py, users.py, threads.py
  what is known  directory.py  which host has which guest
                 attendance.py which consoles are open, and who is on them
                 hearing.py    where both are heard of: the fan-outs of the agents
  what is done   consoles.py   a console for a user: asked of the agent, told the proxies
  what is said   versions.py, schema.py, servers.py, namefilter.py, faults.py
                 openstack.py  C{/v2.1}, as OpenStack's clients know it
                 lobbypage.py  C{/} for browsers, and what its page fetches
                 addresses.py  URLs as who asks can open them
                 root.py       which of the two answers
  as a whole     service.py, listening.py, tap.py

It knows neither libvirt nor how a terminal works, and no console passes
through it: it may die while people type.
"""
