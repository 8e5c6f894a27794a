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

__all__ = [
    "LATEX",
    "MARKDOWN",
    "below_group",
    "group_of",
    "latex_row",
    "latex_table",
    "to_latex",
    "to_markdown",
]

_SUB_SCORES = ("score_runtime", "score_params", "score_flops")


MARKDOWN = Style(
    place="<sup>({})</sup>".format,
    below="{}↓".format,
    missing="–",
    note="†",
    escape=markdown,
)
LATEX = Style(
    place=lambda place: f"$^{{({place})}}$",
    below=lambda text: rf"\underline{{{text}}}",
    missing="--",
    note="",
    escape=latex,
    interval=lambda text: r"$\pm$" + text.replace("%", r"\%"),
    tied=r"$^{\approx}$",
    below_sign="underlined",
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
    style = replace(
        LATEX,
        note=r"$^\dagger$" if notes else "",
        best=lambda text: re.sub(r"^[^$]+", r"\\textbf{\g<0>}", text),
    )
    body = []
    keys = layout.columns_of(board)
    for _, rows in groupby(board.rows, key=lambda row: row.status):
        body.append(r"\midrule")
        body += [latex_row(layout.cells(board, row, keys, style)) for row in rows]
    texts = captions.captions(board, style) if notes else captions.for_paper(board, style)
    heads = [(group_of(key), below_group(key)) for key in keys]
    return latex_table(layout.title(board), board.protocol.name, heads, body, texts)


def latex_row(cells: Sequence[str]) -> str:
    """Return one line of a LaTeX table, of cells that are written for LaTeX.

    Outside of mathematics, LaTeX's default font encoding prints another character for >.
    """
    return " & ".join(text.replace(">1e", "$>$1e") for text in cells) + r" \\"


def latex_table(
    caption: str, label: str, heads: Sequence[tuple[str, str]], body: Sequence[str], texts: Sequence[str]
) -> str:
    r"""Return a whole LaTeX table, as wide as the page.

    Args:
        caption: Plain text.
        label: What `\ref{tab:LABEL}` names; characters that a label cannot have are replaced.
        heads: What stands above each column, (group, name), written for LaTeX; columns of one group share it.
        body: Lines of LaTeX between the rules.
        texts: What stands below, plain texts.
    """
    lines = [
        r"% Needs \usepackage{booktabs} and \usepackage{graphicx}.",
        r"\begin{table*}",
        r"\centering",
        rf"\caption{{{latex(caption)}}}",
        rf"\label{{tab:{re.sub(r'[^A-Za-z0-9.-]', '-', label)}}}",
        r"\resizebox{\textwidth}{!}{%",
        rf"\begin{{tabular}}{{l{'r' * (len(heads) - 1)}}}",
        r"\toprule",
        *_head(heads),
        *body,
        r"\bottomrule",
        r"\end{tabular}}",
        r"\par\smallskip\raggedright\footnotesize",
        *(rf"\par {latex(text)}" for text in texts),
        r"\end{table*}",
    ]
    text = "\n".join(lines) + "\n"
    if not text.isascii():
        text = (
            "% Holds characters beyond ASCII: if one is missing in print, use XeLaTeX or LuaLaTeX.\n" + text
        )
    return text


def _head(heads: Sequence[tuple[str, str]]) -> list[str]:
    """Return the two lines of a heading, and the rules below groups of several columns."""
    above, rules = [], []
    first = 1
    for group, members in groupby(heads, key=lambda head: head[0]):
        count = len(list(members))
        above.append(rf"\multicolumn{{{count}}}{{c}}{{{group}}}" if count > 1 else group)
        if count > 1:
            rules.append(rf"\cmidrule(lr){{{first}-{first + count - 1}}}")
        first += count
    below = [name for _, name in heads]
    return [" & ".join(above) + r" \\", " ".join(rules), " & ".join(below) + r" \\"]


def below_group(key: str) -> str:
    """Return what stands directly above a column, below its group.

    >>> [below_group(key) for key in ("team", "psnr_valid", "flops", "score_flops", "final")]
    ['Team', 'valid', '[G]', 'FLOPs', 'score']
    """
    column = layout.column(key)
    alone = {"team": "Team", "rank": "Rank", "ratio": "ratio", "params": "[M]", "flops": "[G]"}
    return alone.get(key, latex(column.group if key in _SUB_SCORES else column.name))


def group_of(key: str) -> str:
    """Return what stands above a column.

    >>> [group_of(key) for key in ("team", "psnr_valid", "runtime", "ratio", "score_flops", "final")]
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
