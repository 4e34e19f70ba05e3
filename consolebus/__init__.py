"""
How the daemons speak to each other: C{call}, C{cast}, C{fanout}.

L{consolebus.ibus} holds the interface and the failures that may cross it,
L{consolebus.messages} the wire; L{consolebus.memory} joins daemons inside one
process, L{consolebus.amqp} joins them through RabbitMQ, and
L{consolebus.connect} turns a URL into one or the other.  The bus does not
know what any method does.
"""
