"""
The command C{ajaxconsole}, and all daemons in one process over the embedded bus.
"""
