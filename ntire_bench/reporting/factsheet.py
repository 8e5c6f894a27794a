"""The table of numbers that a challenge's factsheet asks for, in Markdown and LaTeX."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from ntire_bench.records.record import Record, SplitResult
from ntire_bench.records.scored_costs import scored_flops, scored_params
from ntire_bench.reporting.escape import latex, markdown

__all__ = ["Line", "document", "letter", "lines_of", "notes_of", "to_latex", "to_markdown"]


@dataclass(frozen=True, kw_only=True)
class Line:
    """One number of a factsheet.

    Attributes:
        key: For programs.
        name: For people, with the unit.
        value: As it is printed.
    """

    key: str
    name: str
    value: str


def lines_of(record: Record) -> list[Line]:
    """Return the numbers of a successful evaluation.

    Args:
        record: Successful; runtimes are plain medians (see `with_plain_runtimes`).
    """
    complexity = record.complexity
    assert complexity is not None, "a successful evaluation has costs"
    size = "x".join(map(str, complexity.input_shape[2:]))
    lines = [
        Line(key="params", name="Parameters [M]", value=f"{scored_params(complexity) / 1e6:.4f}"),
        Line(key="flops", name=f"FLOPs [G] at {size}", value=f"{scored_flops(complexity) / 1e9:.4f}"),
        Line(
            key="activations",
            name=f"Activations [M] at {size}",
            value=f"{complexity.activations / 1e6:.4f}",
        ),
        Line(key="convs", name="Convolutions", value=str(complexity.convs)),
    ]
    for split, result in record.splits.items():
        lines += _of_split(split, result)
    timing = record.timing
    if timing is not None and record.baseline is not None and timing.ratio_ci95 is not None:
        low, high = timing.ratio_ci95
        name = f"Runtime over {record.baseline.submission.label}'s"
        lines.append(
            Line(key="runtime_ratio", name=name, value=f"{timing.ratio:.3f} ({low:.3f} to {high:.3f})")
        )
    return lines


def _of_split(split: str, result: SplitResult) -> Iterator[Line]:
    for channel, value in (("y", result.psnr_y_db), ("rgb", result.psnr_rgb_db)):
        shown = "infinite" if value is None else f"{value:.3f}"
        yield Line(key=f"psnr_{channel}_{split}", name=f"PSNR {channel.upper()} [dB], {split}", value=shown)
    if result.ssim_y is not None:
        yield Line(key=f"ssim_y_{split}", name=f"SSIM Y, {split}", value=f"{result.ssim_y:.4f}")
    limits = result.runtime_ci95_ms
    runtime = f"{result.runtime_ms:.2f}"
    if limits is not None:
        runtime += f" ({limits[0]:.2f} to {limits[1]:.2f})"
    yield Line(key=f"runtime_{split}", name=f"Runtime [ms], {split}", value=runtime)
    if result.memory_mib is not None:
        yield Line(key=f"memory_{split}", name=f"Memory [MiB], {split}", value=f"{result.memory_mib:.1f}")


def notes_of(record: Record) -> list[str]:
    """Return what a reader of the numbers must know: where they are from, and what was found."""
    environment = record.environment
    notes = []
    if environment is not None:
        rounds = f"{record.rounds} round{'' if record.rounds == 1 else 's'}"
        known = any(result.runtime_ci95_ms is not None for result in record.splits.values())
        notes.append(
            f"Measured on {environment.device_name} with torch {environment.torch} by ntire_bench "
            f"{environment.ntire_bench}, {record.created_utc[:10]}; {rounds}"
            f"{'; in parentheses 95 % intervals' if known else ', which gives no interval'}."
        )
    images = [f"{result.images} of {result.dataset}" for result in record.splits.values()]
    notes.append(f"Images: {', '.join(images)}; border of the protocol {record.protocol.name} cropped off.")
    if record.sample:
        notes.append("SAMPLE: not comparable with the challenge.")
    if record.timing is not None and record.timing.unstable:
        notes.append(f"The runtime is not stable: {record.timing.unstable[0]}.")
    if not any(result.ssim_y is not None for result in record.splits.values()):
        notes.append("SSIM was not computed: evaluate with --ssim.")
    notes += [f"{f.severity}: {f.code}" for f in record.findings if f.severity == "reject"]
    return notes


def to_markdown(record: Record) -> str:
    """Return the numbers as a table in Markdown, with notes below."""
    rows = [f"| {markdown(line.name)} | {markdown(line.value)} |" for line in lines_of(record)]
    head = [f"**{markdown(record.submission.label)}**", "", "| | |", "|---|--:|"]
    return "\n".join([*head, *rows, "", *(f"- {markdown(text)}" for text in notes_of(record))]) + "\n"


def to_latex(record: Record) -> str:
    """Return the numbers as a LaTeX table with notes below; needs the package booktabs."""
    rows = [rf"{latex(line.name)} & {latex(line.value)} \\" for line in lines_of(record)]
    lines = [
        r"\begin{table}",
        r"\centering",
        rf"\caption{{{latex(record.submission.label)}}}",
        r"\begin{tabular}{lr}",
        r"\toprule",
        *rows,
        r"\bottomrule",
        r"\end{tabular}",
        *(rf"\par\footnotesize {latex(text)}" for text in notes_of(record)),
        r"\end{table}",
    ]
    return "\n".join(lines) + "\n"


def document(record: Record) -> dict[str, Any]:
    """Return the numbers as plain values for JSON."""
    lines: Sequence[Line] = lines_of(record)
    return {
        "submission": record.submission.label,
        "lines": [vars(line) for line in lines],
        "notes": notes_of(record),
    }


def letter(record: Record) -> str:
    """Return what the letter to the organizers must say, with gaps for what only the team knows.

    Args:
        record: The evaluation whose numbers are sent.
    """
    info = record.submission
    edition = record.protocol.name.removeprefix("ntire")
    kind = "Image Denoising" if record.protocol.scale == 1 else "Efficient SR"
    challenge = f"NTIRE {edition} {kind} Challenge" if edition.isdigit() else f"{kind} Challenge"
    best = "; ".join(
        f"{split} {result.psnr_rgb_db:.2f} dB"
        for split, result in record.splits.items()
        if result.psnr_rgb_db is not None
    )
    return "\n".join(
        [
            f"Title: {challenge} - [team name] - {info.id:03d}",
            "",
            "a) team name:",
            "b) team leader's name and e-mail address:",
            "c) the other members of the team:",
            "d) user names on the competition's page:",
            "e) command that downloads code, checkpoint and factsheet (PDF, and a zip of its sources):",
            "f) command that downloads the SR images:",
            "",
            f"Model: {info.label}. PSNR on RGB: {best or 'none'}.",
            "",
        ]
    )
