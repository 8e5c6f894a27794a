"""A board for other programs: data frame, CSV and JSON."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from ntire_bench.ranking.board import Board
from ntire_bench.ranking.board_notes import remarks
from ntire_bench.ranking.entry import Entry
from ntire_bench.ranking.ranks import Row
from ntire_bench.records.record import Score
from ntire_bench.reporting.spreadsheet import no_formula
from ntire_bench.text import json_text, one_line

if TYPE_CHECKING:
    import pandas  # type: ignore[import-untyped]

__all__ = ["document", "frame", "line", "to_csv", "to_json"]

_NO_ROW = Row(
    entry=Entry(id=None, name="", channel="y", psnr_db={}, costs=None, baseline=None),
    status="not judged",
    score=None,
    verdicts=(),
)


def frame(board: Board) -> pandas.DataFrame:
    """Return one line per row, numbers not rounded; its columns include those of leaderboard/reference.

    Names end in units: _db, _ms, _mib, _percent, _m and _g for 1e6 and 1e9; scores and ratios have none.
    `psnr_SPLIT_db` is in the channel that is judged.
    """
    import pandas

    columns = line(board, board.rows[0]).keys() if board.rows else line(board, _NO_ROW).keys()
    table = pandas.DataFrame([line(board, row) for row in board.rows], columns=list(columns))
    counts = ["id", "convs", *(c for c in table if c.startswith("rank"))]
    return table.astype(dict.fromkeys(counts, "Int64"))


def to_csv(board: Board) -> str:
    """Return `frame` as CSV; what is not known is empty."""
    table = frame(board)
    for column in table.select_dtypes(include=["object", "string"]):
        table[column] = [no_formula(cell) for cell in table[column]]
    return str(table.to_csv(index=False, lineterminator="\n"))


def document(board: Board) -> dict[str, Any]:
    """Return a board for other programs.

    Keys: protocol {name, sha256, title}; psnr_channel; device {name, threads (of a CPU), class} or null,
    class {kind, driver, torch, cuda, cudnn, cpu, threads} or null: what all rows have in common; sample;
    source or null; rows, in the order of the table, each {id, name, status, is_baseline, rank, rank_runtime,
    rank_flops, rank_params, tied_with [labels], rank_shares {rank: share of resamples}, score_ci95 [low,
    high] or null, runtime_ratio (to the baseline's, which is scored) or null, runtime_half_width (half of
    the ratio's interval, a share of it) or null, unstable [reasons], attested (false where the runtime is
    not believed), score {runtime, flops, params, final} or null, runtime_ms, flops, params, counts {flops,
    params, audited_flops, audited_params} or null, splits {name: {psnr_y_db, psnr_rgb_db, ssim_y,
    runtime_ms}}, verdicts [{split, channel, psnr_db, threshold_db, passed, reason}], findings [{code,
    severity, message}], rejections [codes], accepted {code: why}, remarks}; left_out [{team, path, kind,
    reason, device: what --device takes to rank it, or null}]; notes; superseded; costs: "audited" or
    "official"; anew {rules: those that the records were made under, changed [texts], moves [{team, before,
    after}]} or null. A number that is infinite is null in the JSON text.
    """
    device = None
    if board.device_name is not None:
        device = {"name": board.device_name, "threads": board.threads, "class": _class_document(board)}
    return {
        "protocol": {
            "name": board.protocol.name,
            "sha256": board.protocol.sha256,
            "title": board.protocol.title,
        },
        "psnr_channel": board.channel,
        "device": device,
        "sample": board.sample,
        "source": board.source,
        "rows": [_row_document(row) for row in board.rows],
        "left_out": [
            {
                "team": item.team,
                "path": item.path,
                "kind": item.kind,
                "reason": item.reason,
                "device": item.device or None,
            }
            for item in board.left_out
        ],
        "notes": list(board.notes),
        "superseded": board.superseded,
        "costs": board.which,
        "anew": board.anew and asdict(board.anew),
    }


def to_json(board: Board) -> str:
    """Return `document` as JSON text."""
    return json_text(document(board)) + "\n"


def _class_document(board: Board) -> dict[str, Any] | None:
    found = board.device_class
    if found is None or found.imported:
        return None
    return {key: value for key, value in asdict(found).items() if key != "name"}


def line(board: Board, row: Row) -> dict[str, object]:
    """Return one row as `frame` has it; what is not known is None."""
    entry, costs, counts, splits = row.entry, row.entry.costs, row.entry.counts, board.protocol.splits
    score = row.score or Score(runtime=None, flops=None, params=None, final=None)
    y, rgb = _by_channel(entry)
    return {
        "id": entry.id,
        "team": one_line(entry.name),
        "is_baseline": entry.is_baseline,
        **{f"psnr_{split}_db": entry.psnr_db.get(split) for split in splits},
        **{f"psnr_y_{split}_db": y.get(split) for split in splits},
        **{f"psnr_rgb_{split}_db": rgb.get(split) for split in splits},
        **{f"ssim_{split}": entry.ssim_y.get(split) for split in splits},
        **{f"runtime_{split}_ms": entry.runtime_by_split_ms.get(split) for split in splits},
        "runtime_ms": costs and costs.runtime_ms,
        "runtime_ratio": entry.ratio,
        "runtime_half_width_percent": None if entry.half_width is None else 100 * entry.half_width,
        "params_m": costs and costs.params / 1e6,
        "flops_g": costs and costs.flops / 1e9,
        "params_official_m": counts and counts.params / 1e6,
        "flops_official_g": counts and counts.flops / 1e9,
        "costs": board.which,
        "activations_m": None if entry.activations is None else entry.activations / 1e6,
        "convs": entry.convs,
        "memory_mib": entry.memory_mib,
        "score_runtime": score.runtime,
        "score_params": score.params,
        "score_flops": score.flops,
        "score_final": score.final,
        "score_low": entry.score_ci95 and entry.score_ci95[0],
        "score_high": entry.score_ci95 and entry.score_ci95[1],
        "rank": row.rank,
        "rank_runtime": row.rank_runtime,
        "rank_params": row.rank_params,
        "rank_flops": row.rank_flops,
        "tied_with": "; ".join(map(one_line, row.tied)),
        "status": row.status,
        "remarks": "; ".join(remarks(row)),
        "protocol": board.protocol.name,
        "psnr_channel": entry.channel,
        "device": board.device_name,
        "device_class": None if board.device_class is None else str(board.device_class),
        "sample": board.sample,
    }


def _by_channel(entry: Entry) -> tuple[Mapping[str, float | None], Mapping[str, float | None]]:
    """Return PSNR by split on Y, and on RGB."""
    both = (entry.psnr_db, entry.other_psnr_db)
    return both if entry.channel == "y" else both[::-1]


def _row_document(row: Row) -> dict[str, Any]:
    entry = row.entry
    y, rgb = _by_channel(entry)
    return {
        "id": entry.id,
        "name": entry.name,
        "status": row.status,
        "is_baseline": entry.is_baseline,
        "rank": row.rank,
        "rank_runtime": row.rank_runtime,
        "rank_flops": row.rank_flops,
        "rank_params": row.rank_params,
        "tied_with": list(row.tied),
        "rank_shares": {str(rank): share for rank, share in row.rank_shares.items()},
        "score_ci95": entry.score_ci95 and list(entry.score_ci95),
        "runtime_ratio": entry.ratio,
        "runtime_half_width": entry.half_width,
        "unstable": list(entry.unstable),
        "attested": entry.attested,
        "score": row.score and asdict(row.score),
        "runtime_ms": entry.costs and entry.costs.runtime_ms,
        "flops": entry.costs and entry.costs.flops,
        "params": entry.costs and entry.costs.params,
        "counts": entry.counts and asdict(entry.counts),
        "splits": {
            split: {
                "psnr_y_db": y.get(split),
                "psnr_rgb_db": rgb.get(split),
                **({"ssim_y": entry.ssim_y[split]} if split in entry.ssim_y else {}),
                "runtime_ms": entry.runtime_by_split_ms.get(split),
            }
            for split in entry.psnr_db
        },
        "verdicts": [asdict(verdict) for verdict in row.verdicts],
        "findings": [asdict(finding) for finding in entry.findings],
        "rejections": [finding.code for finding in entry.rejections],
        "accepted": dict(entry.accepted),
        "remarks": remarks(row),
    }
