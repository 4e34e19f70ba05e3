"""
One TOML file for all daemons, a section for each; flags win.
"""
