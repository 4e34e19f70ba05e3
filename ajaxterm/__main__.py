"""
C{python -m ajaxterm}, as the compute agent starts it.
"""

from ajaxterm.main import main

main()
