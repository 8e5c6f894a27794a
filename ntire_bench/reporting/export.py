"""A board for other programs and for papers: data frame, CSV, JSON, Markdown and LaTeX."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from itertools import groupby
from typing import TYPE_CHECKING, Any

import msgspec

from ntire_bench.ranking.board import Board
from ntire_bench.ranking.board_notes import remarks
from ntire_bench.ranking.entry import JUDGED_SPLITS
from ntire_bench.ranking.ranks import Row
from ntire_bench.records.record import Score
from ntire_bench.reporting import layout
from ntire_bench.reporting.escape import latex, markdown
from ntire_bench.reporting.layout import COLUMNS, Style
from ntire_bench.reporting.spreadsheet import no_formula
from ntire_bench.text import one_line

if TYPE_CHECKING:
    import pandas  # type: ignore[import-untyped]

__all__ = ["document", "frame", "to_csv", "to_json", "to_latex", "to_markdown"]
_FRAME_COLUMNS = (
    "id team is_baseline psnr_valid_db psnr_test_db ssim_valid ssim_test runtime_valid_ms runtime_test_ms"
    " runtime_ms runtime_ratio runtime_half_width params_m flops_g score_runtime score_params"
    " score_flops score_final score_low score_high rank rank_runtime rank_params rank_flops tied_with status"
    " remarks protocol psnr_channel device device_class sample"
).split()


def frame(board: Board) -> pandas.DataFrame:
    """Return one line per row, numbers not rounded; its columns include those of leaderboard/reference."""
    import pandas

    table = pandas.DataFrame([_line(board, row) for row in board.rows], columns=_FRAME_COLUMNS)
    return table.astype(dict.fromkeys(["id", *(c for c in table if c.startswith("rank"))], "Int64"))


def to_csv(board: Board) -> str:
    """Return `frame` as CSV; what is not known is empty."""
    table = frame(board)
    for column in ("team", "tied_with", "remarks", "device", "device_class"):
        table[column] = [no_formula(text) for text in table[column]]
    return str(table.to_csv(index=False, lineterminator="\n"))


def document(board: Board) -> dict[str, Any]:
    """Return a board for other programs.

    Keys: protocol {name, sha256, title}; psnr_channel; device {name, threads (of a CPU), class} or null,
        class
    {kind, driver, torch, cuda, cudnn, cpu, threads} or null: what all rows have in common; sample; source or
    null; rows, in the order of the table, each {id, name, status, is_baseline, rank, rank_runtime,
    rank_flops, rank_params, tied_with [labels], rank_shares {rank: share of resamples}, score_ci95 [low,
    high] or null, runtime_ratio (to the baseline's, which is scored) or null, runtime_half_width (half of the
    ratio's interval, a share of it) or null, unstable [reasons], attested (false where the runtime is not
    believed), score {runtime, flops, params, final} or null, runtime_ms, flops, params, splits {name:
    {psnr_y_db, psnr_rgb_db, runtime_ms, ssim_y where --ssim was given}}, verdicts [{split, channel,
    psnr_db, threshold_db, passed, reason}], findings [{code, severity, message}], rejections [codes],
    accepted {code: why}, remarks}; left_out [{team, path, kind, reason, device: what --device takes to rank
    it, or null}]; notes; superseded. A number that is infinite is null in the JSON text.
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
    }


def to_json(board: Board) -> str:
    """Return `document` as JSON text."""
    return msgspec.json.format(msgspec.json.encode(document(board)), indent=2).decode() + "\n"


def to_markdown(board: Board) -> str:
    """Return title, table and captions as Markdown."""
    style = Style(
        place=lambda place: f"<sup>({place})</sup>",
        below=lambda text: f"{text}↓",
        missing="–",
        note="†",
        escape=markdown,
    )
    lines = [f"**{markdown(layout.title(board))}**", ""]
    if board.rows:
        keys = layout.columns_of(board)
        lines.append("| " + " | ".join(" ".join(COLUMNS[key].lines) for key in keys) + " |")
        lines.append("| :-- |" + " --: |" * (len(keys) - 1))
        lines += ["| " + " | ".join(layout.cells(board, row, keys, style)) + " |" for row in board.rows]
        lines.append("")
    lines += [f"- {markdown(text)}" for text in layout.captions(board)]
    return "\n".join(lines) + "\n"


