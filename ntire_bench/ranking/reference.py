"""Published tables of results that come with the program, as entries of a leaderboard."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from pathlib import Path

from ntire_bench import PACKAGE
from ntire_bench.errors import UsageError
from ntire_bench.protocols import protocol as protocols
from ntire_bench.ranking.entry import Costs, Entry

__all__ = ["Reference", "available", "load", "reference_entries"]

# In a wheel the tables lie inside the package, in a checkout beside it.
_FOLDERS = (PACKAGE / "reference", PACKAGE.parent / "leaderboard" / "reference")
_BASELINE_MARK = " (baseline)"


@dataclass(frozen=True, kw_only=True)
class Reference:
    """A published table.

    Attributes:
        name: Of its CSV file.
        protocol: Name of the rules it was ranked by.
        source: Where it was published.
        remarks: What a reader of the table must know, one sentence or two each.
    """

    name: str
    protocol: str
    source: str
    remarks: tuple[str, ...]


_REFERENCES = {
    "ntire2024": Reference(
        name="ntire2024",
        protocol="ntire2024",
        source="NTIRE 2024 Efficient Super-Resolution Challenge Report (CVPR Workshops 2024), Table 1",
        remarks=(
            "PSNR and costs are the printed values. Scores and ranks are computed from them here, so a score "
            "may differ from the printed one by what the rounding of the printed runtime allows.",
            "Two printed final scores contradict the costs and sub-scores of their own rows: SPAN-T's 2.60 "
            "(2.63 follows) and ACVLAB's 499.60e12 (498.26e12 follows from its costs, 498.60e12 from its "
            "printed sub-scores). Neither team has a rank.",
            "The report's own code compares RGB PSNR with the thresholds.",
        ),
    )
}


def available() -> list[str]:
    """Return the names of the tables.

    >>> available()
    ['ntire2024']
    """
    return sorted(_REFERENCES)


def load(name: str) -> Reference:
    """Return the description of a table.

    Raises:
        UsageError: There is none of that name.

    >>> load("ntire2024").protocol
    'ntire2024'
    """
    if name not in _REFERENCES:
        raise UsageError(
            f"there is no reference table {name!r}", remedy=f"choose one of {', '.join(available())}"
        )
    return _REFERENCES[name]


def reference_entries(name: str) -> list[Entry]:
    """Return the rows of a published table, in its order; the baseline's takes no rank.

    Args:
        name: One of `available()`.

    Returns:
        Entries with RGB PSNR [dB] and without a team number.

    Raises:
        UsageError: There is no table of that name, or its file is missing.

    >>> reference_entries("ntire2024")[0].name
    'XiaomiMM'
    """
    published = protocols.load(load(name).protocol).baseline
    costs = (published.published_runtime_ms, published.published_flops_g, published.published_params_m)
    runtime_ms, flops_g, params_m = costs
    if runtime_ms is None or flops_g is None or params_m is None:
        raise UsageError(f"the protocol of {name!r} has no published baseline", found=repr(published))
    baseline = Costs(runtime_ms=runtime_ms, flops=flops_g * 1e9, params=params_m * 1e6)
    with _path(name).open(encoding="utf-8", newline="") as file:
        return [_entry(line, baseline) for line in csv.DictReader(file)]


def _path(name: str) -> Path:
    for folder in _FOLDERS:
        path = folder / f"{name}.csv"
        if path.is_file():
            return path
    raise UsageError(
        "the reference table is missing", file=_FOLDERS[0] / f"{name}.csv", remedy="install ntire_bench again"
    )


def _entry(line: dict[str, str], baseline: Costs) -> Entry:
    is_baseline = line["team"].endswith(_BASELINE_MARK)
    return Entry(
        id=None,
        name=line["team"].removesuffix(_BASELINE_MARK),
        channel="rgb",
        psnr_db={split: float(line[f"psnr_{split}_db"]) for split in ("valid", "test")},
        runtime_by_split_ms={split: float(line[f"runtime_{split}_ms"]) for split in ("valid", "test")},
        costs=Costs(
            runtime_ms=float(line["runtime_ms"]),
            flops=float(line["flops_g"]) * 1e9,
            params=float(line["params_m"]) * 1e6,
        ),
        baseline=baseline,
        competes=not is_baseline,
        is_baseline=is_baseline,
    )
