"""
The HTTP API and the lobby: who is asked for a console, and hands out its URL.

  who asks       web.py, headers.py  a request as a record, and what each one passes first
                 routes.py, gate.py  which method at which path; who it is, and how often
                 authentication.py, sessions.py, slowing.py, ratelimits.py, callers.py
  who may        accounts.py         users, keys and policy, as their files say now:
                 users.py, keys.py, policy.py, files.py, threads.py
                 grants.py           what becomes of live grants when they change
  what is known  directory.py, names.py  which host has which guest
                 attendance.py       which consoles are open, and who is on them
                 hearing.py          where both are heard of: the fan-outs of the agents
  what is done   desk.py             everything, for whom the policy lets; and audit.py
                 consoles.py         a console for a user: asked of the agent, told the proxies
  what is said   openstack.py, actions.py, openconsoles.py   C{/v2.1}, as OpenStack has it, with
                 versions.py, schema.py, servers.py, namefilter.py, output.py, faults.py
                 ec2.py, ec2xml.py, signature.py             C{/services/Cloud}, as EC2 has it
                 lobbypage.py        C{/} for browsers, and what its page asks
                 description.py      C{/openapi.json}
                 addresses.py        URLs as who asks can open them
                 root.py             which of them answers
  as a whole     service.py, listening.py, tap.py, composing.py

It knows neither libvirt nor how a terminal works, and no console passes
through it: it may die while people type.
"""
