"""Trusted code that runs in the child, before any strange code: the launcher and the canary."""
