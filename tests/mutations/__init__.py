"""
Defences, taken out one by one: each C{*.patch} here removes one, and names the test that sees it.
docs/security.md lists them beside what they defend against.
"""
