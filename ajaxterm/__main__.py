"""
C{python -m ajaxterm}, as the compute agent starts it.
"""

from groundwork.tls import spare_tls

spare_tls()

from ajaxterm.main import main  # noqa: E402 (after that)

main()
