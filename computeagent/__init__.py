"""
What runs on each host: it knows libvirt, opens the guests' serial devices, and
starts a terminal for each that somebody asks for.

L{computeagent.agent} answers the bus, and L{computeagent.announcing} tells the API
what the host has.  L{computeagent.consoles} keeps at most one console to a device.
A L{computeagent.console} is one serial device with its children, which
L{computeagent.workshop} makes.  Behind the interface of L{computeagent.hypervisor}
stand L{computeagent.libvirthost} and, in memory, L{computeagent.memoryhost}.
L{computeagent.domainxml} reads what libvirt says; L{computeagent.devices} opens it,
and trusts nothing.
"""
