"""
One terminal: a line (a guest's serial device, or a command), its scrollback,
its viewers, its page.

The core does no I/O.  L{ajaxterm.scrollback} keeps what the line has said, and
L{ajaxterm.session} knows who is there (each a L{ajaxterm.viewer}, in L{ajaxterm.seats}).
To one side each it leaves: L{ajaxterm.grants}, who may come in; L{ajaxterm.keyboard},
who may type; L{ajaxterm.keys}, what waits to be typed; L{ajaxterm.idleness}, when it ends
unused; L{ajaxterm.leaving} and L{ajaxterm.logout}, what is typed then;
L{ajaxterm.additions}, what the agent puts in; L{ajaxterm.wishes}, what viewers ask for.

Around it are thin skins.  Viewers: L{ajaxterm.viewer_v1} and L{ajaxterm.viewer_plain} (the
two WebSocket subprotocols, framed by L{ajaxterm.frames}), L{ajaxterm.viewer_poll} (asked by
L{ajaxterm.polling}), L{ajaxterm.viewer_log}; all by L{ajaxterm.web} (HTTP).  The other
side: L{ajaxterm.line} (the guest's bytes), L{ajaxterm.control} (the agent's orders),
L{ajaxterm.command} (a command of one's own), L{ajaxterm.recording} (a file of all that).
L{ajaxterm.main} composes them.
"""
