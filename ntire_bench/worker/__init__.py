"""The untrusted process: strangers' code and torch run here, and nowhere else.

`serve` answers the parent's requests.
"""
