"""The branches of a challenge's select_model, followed without running it.

Others import: find.
"""
