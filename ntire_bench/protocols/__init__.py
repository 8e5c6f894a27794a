"""The rules of a challenge's editions: TOML files, and `protocol`, which reads them.

Others import: protocol, toml.
"""
