"""Measures and ranks efficient x4 super-resolution networks as the NTIRE challenge does.

The functions named in `__all__` are loaded when they are first used:

    import ntire_bench

    record = ntire_bench.evaluate("models/team05_Net.py", data_dir="data", splits=["valid", "test"])
    board = ntire_bench.leaderboard("leaderboard/results")
    print(ntire_bench.render(board, "md"))
"""

from __future__ import annotations

# Nothing is imported here: until a command catches signals, Ctrl-C would be a traceback (see `__main__`).
TYPE_CHECKING = False
if TYPE_CHECKING:
    from pathlib import Path
    from typing import Any

    from ntire_bench.api import (
        Leaderboard,
        check,
        evaluate,
        leaderboard,
        load_record,
        prepare,
        psnr,
        render,
        ssim,
    )

    PACKAGE: Path

__version__ = "0.2.0"

__all__ = [
    "PACKAGE",
    "Leaderboard",
    "__version__",
    "check",
    "evaluate",
    "leaderboard",
    "load_record",
    "prepare",
    "psnr",
    "render",
    "ssim",
]


def __getattr__(name: str) -> Any:  # noqa: ANN401 - whatever the name stands for
    """Load the Python API when one of its names is first used."""
    if name.startswith("_") or name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    if name == "PACKAGE":
        return _package()
    from ntire_bench import api

    globals()[name] = value = getattr(api, name)
    return value


def _package() -> Path:
    """Return the folder of the package: code that moves must not look for its neighbours."""
    from pathlib import Path

    globals()["PACKAGE"] = found = Path(__file__).resolve().parent
    return found


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
