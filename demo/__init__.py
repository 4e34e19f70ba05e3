"""
A guest's prompt in a browser, from one command.

L{demo.install} (a shell script) puts what is missing on the machine,
L{demo.libvirtd} runs a libvirtd that nobody else can see, L{demo.guest} builds
a tiny guest and runs it there, and L{demo.__main__} brings up the console over
both and prints its URL.  The real tests use the same three.
"""
