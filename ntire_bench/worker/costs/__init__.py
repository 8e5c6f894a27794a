"""Counts what a network costs: parameters, FLOPs, and what a forward pass really does.

Others import: count, fusion, reachable.
"""
