"""
What runs on each host: it knows libvirt, opens the guests' serial devices, and
starts a terminal for each that somebody asks for.

L{computeagent.agent} answers the bus, and L{computeagent.announcing} tells the API
what the host has.  L{computeagent.grants} are leave to attach.  L{computeagent.consoles}
keeps at most one console to a device, and L{computeagent.attaching} opens some before
anybody asks.  A L{computeagent.console} is a terminal and a L{computeagent.guestline}: one
goes on without the other.  Their children L{computeagent.workshop} makes, by
L{computeagent.foundry} where it can.  L{computeagent.lookout} tells viewers what is wrong
with their line, and L{computeagent.remembering} what was said before, out of
L{computeagent.guestlog}.

Behind the interface of L{computeagent.hypervisor} stand L{computeagent.libvirthost}
and, in memory, L{computeagent.memoryhost}.  L{computeagent.domainxml} reads what
libvirt says; L{computeagent.devices} opens it, and trusts nothing but the guest's own QEMU
(L{computeagent.qemus}).

What is kept for an agent that comes after this one L{computeagent.kept} writes into the console's
room (L{computeagent.rooms}); L{computeagent.adoption} goes on with it, and what can't be gone
on with L{computeagent.sweeping} ends.
"""
