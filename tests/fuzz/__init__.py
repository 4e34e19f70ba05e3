"""
What strangers may send, made up by hypothesis: request heads, cookies, tokens, handshakes,
frames, messages on the bus.

Whatever it is, nothing of ours logs a traceback, waits for ever, or keeps anything of it.  Here
it is a few seconds; C{make fuzz} goes on for longer.
"""
