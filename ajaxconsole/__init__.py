"""
The command C{ajaxconsole}, and all daemons in one process over the embedded bus.

  the daemons        tap.py, composing.py, front.py
  the command        main.py; outcome.py, what it ends with
  asking an API      commands.py, account.py, client.py
  a console here     attach.py over attachment.py, escape.py, quiet.py, socketlink.py
  this host          doctor.py
  EC2's tool         euca.py
"""
