"""The branches of a challenge's checkout: its select_model, read from the syntax tree and never run here.

What runs a branch, and cuts out its loop, is worker/checkout.

Others import: find.
"""
