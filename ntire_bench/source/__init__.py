"""Reads files and syntax trees that strangers wrote, and runs nothing of them.

Others import: files, syntax, values.
"""
