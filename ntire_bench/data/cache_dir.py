"""The cache folder: it holds only what ntire_bench can make again."""

from __future__ import annotations

import os
from pathlib import Path

from ntire_bench.errors import DatasetError

__all__ = ["cache_dir"]


def cache_dir() -> Path:
    """Return the cache folder, which need not exist.

    It is $NTIRE_BENCH_CACHE, else $XDG_CACHE_HOME/ntire_bench, else ~/.cache/ntire_bench.

    Raises:
        DatasetError: There is no home folder.
    """
    own = os.environ.get("NTIRE_BENCH_CACHE")
    if own:
        return Path(own)
    shared = os.environ.get("XDG_CACHE_HOME", "")
    if os.path.isabs(shared):  # the XDG specification: a relative one is to be ignored
        return Path(shared) / "ntire_bench"
    try:
        return Path.home() / ".cache" / "ntire_bench"
    except RuntimeError as error:
        raise DatasetError(
            "no home folder to keep a cache in", remedy="set NTIRE_BENCH_CACHE to a folder"
        ) from error
