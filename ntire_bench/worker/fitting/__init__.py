"""Finds the constructor arguments with which a class takes a checkpoint.

Others import: fit.Choice, fit.Fit, fit.fit, search.Attempt, shapes.difference, shapes.likeness,
shapes.mismatch, shapes.shapes_of, signature.Signature, signature.flatten, source_text.EMPTY.
"""
