"""A board for a paper: Markdown and LaTeX, without what only the organizer needs to know."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from itertools import groupby

from ntire_bench.ranking.board import Board
from ntire_bench.reporting import captions, layout
from ntire_bench.reporting.escape import latex, markdown
from ntire_bench.reporting.layout import Style

__all__ = ["MARKDOWN", "to_latex", "to_markdown"]

_SUB_SCORES = ("score_runtime", "score_params", "score_flops")


MARKDOWN = Style(
    place="<sup>({})</sup>".format,
    below="{}↓".format,
    missing="–",
    note="†",
    escape=markdown,
)


def to_markdown(board: Board, notes: bool = False) -> str:
    """Return title, table and captions as Markdown; the best of each column is bold.

    Args:
        board: What is shown.
        notes: Whether what is said of single records, and of those left out, is there too.
    """
    style = replace(
        MARKDOWN, note="†" if notes else "", best=lambda text: re.sub(r"^[^<]+", r"**\g<0>**", text)
    )
    lines = [f"**{markdown(layout.title(board))}**", ""]
    if board.rows:
        keys = layout.columns_of(board)
        lines.append("| " + " | ".join(" ".join(layout.column(key).lines) for key in keys) + " |")
        lines.append("| :-- |" + " --: |" * (len(keys) - 1))
        lines += ["| " + " | ".join(layout.cells(board, row, keys, style)) + " |" for row in board.rows]
        lines.append("")
    texts = captions.captions(board, style) if notes else captions.for_paper(board, style)
    return "\n".join([*lines, *(f"- {markdown(text)}" for text in texts)]) + "\n"


def to_latex(board: Board, notes: bool = False) -> str:
    """Return a LaTeX table with its captions below; the best of each column is bold.

    Args:
        board: What is shown.
        notes: Whether what is said of single records, and of those left out, is there too.
    """
    style = Style(
        place=lambda place: f"$^{{({place})}}$",
        below=lambda text: rf"\underline{{{text}}}",
        missing="--",
        note=r"$^\dagger$" if notes else "",
        escape=latex,
        interval=lambda text: r"$\pm$" + text.replace("%", r"\%"),
        tied=r"$^{\approx}$",
        below_sign="underlined",
        best=lambda text: re.sub(r"^[^$]+", r"\\textbf{\g<0>}", text),
    )
    body = []
    keys = layout.columns_of(board)
    for _, rows in groupby(board.rows, key=lambda row: row.status):
        body.append(r"\midrule")
        for row in rows:
            # Outside of mathematics, LaTeX's default font encoding prints another character for >.
            texts = layout.cells(board, row, keys, style)
            body.append(" & ".join(text.replace(">1e", "$>$1e") for text in texts) + r" \\")
    texts = captions.captions(board, style) if notes else captions.for_paper(board, style)
    lines = [
        r"% Needs \usepackage{booktabs} and \usepackage{graphicx}.",
        r"\begin{table*}",
        r"\centering",
        rf"\caption{{{latex(layout.title(board))}}}",
        rf"\label{{tab:{re.sub(r'[^A-Za-z0-9.-]', '-', board.protocol.name)}}}",
        r"\resizebox{\textwidth}{!}{%",
        rf"\begin{{tabular}}{{l{'r' * (len(keys) - 1)}}}",
        r"\toprule",
        *_head(keys),
        *body,
        r"\bottomrule",
        r"\end{tabular}}",
        *(rf"\par\footnotesize {latex(text)}" for text in texts),
        r"\end{table*}",
    ]
    text = "\n".join(lines) + "\n"
    if not text.isascii():
        text = (
            "% Holds characters beyond ASCII: if one is missing in print, use XeLaTeX or LuaLaTeX.\n" + text
        )
    return text


def _head(keys: Sequence[str]) -> list[str]:
    """Return the two lines of a heading, and the rules below groups of several columns."""
    above, rules, below = [], [], []
    first = 1
    for group, members in groupby(keys, key=_group):
        count = len(list(members))
        above.append(rf"\multicolumn{{{count}}}{{c}}{{{group}}}" if count > 1 else group)
        if count > 1:
            rules.append(rf"\cmidrule(lr){{{first}-{first + count - 1}}}")
        first += count
    for key in keys:
        column = layout.column(key)
        alone = {"team": "Team", "rank": "Rank", "ratio": "ratio", "params": "[M]", "flops": "[G]"}
        sub_score = column.group if key in _SUB_SCORES else column.name
        below.append(alone.get(key, latex(sub_score)))
    return [" & ".join(above) + r" \\", " ".join(rules), " & ".join(below) + r" \\"]


def _group(key: str) -> str:
    """Return what stands above a column.

    >>> [_group(key) for key in ("team", "psnr_valid", "runtime", "ratio", "score_flops", "final")]
    ['', 'PSNR [dB]', 'Runtime [ms]', 'Runtime', 'Sub-track scores', 'Final']
    """
    if key.startswith("psnr_"):
        return "PSNR [dB]"
    if key.startswith("ssim_"):
        return "SSIM"
    if key.startswith("runtime"):
        return "Runtime [ms]"
    if key in _SUB_SCORES:
        return "Sub-track scores"
    return {"ratio": "Runtime", "params": "Params", "flops": "FLOPs", "final": "Final"}.get(key, "")
