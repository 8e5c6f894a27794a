"""Measures and ranks efficient x4 super-resolution networks as the NTIRE challenge does."""

from pathlib import Path

__version__ = "0.2.0"

# The folder of the package, for what finds files by it: code that moves must not look for its neighbours.
PACKAGE = Path(__file__).resolve().parent
