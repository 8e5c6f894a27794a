"""What the plots of the ranking show: a point a team, which of them no other beats, which have a label."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ntire_bench.ranking.board import Board
from ntire_bench.ranking.board_notes import display_name
from ntire_bench.ranking.ranks import Row

__all__ = ["cost_points", "front_of", "labelled", "quality_points"]

# The PSNR of a team without a rank that is further below the ranked ones than this is told and not drawn: it
# would press the others into one line.
_FAR_DB = 0.3
# A threshold further from all points than this is not drawn, for the same reason.
_THRESHOLD_DB = 0.3
_NEAR = (0.2, 0.05)  # two labels nearer than this, as a share of the plot's width and height, would overlap


def quality_points(
    board: Board, links: Mapping[str, str]
) -> tuple[list[dict[str, Any]], list[str], list[str]]:
    """Return the points of PSNR over runtime.

    Args:
        board: With rows.
        links: Pages of the teams, by label.

    Returns:
        The points, one for each team and split that has both figures: {team, kind, rank, href, split,
        runtime [ms], low, high [ms] (95 % interval; None where it is not known), half [%], psnr [dB],
        threshold [dB] (None where it is far from all points), front, label (on which side of the point:
        "left", "right" or None)}; the splits that have points; and who is left out for a PSNR far below
        the others, in words.
    """
    found: list[dict[str, Any]] = []
    beyond: dict[str, list[str]] = {}
    splits = list(dict.fromkeys(split for row in board.rows for split in row.entry.psnr_db))
    kept_splits = []
    for split in splits:
        points = [point for row in board.rows if (point := _quality_point(board, row, split, links))]
        if not points:
            continue
        kept_splits.append(split)
        ranked = [point["psnr"] for point in points if point["kind"] != "no rank"]
        lowest = min(ranked or [point["psnr"] for point in points]) - _FAR_DB
        for point in points:
            if point["psnr"] < lowest:
                beyond.setdefault(point["team"], []).append(f"{point['psnr']:.2f} dB on {split}")
        points = [point for point in points if point["psnr"] >= lowest]
        least = min(point["psnr"] for point in points) - _THRESHOLD_DB
        most = max(point["psnr"] for point in points) + _THRESHOLD_DB
        for point in points:
            if point["threshold"] is not None and not least <= point["threshold"] <= most:
                point["threshold"] = None
        _mark(points, "runtime", "psnr", higher_is_better=True)
        found += points
    return found, kept_splits, [f"{team} ({', '.join(told)})" for team, told in beyond.items()]


def cost_points(board: Board, links: Mapping[str, str]) -> list[dict[str, Any]]:
    """Return the points of FLOPs over parameters.

    Keys of each: team, kind, rank, href, params [M], flops [G], front and label.

    Args:
        board: With rows.
        links: Pages of the teams, by label.
    """
    points = [
        {**_who(row, links), "params": row.entry.costs.params / 1e6, "flops": row.entry.costs.flops / 1e9}
        for row in board.rows
        if row.entry.costs is not None
    ]
    _mark(points, "params", "flops", higher_is_better=False)
    return points


def _quality_point(board: Board, row: Row, split: str, links: Mapping[str, str]) -> dict[str, Any] | None:
    entry = row.entry
    psnr, runtime = entry.psnr_db.get(split), entry.runtime_by_split_ms.get(split)
    if psnr is None or runtime is None:
        return None
    half = entry.half_width
    thresholds = [v.threshold_db for other in board.rows for v in other.verdicts if v.split == split]
    return {
        **_who(row, links),
        "split": split,
        "runtime": runtime,
        "low": None if half is None else runtime * (1 - half),
        "high": None if half is None else runtime * (1 + half),
        "half": None if half is None else 100 * half,
        "psnr": psnr,
        "threshold": next((value for value in thresholds if value is not None), None),
    }


def _who(row: Row, links: Mapping[str, str]) -> dict[str, Any]:
    kind = "baseline" if row.entry.is_baseline else "ranked" if row.rank is not None else "no rank"
    href = links.get(row.entry.label) if row.entry.competes else None
    return {"team": display_name(row.entry), "kind": kind, "rank": row.rank, "href": href}


def _mark(points: Sequence[dict[str, Any]], x: str, y: str, *, higher_is_better: bool) -> None:
    """Set `front` and `label` of points; a team without a rank is never on the front."""
    able = [point for point in points if point["kind"] != "no rank"]
    sign = -1 if higher_is_better else 1
    front = front_of([(point[x], sign * point[y]) for point in able])
    on_front = {id(point) for point, best in zip(able, front, strict=True) if best}
    for point in points:
        point["front"] = id(point) in on_front
    order = sorted(
        points, key=lambda p: (p["kind"] != "baseline", not p["front"], p["rank"] or len(points) + 1)
    )
    wanted = [point for point in order if point["front"] or point["kind"] == "baseline"]
    spans = (
        [max(p[key] for p in points) - min(p[key] for p in points) or 1.0 for key in (x, y)] if points else []
    )
    shown = labelled([(point[x] / spans[0], point[y] / spans[1]) for point in wanted])
    chosen = {id(point) for point, label in zip(wanted, shown, strict=True) if label}
    middle = (min(p[x] for p in points) + max(p[x] for p in points)) / 2 if points else 0.0
    for point in points:
        side = "right" if point[x] <= middle else "left"
        point["label"] = side if id(point) in chosen else None


def front_of(points: Sequence[tuple[float, float]]) -> list[bool]:
    """Say of each point whether no other is at most as large in both and smaller in one.

    >>> front_of([(1, 3), (2, 2), (3, 2), (3, 1), (1, 3)])
    [True, True, False, True, True]
    """
    return [not any((a <= x and b <= y) and (a < x or b < y) for a, b in points) for x, y in points]


def labelled(points: Sequence[tuple[float, float]]) -> list[bool]:
    """Say which points have room for a label, the first ones before the others.

    Args:
        points: As shares of the plot's width and height.

    >>> labelled([(0, 0), (0.01, 0.01), (1, 1)])
    [True, False, True]
    """
    taken: list[tuple[float, float]] = []
    told = []
    for x, y in points:
        free = all(abs(x - a) > _NEAR[0] or abs(y - b) > _NEAR[1] for a, b in taken)
        told.append(free)
        if free:
            taken.append((x, y))
    return told
