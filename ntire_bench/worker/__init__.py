"""The untrusted process: strangers' code and torch run here, and nowhere else.

`serve` answers the parent's requests. Its name stands in the text that starts the process (client/sandbox.py), so
no module imports it.

Others import nothing.
"""
