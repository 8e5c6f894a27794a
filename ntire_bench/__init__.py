"""Measures and ranks efficient x4 super-resolution networks as the NTIRE challenge does."""

__version__ = "0.2.0"
