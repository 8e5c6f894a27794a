"""The commands: options, what is printed, exit statuses. The work is done in workflows/ and ranking/.

The entry point and test_demo.py name what is imported here.

Others import nothing.
"""

from ntire_bench.cli.group import main, test_demo

__all__ = ["main", "test_demo"]
