"""The untrusted process: strangers' code and torch run here, and nowhere else.

`serve` answers the parent's requests. It is named in the text that starts the process
(client/sandbox.py), so no module imports it.

Others import nothing.
"""
