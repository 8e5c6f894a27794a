"""Where the command starts: `ntire-bench`, `python -m ntire_bench`, and test_demo.py.

Signals are caught before anything that takes time is imported.
"""

from __future__ import annotations

import sys

from ntire_bench import interruption

__all__ = ["main", "test_demo"]


def main() -> None:
    """Run `ntire-bench`."""
    interruption.catch()
    from ntire_bench.cli import main as command

    command.main(prog_name="ntire-bench")


def test_demo() -> None:
    """Run `ntire-bench run` with the challenge's flags; see test_demo.py."""
    interruption.catch()
    from ntire_bench.cli import DefaultId
    from ntire_bench.cli import main as command

    command.main(args=["run", *sys.argv[1:]], prog_name="test_demo.py", obj=DefaultId(0))


if __name__ == "__main__":
    main()
