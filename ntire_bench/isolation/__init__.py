"""Starts a process behind walls, watches it, ends it.

Imports nothing: a worker's first process begins here.
"""
