"""The commands. The entry point and test_demo.py name what is imported here."""

from ntire_bench.cli.group import main, test_demo

__all__ = ["main", "test_demo"]
