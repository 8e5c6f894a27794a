"""Trusted code that runs in the child before any strange code: the launcher and the canary.

Standard library alone: a worker's first process begins with launch.py, without any installed package.

Others import: canary.CHECKS, clear.remove, launch.
"""
