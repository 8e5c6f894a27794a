"""The branches of a challenge's checkout: its select_model, read from the syntax tree and never run here.

Others import: find.
"""
