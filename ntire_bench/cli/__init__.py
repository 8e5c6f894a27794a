"""The commands: options, what is printed, exit statuses. The work is done in workflows/ and ranking/.

`ntire_bench.__main__`, where commands start, names what is imported here.

Others import nothing.
"""

from ntire_bench.cli.group import main
from ntire_bench.cli.options import DefaultId

__all__ = ["DefaultId", "main"]
