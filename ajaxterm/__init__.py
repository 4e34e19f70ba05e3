"""
One terminal: a line (a guest's serial device, or a command), its scrollback,
its viewers, its page.

The core does no I/O: L{ajaxterm.scrollback} keeps what the line has said,
L{ajaxterm.session} knows who is there and who may type (each a L{ajaxterm.viewer}),
L{ajaxterm.grants} who may come in.  Around it are thin skins: L{ajaxterm.viewer_v1} and
L{ajaxterm.viewer_plain} (the two WebSocket subprotocols, framed by
L{ajaxterm.frames}), L{ajaxterm.web} (HTTP), L{ajaxterm.line} (the guest's
bytes), L{ajaxterm.control} (the agent's orders), L{ajaxterm.command} (a command
of one's own).  L{ajaxterm.main} composes them.
"""