def to_latex(board: Board) -> str:
    """Return a LaTeX table with its captions below; needs the packages booktabs and graphicx."""
    style = Style(
        place=lambda place: f"$^{{({place})}}$",
        below=lambda text: rf"\underline{{{text}}}",
        missing="--",
        note=r"$^\dagger$",
        escape=latex,
        interval=lambda text: r"$\pm$" + text.replace("%", r"\%"),
        tied=r"$^{\approx}$",
    )
    body = []
    keys = layout.columns_of(board)
    for _, rows in groupby(board.rows, key=lambda row: row.status):
        body.append(r"\midrule")
        for row in rows:
            # Outside of mathematics, LaTeX's default font encoding prints another character for >.
            texts = layout.cells(board, row, keys, style)
            body.append(" & ".join(text.replace(">1e", "$>$1e") for text in texts) + r" \\")
    lines = [
        r"\begin{table*}",
        r"\centering",
        rf"\caption{{{latex(layout.title(board))}}}",
        r"\resizebox{\textwidth}{!}{%",
        rf"\begin{{tabular}}{{l{'r' * (len(keys) - 1)}}}",
        r"\toprule",
        *_latex_head(keys),
        *body,
        r"\bottomrule",
        r"\end{tabular}}",
        *(rf"\par\footnotesize {latex(text)}" for text in layout.captions(board)),
        r"\end{table*}",
    ]
    return "\n".join(lines) + "\n"


def _class_document(board: Board) -> dict[str, Any] | None:
    found = board.device_class
    if found is None or found.imported:
        return None
    return {key: value for key, value in asdict(found).items() if key != "name"}


def _latex_head(keys: Sequence[str]) -> list[str]:
    above, below = (" & Runtime", " & ratio") if "ratio" in keys else ("", "")
    ssim = [key.removeprefix("ssim_") for key in keys if key.startswith("ssim_")]
    more = "".join(" & SSIM" for _ in ssim), "".join(f" & {split}" for split in ssim)
    runtime, first = keys.index("runtime_valid") + 1, keys.index("score_runtime") + 1
    return [
        rf" & \multicolumn{{2}}{{c}}{{PSNR [dB]}}{more[0]} & \multicolumn{{3}}{{c}}{{Runtime [ms]}}{above}"
        r" & Params & FLOPs & \multicolumn{3}{c}{Sub-track scores} & Final & \\",
        r"\cmidrule(lr){2-3} "
        rf"\cmidrule(lr){{{runtime}-{runtime + 2}}} \cmidrule(lr){{{first}-{first + 2}}}",
        rf"Team & valid & test{more[1]} & valid & test & average{below} & [M] & [G]"
        r" & Runtime & Params & FLOPs & score & Rank \\",
    ]


def _line(board: Board, row: Row) -> dict[str, object]:
    entry, costs = row.entry, row.entry.costs
    score = row.score or Score(runtime=None, flops=None, params=None, final=None)
    return {
        "id": entry.id,
        "team": one_line(entry.name),
        "is_baseline": entry.is_baseline,
        **{f"psnr_{split}_db": entry.psnr_db.get(split) for split in JUDGED_SPLITS},
        **{f"ssim_{split}": entry.ssim_y.get(split) for split in JUDGED_SPLITS},
        **{f"runtime_{split}_ms": entry.runtime_by_split_ms.get(split) for split in JUDGED_SPLITS},
        "runtime_ms": costs and costs.runtime_ms,
        "runtime_ratio": entry.ratio,
        "runtime_half_width": entry.half_width,
        "params_m": costs and costs.params / 1e6,
        "flops_g": costs and costs.flops / 1e9,
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
        "tied_with": "; ".join(row.tied),
        "status": row.status,
        "remarks": "; ".join(remarks(row)),
        "protocol": board.protocol.name,
        "psnr_channel": board.channel,
        "device": board.device_name,
        "device_class": None if board.device_class is None else str(board.device_class),
        "sample": board.sample,
    }


def _row_document(row: Row) -> dict[str, Any]:
    entry = row.entry
    y, rgb = (entry.psnr_db, entry.other_psnr_db)[:: 1 if entry.channel == "y" else -1]
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
