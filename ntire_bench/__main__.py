"""Where the command starts: `ntire-bench`, `python -m ntire_bench`, and test_demo.py.

Signals are caught before anything that takes time is imported: even Python's own `signal` takes longer than a
finger that is already on Ctrl-C.
"""

from __future__ import annotations

import _signal  # type: ignore[import-not-found]
import sys

__all__ = ["main", "test_demo"]


def main() -> None:
    """Run `ntire-bench`."""
    _catch()
    from ntire_bench.cli import main as command

    command.main(prog_name="ntire-bench")


def test_demo() -> None:
    """Run `ntire-bench run` with the challenge's flags; see test_demo.py."""
    _catch()
    from ntire_bench.cli import DefaultId
    from ntire_bench.cli import main as command

    command.main(args=["run", *sys.argv[1:]], prog_name="test_demo.py", obj=DefaultId(0))


def _catch() -> None:
    """Catch signals; a Ctrl-C that comes meanwhile is remembered."""
    early: list[int] = []
    if _signal.getsignal(_signal.SIGINT) != _signal.SIG_IGN:
        _signal.signal(_signal.SIGINT, lambda number, _: early.append(number))
    from ntire_bench import interruption

    interruption.catch(early)


if __name__ == "__main__":
    main()
